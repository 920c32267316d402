"""Q2: the denoising autoencoder against the basic one and against linear denoisers."""

from experiments.denoising.experiment import DenoisingExperiment, DenoisingSettings

__all__ = ["DenoisingExperiment", "DenoisingSettings"]
