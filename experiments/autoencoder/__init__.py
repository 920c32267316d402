"""Q1: the basic autoencoder at several latent dimensions."""

from experiments.autoencoder.experiment import (
    AutoencoderExperiment,
    AutoencoderSettings,
    basic_trial,
)

__all__ = ["AutoencoderExperiment", "AutoencoderSettings", "basic_trial"]
