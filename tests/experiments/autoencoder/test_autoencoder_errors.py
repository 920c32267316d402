"""Q1's error analysis: by digit, and the best and worst reconstructions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from experiments.autoencoder.errors import ErrorAnalysis, ranked_ends
from experiments.autoencoder.trainings import Trainings
from reportgen.experiment import Dataset, Trial, TrialResult
from reportgen.render.text import formatted
from reportgen.results import Cell, DataSummary, Images, Number, Prose

PIXELS = 784


def analysis(
    folder: Path, errors: Sequence[float], labels: Sequence[int], dims: Sequence[int] = (32,)
) -> ErrorAnalysis:
    """The analysis of a model with these errors on test images, each darker than the one before.

    Image i has the grey value i everywhere; the model gives back white.
    """
    count = len(errors)
    images = np.repeat(np.arange(count, dtype=np.uint8)[:, None], PIXELS, axis=1)
    np.save(folder / "x_test.npy", images)
    np.save(folder / "y_test.npy", np.array(labels, np.uint8))
    np.save(folder / "y_train.npy", np.array([*labels, *labels, 1], np.uint8))
    dataset = Dataset(DataSummary("mnist", "images", "sample", "generated", "0"), folder)
    arrays = {
        "encoder_kernel": np.zeros((PIXELS, 2), np.float32),
        "encoder_bias": np.zeros(2, np.float32),
        "decoder_kernel": np.zeros((2, PIXELS), np.float32),
        "decoder_bias": np.full(PIXELS, 50, np.float32),
        "test_mse": np.array(errors, np.float32),
        "test_bce": 2 * np.array(errors, np.float32),
    }
    trials = {(dim, 0): Trial("autoencoder", "t", {}, 0, f"latent {dim}") for dim in dims}
    results = {key: TrialResult({}, {}, arrays) for key in trials}
    first = trials[dims[0], 0]
    return ErrorAnalysis.of(
        Trainings(tuple(dims), (0,), trials, results, first, TrialResult({})), dataset
    )


def told(found: ErrorAnalysis, paragraph: Prose) -> str:
    """A paragraph as a reader sees it, without its references."""
    text = ""
    for piece in paragraph.pieces():
        if isinstance(piece, str):
            text += piece
        elif isinstance(piece, Number):
            text += formatted(piece.value, piece.format)
        elif isinstance(piece, Cell):
            column = found.digits.column(piece.column)
            text += formatted(found.digits.rows[piece.row][piece.column], column.format)
    return text


@pytest.mark.parametrize(
    ("dims", "chosen"), [((16, 32, 64), 32), ((4, 8), 8), ((30, 34), 30), ((64, 128), 64)]
)
def test_the_latent_dimension_nearest_to_32_is_looked_at(
    tmp_path: Path, dims: Sequence[int], chosen: int
) -> None:
    assert analysis(tmp_path, [0.1, 0.2], [0, 1], dims).dim == chosen


def test_each_digit_has_its_counts_and_errors(tmp_path: Path) -> None:
    found = analysis(tmp_path, [0.1, 0.3, 0.5, 0.8], [3, 3, 7, 7])
    three, seven = found.digits.rows
    assert (three["digit"], three["training_images"], three["test_images"]) == (3, 4, 2)
    assert three["test_mse"] == pytest.approx(0.2)
    assert three["test_bce"] == pytest.approx(0.4)
    assert seven["ink"] == pytest.approx(2.5 / 255)
    assert float(str(three["test_mse_low"])) <= 0.2 <= float(str(three["test_mse_high"]))


def test_the_frequencies_of_the_digits_are_told(tmp_path: Path) -> None:
    text = told(found := analysis(tmp_path, [0.1] * 3, [1, 1, 5]), found.about_classes())
    assert "not all equally frequent" in text
    assert "from 2 (digit 5) to 5 (digit 1) images in the training part" in text
    assert "from 1 (digit 5) to 2 (digit 1) images in the test part" in text


def test_the_hardest_digit_is_told_only_where_intervals_part(tmp_path: Path) -> None:
    chance = np.random.default_rng(0).normal(0, 0.01, 60)
    labels = [0] * 20 + [1] * 20 + [2] * 20
    apart = analysis(tmp_path, np.repeat([0.1, 0.3, 0.5], 20) + chance, labels)
    text = told(apart, apart.about_digits())
    assert "smallest for the digit 0" in text
    assert "largest for 2" in text
    assert "No other digit's interval overlaps" in text
    alike = analysis(tmp_path, np.repeat([0.1, 0.5, 0.501], 20) + chance, labels)
    assert "overlaps with that of 1: which digit is hardest can't be told" in told(
        alike, alike.about_digits()
    )


def test_a_single_digit_has_no_rivals(tmp_path: Path) -> None:
    found = analysis(tmp_path, [0.1, 0.2], [4, 4])
    assert "the only digit there is, 4" in told(found, found.about_digits())


def test_more_ink_is_said_to_go_with_larger_errors_only_where_it_does(tmp_path: Path) -> None:
    def about(errors: Sequence[float]) -> str:
        found = analysis(tmp_path, errors, [0] * len(errors))
        return "".join(told(found, paragraph) for paragraph in found.about_ink())

    rising = [0.1 * i for i in range(1, 12)]
    assert "Images with more ink tend to have larger errors" in about(rising)
    assert "+1.00" in about(rising)
    assert "Images with more ink tend to have smaller errors (" in about(rising[::-1])
    assert "Ink explains little" in about([0.1, 0.5, 0.2, 0.4, 0.3])
    assert about([0.1] * 9) == ""
    assert about([0.1, 0.2]) == ""


def test_the_best_and_the_worst_are_shown_above_their_reconstructions(tmp_path: Path) -> None:
    errors = [0.5, 0.1, 0.9, 0.3] * 5
    drawing = analysis(tmp_path, errors, [0, 1, 2, 3] * 5).extremes.drawing
    assert isinstance(drawing, Images)
    assert drawing.row_labels == (
        "best, original",
        "best, reconstructed",
        "worst, original",
        "worst, reconstructed",
    )
    assert drawing.pixels.shape == (4, 8, 28, 28)
    assert drawing.pixels[0, :, 0, 0].tolist() == [1, 5, 9, 13, 17, 3, 7, 11]
    assert drawing.pixels[2, :5, 0, 0].tolist() == [18, 14, 10, 6, 2]
    assert (drawing.pixels[[1, 3]] == 255).all()


def test_the_digits_among_the_extremes_are_counted(tmp_path: Path) -> None:
    found = analysis(tmp_path, [0.1] * 8 + [0.7] * 5 + [0.9] * 3, [1] * 8 + [2] * 5 + [8] * 3)
    text = told(found, found.about_extremes())
    assert "The 8 best have MSEs from 0.10000 to 0.10000; all show the digit 1." in text
    assert "The 8 worst have MSEs from 0.70000 to 0.90000; 5 of them show the digit 2." in text


@pytest.mark.parametrize(
    ("count", "best", "worst"), [(1, [0], []), (2, [0], [1]), (5, [0, 1], [4, 3])]
)
def test_no_image_is_both_best_and_worst(count: int, best: list[int], worst: list[int]) -> None:
    found = ranked_ends(np.arange(count) / 10)
    assert [ends.tolist() for ends in found] == [best, worst]


def test_a_single_test_image_is_shown_once(tmp_path: Path) -> None:
    found = analysis(tmp_path, [0.1], [6])
    drawing = found.extremes.drawing
    assert isinstance(drawing, Images)
    assert drawing.row_labels == ("best, original", "best, reconstructed")
    assert "worst have" not in told(found, found.about_extremes())
