"""Lab reports from deep-learning experiments: run, keep the numbers, tell them."""

__version__ = "0.1.0"
