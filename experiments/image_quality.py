"""How much a restored image resembles the clean one: PSNR and SSIM, image by image.

Both are measures of one image. Where a single figure stands for many images, it is the mean of
their values; for PSNR, that is not the PSNR of the mean squared error.
"""

from __future__ import annotations

import numpy as np

from reportgen.experiment import Array

WINDOW_SD = 1.5
WINDOW_RADIUS = 5
"""The Gaussian window of SSIM, 11 × 11 pixels (Wang et al. 2004, section III.B)."""

LUMINANCE_FLOOR, CONTRAST_FLOOR = 0.01**2, 0.03**2
"""C1 = (K1 L)² and C2 = (K2 L)² there, for pixels from 0 to L = 1."""


def psnr(mse: Array) -> Array:
    """The peak signal-to-noise ratio in dB for pixels from 0 to 1: infinite where nothing differs.

    Args:
        mse: mean squared error of each image, float (n,).

    Returns:
        −10 log₁₀ of the error, of the same dtype and shape.
    """
    with np.errstate(divide="ignore"):
        ratio: Array = -10 * np.log10(mse)
    return ratio


def ssim(images: Array, references: Array) -> Array:
    """The structural similarity of each image to its reference: float32 (n,), 1 if they are equal.

    As Wang, Bovik, Sheikh & Simoncelli 2004, "Image quality assessment: from error visibility to
    structural similarity", equations 13 to 17, compute it: the mean over all places at which the
    window lies within the image.

    Args:
        images: float32 (n, height, width), pixels from 0 to 1; no side shorter than the window.
        references: the same shape; the measure is symmetric.
    """
    mean, reference_mean = _windowed(images), _windowed(references)
    product, squares = mean * reference_mean, mean**2 + reference_mean**2
    covariance = _windowed(images * references) - product
    variances = _windowed(images**2 + references**2) - squares
    similarity = (2 * product + LUMINANCE_FLOOR) * (2 * covariance + CONTRAST_FLOOR)
    similarity /= (squares + LUMINANCE_FLOOR) * (variances + CONTRAST_FLOOR)
    index: Array = similarity.mean(axis=(1, 2))
    return index


def _windowed(images: Array) -> Array:
    """The Gaussian mean around each place where the window fits: float32 (n, rows, columns).

    The window is a product of two of one dimension, and each of these a matrix: so small, they
    are multiplied faster than a filter walks over the pixels.
    """
    _, height, width = images.shape
    means: Array = _window(height).T @ (images @ _window(width))
    return means


def _window(size: int) -> Array:
    """The window at each place along a side: float32 (size, places), columns that sum to 1."""
    steps = np.arange(-WINDOW_RADIUS, WINDOW_RADIUS + 1)
    weights = np.exp(-(steps**2) / (2 * WINDOW_SD**2))
    places = np.arange(size - 2 * WINDOW_RADIUS)
    window = np.zeros((size, len(places)), np.float32)
    for step, weight in zip(steps, weights / weights.sum(), strict=True):
        window[places + WINDOW_RADIUS + step, places] = weight
    return window
