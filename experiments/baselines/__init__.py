"""The baselines: what the models are measured against, fitted on the same data and cached alike."""
