"""The engine: plans trials, runs what is missing, keeps what they found."""
