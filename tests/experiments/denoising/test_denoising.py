"""The chapter on the denoising autoencoder, from made-up results."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from experiments.autoencoder import AutoencoderExperiment, AutoencoderSettings, basic_trial
from experiments.baselines.images import LinearModel, judged, median, similarity, unchanged
from experiments.denoising import DenoisingExperiment, DenoisingSettings
from experiments.denoising.errors import (
    BASIC,
    DENOISING,
    FULL_RANK,
    LOW_RANK,
    MEDIAN,
    METHODS,
    NOISY,
    PROJECTION,
    Restore,
    errors_by_level,
)
from experiments.dense_model import scaled, squared_error
from experiments.image_quality import psnr
from reportgen.experiment import DataOptions, Dataset, Evidence, Trial, TrialResult
from reportgen.results import Cell, DataSummary, Images, Number, Prose, Section, Verdict

REAL = pytest.mark.skipif(
    "REPORTGEN_TEST_DATA" not in os.environ, reason="REPORTGEN_TEST_DATA names no folder of data"
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Generated images, two of each digit to test."""
    return generated(tmp_path_factory.mktemp("images"), 20)


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The same with enough images of each digit to tell something of it by itself."""
    return generated(tmp_path_factory.mktemp("images"), 80)


def generated(folder: Path, test_images: int) -> Dataset:
    """Generated images, all of them about a quarter as bright as can be."""
    chance = np.random.default_rng(0)
    for part, count in (("train", 50), ("test", test_images)):
        np.save(folder / f"x_{part}.npy", chance.integers(54, 74, (count, 784), np.uint8))
        np.save(folder / f"y_{part}.npy", (np.arange(count) % 10).astype(np.uint8))
    return Dataset(DataSummary("mnist", "images", "sample", "generated", "0"), folder)


def result(brightness: float, dead: int = 0, seduced: float = 0.0) -> TrialResult:
    """A training whose model answers every image with one shade of grey.

    If it is ``seduced``, the shade gets lighter the lighter the image is; noise makes it so.
    """
    layers = [
        {"name": "image", "kind": "Input", "units": 784, "activation": None, "parameters": 0},
        {"name": "encoder", "kind": "Dense", "units": 2, "activation": "relu", "parameters": 1570},
        {
            "name": "decoder",
            "kind": "Dense",
            "units": 784,
            "activation": "sigmoid",
            "parameters": 2352,
        },
    ]
    return TrialResult(
        {
            "loss": [0.2, 0.1],
            "val_loss": [0.21, 0.11],
            "wall_seconds": [3.0, 1.0],
            "cpu_seconds": [3.0, 1.0],
        },
        {
            "layers": layers,
            "parameters": 3922,
            "training_images": 40,
            "validation_images": 10,
            "dead_units": dead,
            "threads": 1,
        },
        {
            "encoder_kernel": np.full((784, 2), 1 / 784, np.float32),
            "encoder_bias": np.full(2, -0.25, np.float32),
            "decoder_kernel": np.full((2, 784), seduced, np.float32),
            "decoder_bias": np.full(784, np.log(brightness / (1 - brightness)), np.float32),
        },
    )


GOOD, POOR, BAD = (result(brightness) for brightness in (0.25, 0.45, 0.99))


def baselines(dataset: Dataset, low_rank: float = 0.4, full_rank: float = 0.3) -> TrialResult:
    """Baselines whose linear models too answer with one shade of grey, errors as they follow."""
    arrays = {}
    restorers: dict[str, Restore] = {"noisy": unchanged, "median": median}
    for name, shade in (("pca", 0.5), ("low_rank", low_rank), ("full_rank", full_rank)):
        zeros, bias = np.zeros((784, 784), np.float32), np.full(784, shade, np.float32)
        model = LinearModel(zeros, None, bias)
        arrays |= model.arrays(name)
        restorers[name] = model.restore
    measures = {"mse": squared_error, "ssim": similarity}
    arrays |= judged(restorers, measures, dataset.array("x_test"), 0.5)
    arrays |= {f"psnr_{name}": psnr(arrays[f"mse_{name}"]) for name in restorers}
    return TrialResult({}, {"training_images": 40, "validation_images": 10}, arrays)


def chapter(
    dataset: Dataset,
    basic: TrialResult | Sequence[TrialResult],
    denoising: TrialResult | Sequence[TrialResult],
    levels: Sequence[float] = (0.1, 0.5, 0.8),
    linear: TrialResult | None = None,
    preset: str = "standard",
) -> Section:
    """The chapter on these trainings, one of each model or one a seed."""
    experiment, settings = DenoisingExperiment(), DenoisingSettings(noise_levels=tuple(levels))
    others = {"autoencoder": AutoencoderSettings()}
    pairs = [(basic, denoising)]
    if not isinstance(basic, TrialResult) and not isinstance(denoising, TrialResult):
        pairs = list(zip(basic, denoising, strict=True))
    seeds = tuple(range(7, 7 + len(pairs)))
    results: dict[Trial, TrialResult] = {}
    for seed, pair in zip(seeds, pairs, strict=True):
        results |= dict(zip(experiment.trials(settings, seed, others), pair, strict=True))
    (trial,) = experiment.baselines(settings, seeds[0], others)
    results[trial] = linear or baselines(dataset)
    return experiment.section(Evidence(settings, preset, seeds, dataset, results))


def value(section: Section, table: str, column: str, **where: str | int | float) -> float:
    """A number in a table."""
    found = section.tables[table]
    return float(str(found.rows[found.index(**where)][column]))


def words(section: Section) -> str:
    """All prose of a section as one text."""
    return written(section, section.paragraphs())


def discussion(section: Section) -> str:
    """The prose of a section's last part."""
    return written(section, (b for b in section.parts[-1].blocks if isinstance(b, Prose)))


def written(section: Section, paragraphs: Iterable[Prose]) -> str:
    """Paragraphs as a reader sees them, but for references."""
    text = ""
    for paragraph in paragraphs:
        for piece in paragraph.pieces():
            if isinstance(piece, str):
                text += piece
            elif isinstance(piece, Number):
                text += shown(piece.value, piece.format)
            elif isinstance(piece, Cell):
                table = section.tables[piece.table]
                found = table.rows[piece.row][piece.column]
                assert isinstance(found, int | float)
                text += shown(found, table.column(piece.column).format)
        text += "\n"
    return text


def shown(number: float, specification: str) -> str:
    return format(number, ".3f" if specification == "p" else specification)


def test_the_basic_autoencoder_is_the_training_of_q1() -> None:
    q1 = AutoencoderSettings()
    trials = DenoisingExperiment().trials(DenoisingSettings(), 3, {"autoencoder": q1})
    assert trials[0] in AutoencoderExperiment().trials(q1, 3, {})
    assert trials[0].params["latent_dim"] == 32
    other = AutoencoderSettings(latent_dims=(8,), epochs=7)
    trials = DenoisingExperiment().trials(DenoisingSettings(), 3, {"autoencoder": other})
    assert trials[0] == basic_trial(other, 32, 3)
    assert trials[0].params["epochs"] == 7


def test_the_denoising_training_is_one_of_its_own() -> None:
    settings = DenoisingSettings(noise_sd=0.3, latent_dim=16)
    _, own = DenoisingExperiment().trials(settings, 0, {"autoencoder": AutoencoderSettings()})
    assert (own.params["noise_sd"], own.params["latent_dim"]) == (0.3, 16)


def test_the_baselines_are_fitted_to_the_images_and_the_noise_of_the_autoencoder() -> None:
    settings = DenoisingSettings(noise_sd=0.3, latent_dim=16, training_images=99)
    others = {"autoencoder": AutoencoderSettings()}
    (trial,) = DenoisingExperiment().baselines(settings, 4, others)
    _, own = DenoisingExperiment().trials(settings, 4, others)
    assert trial.seed == own.seed
    assert set(trial.params.items()) <= set(own.params.items())
    assert {"noise_sd", "latent_dim", "validation_images", "training_images"} == set(trial.params)


def test_the_methods_are_compared_on_the_same_noisy_images(dataset: Dataset) -> None:
    section = chapter(dataset, BAD, GOOD)
    table = section.tables["denoising_mse"]
    assert [row["method"] for row in table.rows] == list(METHODS)
    assert {NOISY, MEDIAN, PROJECTION, LOW_RANK, FULL_RANK, BASIC, DENOISING} == set(METHODS)
    images = scaled(dataset.array("x_test"))
    mse = {str(row["method"]): float(str(row["test_mse"])) for row in table.rows}
    shades = {BASIC: 0.99, DENOISING: 0.25, LOW_RANK: 0.4, FULL_RANK: 0.3, PROJECTION: 0.5}
    for method, shade in shades.items():
        assert mse[method] == pytest.approx(np.square(images - shade).mean(), rel=1e-4)
    # Clipping keeps the noise's error below its variance.
    assert 0.05 < mse[NOISY] < 0.25
    assert mse[MEDIAN] < mse[NOISY]
    removed = {row["method"]: row["removed"] for row in table.rows}
    assert removed.pop(NOISY) is None
    assert removed == {name: pytest.approx(1 - mse[str(name)] / mse[NOISY]) for name in removed}


def test_every_error_stands_within_its_interval(dataset: Dataset) -> None:
    for row in chapter(dataset, BAD, GOOD).tables["denoising_mse"].rows:
        for name in ("test_mse", "psnr", "ssim"):
            low, mean, high = (float(str(row[f"{name}{end}"])) for end in ("_low", "", "_high"))
            assert low < mean < high


def test_psnr_and_ssim_are_means_over_images(dataset: Dataset) -> None:
    section, images = chapter(dataset, BAD, GOOD), scaled(dataset.array("x_test"))
    restored = np.full_like(images, 0.25)
    each = -10 * np.log10(np.square(images - restored).mean(axis=1))
    found = value(section, "denoising_mse", "psnr", method=DENOISING)
    assert found == pytest.approx(each.mean(), rel=1e-4)
    found = value(section, "denoising_mse", "ssim", method=DENOISING)
    assert found == pytest.approx(similarity(restored, images).mean(), rel=1e-3)


def test_the_bottleneck_of_every_method_is_told(dataset: Dataset) -> None:
    rows = chapter(dataset, BAD, GOOD).tables["denoising_mse"].rows
    found = {row["method"]: row["bottleneck"] for row in rows}
    assert found == {NOISY: None, MEDIAN: None, FULL_RANK: 784} | dict.fromkeys(
        (PROJECTION, LOW_RANK, BASIC, DENOISING), 32
    )


def test_numbers_lead_to_the_trials_that_they_come_from(dataset: Dataset) -> None:
    tables = chapter(dataset, (BAD, POOR), (GOOD, GOOD)).tables
    methods = dict(zip(METHODS, tables["denoising_mse"].trials, strict=True))
    assert methods[NOISY] == "median filter and linear denoisers, noise 0.5, seed 7"
    assert methods[BASIC] == "autoencoder, latent 32, seed 7; autoencoder, latent 32, seed 8"
    name = "denoising autoencoder, noise 0.5, latent 32, seed"
    assert tables["trainings"].trials[1] == f"{name} 7"
    assert tables["seeds"].trials[1] == f"autoencoder, latent 32, seed 8; {name} 8"
    for table in tables.values():
        if table.id != "hyperparameters":
            assert all(table.trials), table.id


# ------------------------------------------------------------------------------------ differences


def test_differences_are_those_of_the_comparison(dataset: Dataset) -> None:
    section = chapter(dataset, BAD, POOR)
    others = [row["other"] for row in section.tables["differences"].rows]
    assert others == [name for name in METHODS if name != DENOISING]
    for other in others:
        assert isinstance(other, str)
        own, theirs = (
            {name: value(section, "denoising_mse", name, method=method) for name in measures}
            for method, measures in (
                (DENOISING, ("test_mse", "psnr", "ssim")),
                (other, ("test_mse", "psnr", "ssim")),
            )
        )
        for name, column in (("test_mse", "mse"), ("psnr", "psnr"), ("ssim", "ssim")):
            found = value(section, "differences", f"{column}_difference", other=other)
            assert found == pytest.approx(own[name] - theirs[name], abs=1e-5)


def test_verdicts_follow_from_interval_and_p_value(dataset: Dataset) -> None:
    table = chapter(dataset, POOR, POOR).tables["differences"]
    verdicts = {row["other"]: row["verdict"] for row in table.rows}
    assert verdicts[BASIC] == "can't be told apart"
    assert verdicts[FULL_RANK] == verdicts[LOW_RANK] == "worse"
    assert verdicts[PROJECTION] == verdicts[NOISY] == "better"
    for row in table.rows:
        if row["verdict"] != "can't be told apart":
            assert float(str(row["p_value"])) < 0.05
            side = -1 if row["verdict"] == "better" else 1
            assert np.sign(float(str(row["mse_difference_low"]))) == side
            assert np.sign(float(str(row["mse_difference_high"]))) == side
            assert np.sign(float(str(row["effect_size"]))) == side


def test_the_linear_denoisers_are_told_as_they_come_out(dataset: Dataset) -> None:
    text = words(chapter(dataset, BAD, GOOD, linear=baselines(dataset, 0.3, 0.35)))
    assert "has a smaller error than the best linear denoiser of the same rank 32" in text
    assert "and a smaller error than the best linear denoiser of full rank" in text
    assert "Even without a bottleneck a linear map does not reach" in text
    text = words(chapter(dataset, BAD, POOR, linear=baselines(dataset, 0.5, 0.3)))
    assert "but a larger error than the best linear denoiser of full rank" in text
    assert (
        "once its rank is not limited: it passes on up to 784 numbers, the autoencoder 32" in text
    )
    text = words(chapter(dataset, BAD, POOR, linear=baselines(dataset, 0.3, 0.45)))
    assert "has a larger error than the best linear denoiser of the same rank 32" in text
    assert "but an error that can't be told apart from that of the best" in text


def test_methods_without_training_are_compared_as_well(dataset: Dataset) -> None:
    text = words(chapter(dataset, BAD, GOOD))
    assert "a smaller error than the median filter (" in text
    text = words(chapter(dataset, GOOD, BAD))
    assert "a larger error than the median filter (" in text


def test_it_is_told_which_method_is_best_by_each_measure(dataset: Dataset) -> None:
    text = words(chapter(dataset, BAD, POOR))
    assert "By MSE, PSNR and SSIM alike, the full-rank linear denoiser is best." in text
    text = words(chapter(dataset, POOR, POOR, linear=baselines(dataset, 0.9, 0.9)))
    assert "by MSE and PSNR, the median filter is best; by SSIM, the basic autoencoder" in text
    text = words(chapter(dataset, GOOD, GOOD))
    assert "alike, the basic autoencoder is best, from which the denoising autoencoder" in text
    text = words(chapter(dataset, BAD, GOOD, linear=baselines(dataset, 0.9, 0.25)))
    assert "the full-rank linear denoiser is best, from which the denoising autoencoder" in text
    assert "By MSE, PSNR and SSIM alike, the denoising autoencoder is best." in words(
        chapter(dataset, BAD, GOOD)
    )


# ----------------------------------------------------------------------------------------- levels


def test_noise_grows_with_its_level_and_is_the_same_each_time(dataset: Dataset) -> None:
    pixels = dataset.array("x_test")
    errors = errors_by_level({}, pixels, [0.0, 0.1, 0.2])
    again = errors_by_level({}, pixels, [0.2])
    assert np.array_equal(errors[0.2][NOISY], again[0.2][NOISY])
    assert (errors[0.0][NOISY] == 0).all()
    # A tenth of a quarter's brightness is rarely clipped.
    assert errors[0.1][NOISY].mean() == pytest.approx(0.01, rel=0.05)


def test_the_grid_shows_what_the_numbers_are_about(dataset: Dataset) -> None:
    drawing = chapter(dataset, BAD, GOOD).figures["denoised"].drawing
    assert isinstance(drawing, Images)
    rows = (NOISY, LOW_RANK, FULL_RANK, BASIC, DENOISING, "ground truth")
    assert drawing.row_labels == rows
    assert drawing.column_labels == tuple("0123456789")
    clean = dataset.array("x_test")[:10].reshape(10, 28, 28)
    assert np.array_equal(drawing.pixels[-1], clean)
    shown = scaled(drawing.pixels[0].reshape(10, 784))
    errors = errors_by_level({}, dataset.array("x_test"), [0.5])[0.5][NOISY][:10]
    np.testing.assert_allclose(
        np.square(shown - scaled(clean.reshape(10, 784))).mean(1), errors, rtol=0.01
    )


def test_the_best_method_is_named_by_the_numbers(dataset: Dataset) -> None:
    best = "restores the digits best of these three"
    assert f"the denoising one {best}" in words(chapter(dataset, BAD, GOOD))
    assert f"the basic one {best}" in words(chapter(dataset, GOOD, BAD))
    assert "neither autoencoder improves" in words(chapter(dataset, BAD, BAD))
    assert "which of the two autoencoders restores the digits better can't be told" in words(
        chapter(dataset, GOOD, GOOD)
    )


def test_harm_is_called_harm(dataset: Dataset) -> None:
    assert "The basic autoencoder does harm" in words(chapter(dataset, BAD, GOOD))
    assert "The basic autoencoder, though not trained" in words(chapter(dataset, GOOD, BAD))


def test_the_level_at_which_denoising_stops_being_better_is_told(dataset: Dataset) -> None:
    text = words(chapter(dataset, BAD, POOR))
    assert (
        "as noise gets weaker, the denoising autoencoder stops being better than the noisy input "
        "left alone between 0.5 and 0.1 (at 0.1 it is worse). It is better than the basic "
        "autoencoder at all of these levels, and stops being so at none." in text
    )
    text = words(chapter(dataset, GOOD, POOR))
    assert "It is at none of these levels shown to be better than the basic autoencoder." in text


def test_strong_noise_may_be_too_strong(dataset: Dataset) -> None:
    text = words(chapter(dataset, POOR, result(0.25, seduced=20.0)))
    assert (
        "As noise gets stronger, it stops being better than the basic autoencoder between 0.1 and "
        "0.5 (at 0.5 it is worse)" in text
    )


def test_where_nothing_can_be_told_levels_are_not_called_worse(dataset: Dataset) -> None:
    text = words(chapter(dataset, POOR, POOR))
    assert "It is at none of these levels shown to be better than the basic autoencoder." in text


def test_differences_by_level_begin_without_noise(dataset: Dataset) -> None:
    section = chapter(dataset, BAD, GOOD)
    rows = section.tables["level_differences"].rows
    assert [row["noise_sd"] for row in rows] == [0, 0.1, 0.5, 0.8]
    for level in (0.1, 0.5, 0.8):
        for other, column in ((NOISY, "noisy"), (BASIC, "basic"), (FULL_RANK, "full_rank")):
            own = value(section, "noise_levels", "denoising_mse", noise_sd=level)
            theirs = value(section, "noise_levels", f"{column}_mse", noise_sd=level)
            found = value(section, "level_differences", f"{column}_difference", noise_sd=level)
            assert found == pytest.approx(own - theirs, abs=1e-6), other


def test_the_noise_of_the_training_has_the_same_error_in_both_tables(dataset: Dataset) -> None:
    section = chapter(dataset, BAD, GOOD)
    names = {NOISY: "noisy", BASIC: "basic", DENOISING: "denoising", LOW_RANK: "low_rank"}
    for method, column in names.items():
        found = value(section, "noise_levels", f"{column}_mse", noise_sd=0.5)
        assert found == value(section, "denoising_mse", "test_mse", method=method)


def test_every_level_has_a_row_whatever_the_noise_of_the_training(dataset: Dataset) -> None:
    table = chapter(dataset, BAD, GOOD, levels=(0.7, 0.2)).tables["noise_levels"]
    assert [row["noise_sd"] for row in table.rows] == [0.2, 0.7]


def test_the_price_of_denoising_is_told_if_there_is_one(dataset: Dataset) -> None:
    assert "Denoising has a price" in words(chapter(dataset, GOOD, POOR))
    assert "Denoising has a price" not in words(chapter(dataset, POOR, GOOD))


def test_dead_units_of_either_model_are_told(dataset: Dataset) -> None:
    assert "Neither model has a dead unit" in words(chapter(dataset, BAD, GOOD))
    text = words(chapter(dataset, BAD, result(0.25, dead=2)))
    assert "0 in the basic autoencoder and 2 in the denoising one" in text


# ------------------------------------------------------------------------------------------ digits


def test_errors_are_parted_by_digit(dataset: Dataset) -> None:
    section, images = chapter(dataset, BAD, GOOD), scaled(dataset.array("x_test"))
    for digit in range(10):
        here = dataset.array("y_test") == digit
        assert value(section, "by_digit", "images", digit=digit) == here.sum()
        expected = np.square(images[here] - 0.25).mean()
        found = value(section, "by_digit", "denoising_mse", digit=digit)
        assert found == pytest.approx(expected, rel=1e-4)
        found = value(section, "by_digit", "basic_difference", digit=digit)
        assert found == pytest.approx(expected - np.square(images[here] - 0.99).mean(), rel=1e-4)


def test_it_is_told_for_which_digits_denoising_is_better(larger: Dataset) -> None:
    assert "better than the basic one for every digit." in words(chapter(larger, BAD, GOOD))
    assert "better than the basic one for no digit." in words(chapter(larger, GOOD, BAD))
    text = words(chapter(larger, BAD, GOOD))
    assert "Compared with the full-rank linear denoiser it is better for every digit." in text
    text = words(chapter(larger, BAD, POOR))
    assert "Compared with the full-rank linear denoiser it is worse for every digit." in text
    text = words(chapter(larger, BAD, POOR, linear=baselines(larger, full_rank=0.45)))
    assert "From the full-rank linear denoiser it can be told apart for no digit." in text


def test_two_images_of_a_digit_tell_nothing_of_it_by_themselves(dataset: Dataset) -> None:
    section = chapter(dataset, result(0.3), GOOD)
    clear = [value(section, "by_digit", "basic_p", digit=digit) < 0.05 for digit in range(10)]
    assert all(
        value(section, "by_digit", "basic_difference_high", digit=digit) < 0 for digit in range(10)
    )
    assert not all(clear)
    assert "better than the basic one for every digit." not in words(section)


def test_a_few_images_of_few_digits_are_enough(tmp_path: Path) -> None:
    for count in (1, 2, 3):
        folder = tmp_path / str(count)
        folder.mkdir()
        for part, images in (("train", 50), ("test", count)):
            np.save(folder / f"x_{part}.npy", np.full((images, 784), 60, np.uint8))
            np.save(folder / f"y_{part}.npy", np.arange(images, dtype=np.uint8) % 2 + 3)
        few = Dataset(DataSummary("mnist", "images", "sample", "generated", "0"), folder)
        section = chapter(few, BAD, GOOD)
        digits = [row["digit"] for row in section.tables["by_digit"].rows]
        assert digits == ([3] if count == 1 else [3, 4])
        verdict = section.claims[0].verdict
        assert verdict is (Verdict.CANT_TELL if count == 1 else Verdict.SUPPORTED)
        assert section.tables["differences"].rows[0]["p_value"] is None or count > 1


def test_images_without_any_ink_have_no_psnr(tmp_path: Path) -> None:
    for part, images in (("train", 50), ("test", 12)):
        np.save(tmp_path / f"x_{part}.npy", np.zeros((images, 784), np.uint8))
        np.save(tmp_path / f"y_{part}.npy", np.arange(images, dtype=np.uint8) % 10)
    black = Dataset(DataSummary("mnist", "images", "sample", "generated", "0"), tmp_path)
    section = chapter(black, BAD, GOOD, linear=baselines(black, 0.2, 0.0))
    row = section.tables["denoising_mse"].rows[METHODS.index(FULL_RANK)]
    assert (row["test_mse"], row["psnr"], row["psnr_low"]) == (0, None, None)
    table = section.tables["differences"]
    assert table.rows[table.index(other=FULL_RANK)]["psnr_difference"] is None


# ------------------------------------------------------------------------------- seeds and claims

STATEMENT = (
    "The denoising autoencoder significantly outperforms the basic one on noisy inputs (MSE)."
)


def test_the_claim_of_the_assignment_is_judged(dataset: Dataset) -> None:
    cases = {Verdict.SUPPORTED: (BAD, GOOD), Verdict.NOT_SUPPORTED: (GOOD, BAD)}
    cases[Verdict.CANT_TELL] = (GOOD, GOOD)
    for verdict, (basic, denoising) in cases.items():
        (claim,) = chapter(dataset, basic, denoising).claims
        assert (claim.statement, claim.verdict) == (STATEMENT, verdict)


def test_the_claim_says_its_rule(dataset: Dataset) -> None:
    text = told_by_claim(chapter(dataset, BAD, POOR))
    assert "Supported if the interval lies below 0 and p is below 0.05; not supported" in text
    _, text = verdict_over_seeds(dataset, {(0.6, 0.3): 2})
    assert "below 0.05, and the difference is below 0 with every seed; not supported" in text


def test_the_claim_says_how_linear_denoisers_do(dataset: Dataset) -> None:
    section = chapter(dataset, BAD, POOR, linear=baselines(dataset, 0.5, 0.3))
    text = section.claims[0].evidence.text
    assert "has a smaller error than the best linear denoiser of its rank, {low_rank}, and" in text
    assert "and a larger error than the best one of full rank, {full_rank}." in text


def test_one_seed_says_what_it_does_not_cover(dataset: Dataset) -> None:
    section = chapter(dataset, BAD, GOOD)
    assert "How much they would differ is not covered here" in words(section)
    assert "seeds" not in section.tables
    assert not any(c.name.endswith("_sd") for c in section.tables["denoising_mse"].columns)


def test_several_seeds_are_told_beside_the_intervals(dataset: Dataset) -> None:
    section = chapter(dataset, (BAD, POOR, POOR), (GOOD, GOOD, result(0.3)))
    images = scaled(dataset.array("x_test"))
    errors = [np.square(images - shade).mean() for shade in (0.25, 0.25, 0.3)]
    mean = value(section, "denoising_mse", "test_mse_mean", method=DENOISING)
    deviation = value(section, "denoising_mse", "test_mse_sd", method=DENOISING)
    assert mean == pytest.approx(np.mean(errors), rel=1e-4)
    assert deviation == pytest.approx(np.std(errors, ddof=1), rel=1e-3)
    # The interval stays that of the first seed's model.
    assert value(section, "denoising_mse", "test_mse_high", method=DENOISING) < mean
    rows = section.tables["denoising_mse"].rows
    assert rows[METHODS.index(NOISY)]["test_mse_mean"] is None
    assert [row["seed"] for row in section.tables["seeds"].rows] == [7, 8, 9]
    found = value(section, "seeds", "denoising_mse", seed=9)
    assert found == pytest.approx(errors[2], rel=1e-4)
    assert "With fewer than 6 seeds" not in told_by_claim(section)
    text = words(section)
    assert "Over 3 seeds, test MSE is" in text
    assert "With fewer than 6 seeds no test over seeds could give a p-value below 0.05" in text
    assert "Every model was trained 3 times" in text


def verdict_over_seeds(
    dataset: Dataset, pairs: Mapping[tuple[float, float], int]
) -> tuple[Verdict, str]:
    """The claim's verdict and evidence for so many seeds each of (basic, denoising) shades."""
    shades = [pair for pair, times in pairs.items() for _ in range(times)]
    basic, denoising = ([result(pair[place]) for pair in shades] for place in (0, 1))
    section = chapter(dataset, basic, denoising)
    return section.claims[0].verdict, told_by_claim(section)


def told_by_claim(section: Section) -> str:
    """Evidence and rule of the claim, each a paragraph."""
    (claim,) = section.claims
    assert claim.rule is not None
    assert "upported if" not in claim.evidence.text
    return f"{claim.evidence.text}\n{claim.rule.text}"


def test_every_seed_must_agree_with_the_claim(dataset: Dataset) -> None:
    better, worse = (0.6, 0.3), (0.3, 0.6)
    assert verdict_over_seeds(dataset, {better: 3})[0] is Verdict.SUPPORTED
    assert verdict_over_seeds(dataset, {better: 2, worse: 1})[0] is Verdict.CANT_TELL
    assert verdict_over_seeds(dataset, {worse: 3})[0] is Verdict.NOT_SUPPORTED
    text = words(chapter(dataset, (BAD, POOR), (POOR, BAD)))
    assert "That is the first seed: over all seeds it is not so clear." in text
    assert "That is the first seed" not in words(chapter(dataset, (BAD, BAD), (POOR, POOR)))


def test_from_six_seeds_on_the_sign_flip_test_decides_as_well(dataset: Dataset) -> None:
    better, worse = (0.6, 0.3), (0.3, 0.6)
    verdict, text = verdict_over_seeds(dataset, {better: 6})
    assert verdict is Verdict.SUPPORTED
    assert "and the sign-flip test over seeds gives p below 0.05 as well" in text
    assert "over seeds, the denoising autoencoder is better" in text
    assert verdict_over_seeds(dataset, {worse: 6})[0] is Verdict.NOT_SUPPORTED
    assert verdict_over_seeds(dataset, {better: 4, worse: 2})[0] is Verdict.CANT_TELL
    # One seed that differs a little does not turn the test, which is on the mean.
    assert verdict_over_seeds(dataset, {better: 7, (0.3, 0.31): 1})[0] is Verdict.SUPPORTED


def test_findings_come_with_their_tests(dataset: Dataset) -> None:
    findings = {f.id: f.sentence for f in chapter(dataset, BAD, GOOD).findings}
    assert list(findings) == ["methods", "linear", "levels"]
    for sentence in findings.values():
        assert not re.search(r"\bp\b|p-value|adjusted|d_z", sentence.text), sentence.text
    assert findings["methods"].text.count("95 % interval from") == 1
    assert findings["linear"].text.count("95 % interval from") == 2  # one for each denoiser


def test_the_tests_behind_the_findings_stand_in_the_discussion(dataset: Dataset) -> None:
    text = discussion(chapter(dataset, BAD, POOR))
    assert re.search(r"of the test images \(d_z [+-][\d.]+, adjusted p 0.000\)", text)
    assert re.search(r"the autoencoder 32 \(d_z [+-][\d.]+, adjusted p 0.000\)\.", text)


def test_the_discussion_says_nothing_that_a_finding_says(dataset: Dataset) -> None:
    for models in ((BAD, GOOD), (GOOD, BAD), ((BAD, POOR), (GOOD, GOOD))):
        section = chapter(dataset, *models)
        for one in section.findings:
            assert one.sentence not in section.parts[-1].blocks


def test_what_ssim_says_stands_beside_what_mse_says_of_a_linear_map(dataset: Dataset) -> None:
    section = chapter(dataset, BAD, POOR, linear=baselines(dataset, 0.5, 0.3))
    own, theirs = (
        value(section, "denoising_mse", "ssim", method=method) for method in (DENOISING, FULL_RANK)
    )
    text = discussion(section)
    assert "By MSE, a linear map restores these digits better" in text
    verdict = "better" if own > theirs else "worse"
    assert (
        f"By SSIM the autoencoder is {verdict}, {own:.3f} against {theirs:.3f} (difference" in text
    )


def test_the_chapter_stands_alone_but_does_not_tell_again_what_q1_tells(dataset: Dataset) -> None:
    text = words(chapter(dataset, BAD, GOOD))
    for needed in ("binary cross-entropy", "Adam", "warm-up", "28 × 28", "model of the last epoch"):
        assert needed in text
    assert "Efficient BackProp" not in text
    assert "chapter on it" not in text  # there may be none
    assert "its own chapter" not in text


def test_a_quick_chapter_says_what_it_is(dataset: Dataset) -> None:
    assert "figures of the quick preset" in words(chapter(dataset, BAD, GOOD, preset="quick"))


@pytest.mark.parametrize("levels", [(), (0.1, 0.1)])
def test_no_noise_level_or_one_twice_is_refused(levels: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="noise_levels"):
        DenoisingSettings(noise_levels=levels)


@REAL
def test_noisy_mnist_digits_have_their_known_error(tmp_path: Path) -> None:
    options = DataOptions("real", Path(os.environ["REPORTGEN_TEST_DATA"]), tmp_path)
    mnist = DenoisingExperiment().source.prepare(options)
    errors = errors_by_level({}, mnist.array("x_test"), [0.5])
    assert errors[0.5][NOISY].mean() == pytest.approx(0.1156, abs=1e-4)
