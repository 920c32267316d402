"""How much a restored image resembles the clean one, against formulas written out."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.image_quality import psnr, ssim
from reportgen.experiment import Array


def slow_ssim(image: Array, reference: Array) -> float:
    """Equation 13 of Wang et al. 2004 at every place of an 11 × 11 window, one by one."""
    x, y = np.mgrid[-5:6, -5:6]
    window = np.exp(-(x**2 + y**2) / (2 * 1.5**2))
    window /= window.sum()
    values = []
    for row in range(image.shape[0] - 10):
        for column in range(image.shape[1] - 10):
            place = slice(row, row + 11), slice(column, column + 11)
            a, b = image[place].astype(float), reference[place].astype(float)
            mean_a, mean_b = (window * a).sum(), (window * b).sum()
            var_a, var_b = (window * (a - mean_a) ** 2).sum(), (window * (b - mean_b) ** 2).sum()
            cov = (window * (a - mean_a) * (b - mean_b)).sum()
            luminance = (2 * mean_a * mean_b + 0.01**2) / (mean_a**2 + mean_b**2 + 0.01**2)
            values.append(luminance * (2 * cov + 0.03**2) / (var_a + var_b + 0.03**2))
    return float(np.mean(values))


def test_ssim_is_the_formula_written_out() -> None:
    chance = np.random.default_rng(0)
    references = chance.random((4, 14, 17), np.float32)
    noise = chance.standard_normal(references.shape, np.float32)
    spread = np.array([0.01, 0.1, 0.5, 3], np.float32)[:, None, None]
    images = np.clip(references + spread * noise, 0, 1)
    expected = [slow_ssim(*pair) for pair in zip(images, references, strict=True)]
    assert ssim(images, references) == pytest.approx(expected, abs=2e-5)
    assert ssim(images, references).dtype == np.float32


def test_flat_images_have_the_ssim_of_their_luminances() -> None:
    dark, bright = np.full((1, 11, 11), 0.2, np.float32), np.full((1, 11, 11), 0.8, np.float32)
    expected = (2 * 0.2 * 0.8 + 0.01**2) / (0.2**2 + 0.8**2 + 0.01**2)
    assert ssim(dark, bright) == pytest.approx(expected, rel=1e-4)


def test_an_image_has_the_ssim_1_with_itself() -> None:
    images = np.random.default_rng(0).random((3, 28, 28), np.float32)
    assert ssim(images, images) == pytest.approx(1, abs=1e-5)


def test_psnr_rises_by_ten_decibels_for_a_tenth_of_the_error() -> None:
    assert psnr(np.array([1, 0.1, 0.01])) == pytest.approx([0, 10, 20])


def test_psnr_without_any_error_is_infinite() -> None:
    assert psnr(np.zeros(1, np.float32))[0] == np.inf
