"""Q3: the sentiment of film reviews, told by an LSTM."""

from experiments.lstm.experiment import LstmExperiment, LstmSettings

__all__ = ["LstmExperiment", "LstmSettings"]
