"""The chapter on the basic autoencoder, from made-up results."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats

from experiments.autoencoder import AutoencoderExperiment, AutoencoderSettings
from experiments.baselines.images import reconstruct
from experiments.data.mnist import MnistSource
from reportgen.experiment import (
    Array,
    Checkpoint,
    DataOptions,
    Dataset,
    Evidence,
    Progress,
    TrialResult,
)
from reportgen.render.text import formatted
from reportgen.results import Cell, DataSummary, Images, Lines, Number, Prose, Section, Verdict

DIMS = (4, 8, 16)
FALLING, RISING = (0.03, 0.02, 0.01), (0.1, 0.2, 0.3)
PCA = 0.05
"""The MSE of PCA at every latent dimension, unless told otherwise."""
FLOOR = 0.02
IMAGES = 40
EPOCHS = 12

Make = Callable[..., TrialResult]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Generated images; the test images' labels count backwards from 9."""
    return generated(tmp_path_factory.mktemp("images"), IMAGES)


def generated(folder: Path, test_images: int) -> Dataset:
    chance = np.random.default_rng(0)
    for part, count in (("train", 200), ("test", test_images)):
        drawn = chance.integers(0, 256, (count, 784)) * (chance.random((count, 784)) < 0.2)
        np.save(folder / f"x_{part}.npy", drawn.astype(np.uint8))
        np.save(folder / f"y_{part}.npy", (9 - np.arange(count) % 10).astype(np.uint8))
    return Dataset(DataSummary("mnist", "images", "sample", "generated", "0"), folder)


def result(
    latent_dim: int,
    mse: float,
    seconds: float,
    *,
    dead: int = 0,
    val_loss: Sequence[float] = (),
    noise: float = 0.0,
    images: int = IMAGES,
    epochs: int = EPOCHS,
) -> TrialResult:
    """What a training might have left: test errors around a mean, epochs around a time.

    ``noise`` is added to each image's error, other noise at each latent dimension; the mean stays.
    """
    chance = np.random.default_rng(latent_dim)
    errors = mse + np.linspace(-0.001, 0.001, images)
    if noise:
        drawn = chance.normal(0, noise, images)
        errors += drawn - drawn.mean()
    parameters = 784 * latent_dim
    layers = [
        {"name": "image", "kind": "Input", "units": 784, "activation": None, "parameters": 0},
        {
            "name": "encoder",
            "kind": "Dense",
            "units": latent_dim,
            "activation": "relu",
            "parameters": parameters + latent_dim,
        },
        {
            "name": "decoder",
            "kind": "Dense",
            "units": 784,
            "activation": "sigmoid",
            "parameters": parameters + 784,
        },
    ]
    losses = np.linspace(0.3, 0.1, epochs)
    later = [seconds * (1 + 0.01 * ((7 * epoch) % 5 - 2)) for epoch in range(epochs - 1)]
    return TrialResult(
        {
            "loss": losses.tolist(),
            "val_loss": list(val_loss or losses + 0.01),
            "wall_seconds": [9 * seconds, *later],
            "cpu_seconds": [8 * seconds, *later],
        },
        {
            "layers": layers,
            "parameters": 2 * parameters + latent_dim + 784,
            "training_images": 160,
            "validation_images": 40,
            "dead_units": dead,
            "threads": 1,
            "xla": True,
        },
        {
            "encoder_kernel": chance.normal(size=(784, latent_dim)).astype(np.float32),
            "encoder_bias": np.zeros(latent_dim, np.float32),
            "decoder_kernel": chance.normal(size=(latent_dim, 784)).astype(np.float32),
            "decoder_bias": np.zeros(784, np.float32),
            "test_bce": (3 * errors).astype(np.float32),
            "test_mse": errors.astype(np.float32),
        },
    )


def baseline(pca: Mapping[int, float], images: int = IMAGES) -> TrialResult:
    """What the baselines' trial might have left."""
    spread = np.linspace(-0.002, 0.002, images)
    arrays: dict[str, Array] = {"mse_mean": 0.07 + spread, "bce_mean": 0.3 + spread}
    for dim, mse in pca.items():
        arrays |= {f"mse_pca_{dim}": mse + spread, f"bce_pca_{dim}": 4 * mse + spread}
    scalars = {"explained_variance": [0.5 + 0.001 * dim for dim in pca], "entropy_floor": FLOOR}
    return TrialResult({}, scalars, {name: a.astype(np.float32) for name, a in arrays.items()})


def chapter(
    dataset: Dataset,
    *of_seeds: Mapping[int, TrialResult],
    preset: str = "",
    pca: Mapping[int, float] | None = None,
    images: int = IMAGES,
) -> Section:
    """The chapter on these results, one mapping by latent dimension for each seed."""
    experiment = AutoencoderExperiment()
    settings = AutoencoderSettings(latent_dims=tuple(of_seeds[0]))
    results = {
        trial: of_seed[trial.params["latent_dim"]]
        for seed, of_seed in enumerate(of_seeds)
        for trial in experiment.trials(settings, seed, {})
    }
    (baselines,) = experiment.baselines(settings, 0, {})
    dims = baselines.params["latent_dims"]
    results[baselines] = baseline(pca or dict.fromkeys(dims, PCA), images)
    seeds = tuple(range(len(of_seeds)))
    return experiment.section(Evidence(settings, preset, seeds, dataset, results))


def of_seed(
    mse: Sequence[float] = FALLING, seconds: Sequence[float] = RISING, **more: Any
) -> dict[int, TrialResult]:
    """The results of one seed for these errors and times at DIMS."""
    return {d: result(d, m, s, **more) for d, m, s in zip(DIMS, mse, seconds, strict=True)}


def told(
    dataset: Dataset, mse: Sequence[float] = FALLING, seconds: Sequence[float] = RISING
) -> str:
    """The chapter's prose for these errors and times at DIMS."""
    return words(chapter(dataset, of_seed(mse, seconds)))


def verdict(section: Section, claim: str) -> Verdict:
    """The verdict on a claim."""
    return next(one.verdict for one in section.claims if one.id == claim)


def finding(section: Section, id: str) -> str:
    """A finding's sentence."""
    return next(written(one.sentence, section) for one in section.findings if one.id == id)


def discussion(section: Section) -> str:
    """The prose of the last part of a section."""
    blocks = section.parts[-1].blocks
    return "\n".join(written(block, section) for block in blocks if isinstance(block, Prose))


def words(section: Section) -> str:
    """All prose of a section as one text."""
    return "\n".join(written(paragraph, section) for paragraph in section.paragraphs())


def written(paragraph: Prose, section: Section) -> str:
    text = ""
    for piece in paragraph.pieces():
        if isinstance(piece, str):
            text += piece
        elif isinstance(piece, Number):
            text += formatted(piece.value, piece.format)
        elif isinstance(piece, Cell):
            table = section.tables[piece.table]
            text += formatted(
                table.rows[piece.row][piece.column], table.column(piece.column).format
            )
    return text


def test_every_latent_dimension_is_one_training() -> None:
    trials = AutoencoderExperiment().trials(AutoencoderSettings(latent_dims=(32, 8)), 5, {})
    assert [trial.params["latent_dim"] for trial in trials] == [8, 32]
    assert all(trial.params["noise_sd"] == 0 and trial.seed == 5 for trial in trials)


@pytest.mark.parametrize("dims", [(), (16, 16)])
def test_no_latent_dimension_or_one_twice_is_refused(dims: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="latent_dims"):
        AutoencoderSettings(latent_dims=dims)


def test_the_comparison_holds_the_means_and_the_median_epoch(dataset: Dataset) -> None:
    section = chapter(dataset, {8: result(8, 0.02, 0.5, dead=3), 4: result(4, 0.03, 0.4)})
    table = section.tables["latent_comparison"]
    assert [row["latent_dim"] for row in table.rows] == [4, 8]
    row = table.rows[1]
    assert row["parameters"] == 2 * 784 * 8 + 8 + 784
    assert row["test_mse"] == pytest.approx(0.02, rel=1e-5)
    assert row["test_bce"] == pytest.approx(0.06, rel=1e-5)
    assert (row["seconds_per_epoch"], row["cpu_seconds_per_epoch"]) == (0.5, 0.5)
    assert row["dead_units"] == 3


def test_all_models_reconstruct_the_same_ten_digits(dataset: Dataset) -> None:
    section = chapter(dataset, {d: result(d, 0.01, 0.1) for d in DIMS})
    drawing = section.figures["reconstructions"].drawing
    assert isinstance(drawing, Images)
    assert drawing.row_labels == ("original", "latent 4", "latent 8", "latent 16")
    assert drawing.column_labels == tuple("0123456789")
    first_of_each = dataset.array("x_test")[9::-1].reshape(10, 28, 28)
    assert np.array_equal(drawing.pixels[0], first_of_each)


def test_the_error_is_said_to_fall_only_where_it_does(dataset: Dataset) -> None:
    error = "The mean squared error (MSE) on the test images"
    assert f"{error} falls at every step" in told(dataset)
    assert f"{error} rises at every step" in told(dataset, mse=FALLING[::-1])
    mixed = told(dataset, mse=(0.03, 0.01, 0.02))
    assert f"{error} does not fall at every step" in mixed
    assert "0.03000, 0.01000 and 0.02000 at 4, 8 and 16 latent dimensions" in mixed


def test_the_time_is_said_to_rise_only_where_it_does(dataset: Dataset) -> None:
    text = told(dataset)
    assert "The processor time of an epoch rises at every step" in text
    assert "(Mann and Whitney's test on epochs, largest adjusted p < 0.001)" in text
    assert "Wall time rises at every step as well" in text
    mixed = told(dataset, seconds=(0.1, 0.3, 0.2))
    assert "The processor time of an epoch does not rise at every step" in mixed
    assert "in seconds, it is 0.100, 0.300 and 0.200 at 4, 8 and 16 latent dimensions" in mixed
    assert "Wall time does not rise at every step either" in mixed


def test_times_are_said_to_be_those_of_a_gpu_only_where_there_was_one(dataset: Dataset) -> None:
    assert "compiled with XLA, on 1 processor thread each." in told(dataset)
    gpu = {"gpu": "NVIDIA A100"}
    results = {
        d: dataclasses.replace(r, scalars={**r.scalars, **gpu}) for d, r in of_seed().items()
    }
    on_gpu = words(chapter(dataset, results))
    assert "compiled with XLA, on a GPU and 1 processor thread each." in on_gpu
    assert "nor what the GPU did." in on_gpu


def test_pca_is_beaten_only_where_the_numbers_say_so(dataset: Dataset) -> None:
    assert "below that of PCA at every latent dimension" in told(dataset)
    assert "is above that of PCA at every latent dimension" in told(dataset, mse=(0.9, 0.8, 0.7))
    some = told(dataset, mse=(0.9, 0.01, 0.005))
    assert "is below that of PCA at 8 and 16 and is above that of PCA at 4" in some
    noisy = words(chapter(dataset, of_seed((PCA, 0.02, 0.01), noise=0.001)))
    assert "below that of PCA at 8 and 16 and can't be told from that of PCA at 4" in noisy


def test_dead_units_are_named_where_there_are_any(dataset: Dataset) -> None:
    assert "No unit of any bottleneck is dead" in told(dataset)
    text = words(chapter(dataset, {4: result(4, 0.02, 0.1), 8: result(8, 0.01, 0.2, dead=3)}))
    assert "3 at 8" in text


def test_overfitting_is_told_from_the_epoch_of_the_lowest_validation_loss(
    dataset: Dataset,
) -> None:
    assert "none has begun to overfit" in told(dataset)
    turned = result(8, 0.01, 0.2, val_loss=(0.3, 0.2, *[0.25] * (EPOCHS - 2)))
    text = words(chapter(dataset, {4: result(4, 0.02, 0.1), 8: turned}))
    assert "lowest before the last epoch at 8: in epoch 2" in text
    assert "none has begun" not in text


def test_one_latent_dimension_alone_makes_a_chapter(dataset: Dataset) -> None:
    text = words(chapter(dataset, {8: result(8, 0.01, 0.2)}))
    assert "every step" not in text


def test_only_the_quick_preset_is_said_to_be_quick(dataset: Dataset) -> None:
    results = {8: result(8, 0.01, 0.2)}
    assert "quick preset" in words(chapter(dataset, results, preset="quick"))
    assert "quick preset" not in words(chapter(dataset, results, preset="standard"))


# ------------------------------------------------------------------------- intervals and seeds


def test_the_baseline_is_one_trial_on_the_images_that_the_first_seed_fits() -> None:
    experiment = AutoencoderExperiment()
    settings = AutoencoderSettings(latent_dims=(32, 8), training_images=7)
    (trial,) = experiment.baselines(settings, 5, {})
    (training, *_) = experiment.trials(settings, 5, {})
    assert (trial.trainer, trial.seed) == ("experiments.baselines.images:reconstruct", 5)
    assert trial.params["latent_dims"] == [8, 32]
    for name in ("training_images", "validation_images"):
        assert trial.params[name] == training.params[name]


@pytest.mark.skipif(
    "REPORTGEN_TEST_DATA" not in os.environ, reason="REPORTGEN_TEST_DATA names no folder of data"
)
def test_the_baseline_has_the_known_errors_of_pca_on_mnist(tmp_path: Path) -> None:
    class Context:
        threads = 1

        def progress(self, progress: Progress) -> None:
            pass

        def load_checkpoint(self) -> Checkpoint | None:
            return None

        def save_checkpoint(self, checkpoint: Checkpoint) -> None:
            raise AssertionError("a baseline has no epochs, and so no checkpoint to save")

    options = DataOptions("real", Path(os.environ["REPORTGEN_TEST_DATA"]), tmp_path)
    (trial,) = AutoencoderExperiment().baselines(AutoencoderSettings(), 0, {})
    found = reconstruct(trial.params, 0, MnistSource().prepare(options), Context())
    known = {16: 0.02538, 32: 0.01521, 64: 0.00775, 128: 0.00340}
    means = {dim: float(found.arrays[f"mse_pca_{dim}"].mean()) for dim in known}
    assert means == pytest.approx(known, abs=2e-5)


def test_seeds_are_a_setting_of_the_experiment_and_no_parameter_of_a_training() -> None:
    (trial, *_) = AutoencoderExperiment().trials(AutoencoderSettings(seeds=4), 0, {})
    assert AutoencoderSettings().seeds == 0
    assert "seeds" not in trial.params


def test_errors_have_the_bootstrap_interval_of_their_mean(dataset: Dataset) -> None:
    trained = of_seed(noise=0.002)
    section = chapter(dataset, trained)
    row = section.tables["latent_comparison"].rows[1]
    for measure in ("mse", "bce"):
        errors = trained[8].arrays[f"test_{measure}"].astype(float)
        known = scipy.stats.bootstrap(
            (errors,), np.mean, n_resamples=20_000, rng=np.random.default_rng(0)
        ).confidence_interval
        assert row[f"test_{measure}_low"] == pytest.approx(known.low, abs=0.06 * errors.std())
        assert row[f"test_{measure}_high"] == pytest.approx(known.high, abs=0.06 * errors.std())


def test_the_bce_is_also_told_above_its_floor(dataset: Dataset) -> None:
    section = chapter(dataset, of_seed())
    row = section.tables["latent_comparison"].rows[2]
    assert row["bce_above_floor"] == pytest.approx(3 * 0.01 - FLOOR, rel=1e-4)
    assert "Of the test BCE of 0.0300 at 16, 0.0200 would remain" in words(section)


def test_the_baselines_table_has_pca_and_the_mean_image(dataset: Dataset) -> None:
    section = chapter(dataset, of_seed(), pca={4: 0.04, 8: 0.03, 16: 0.02})
    mean, *pca = section.tables["baselines"].rows
    assert (mean["components"], mean["explained"], mean["method"]) == (0, 0.0, "mean image")
    assert {row["method"] for row in pca} == {"PCA"}
    assert mean["mse"] == pytest.approx(0.07, rel=1e-4)
    assert mean["mse_change"] is None
    assert [row["components"] for row in pca] == [4, 8, 16]
    assert [row["mse"] for row in pca] == pytest.approx([0.04, 0.03, 0.02], rel=1e-4)
    assert [row["mse_change"] for row in pca] == pytest.approx([-0.01] * 3, rel=1e-3)
    compared = section.tables["latent_comparison"].rows
    assert [row["pca_mse"] for row in compared] == [row["mse"] for row in pca]


def test_one_seed_gives_no_spread_and_says_so(dataset: Dataset) -> None:
    section = chapter(dataset, of_seed())
    names = {column.name for column in section.tables["latent_comparison"].columns}
    assert not {"test_mse_mean", "test_mse_sd"} & names
    assert not {"neighbours_over_seeds", "trainings"} & set(section.tables)
    assert "Each was trained once" in finding(section, "steps")
    assert "How much they would differ is not covered here" in words(section)


def test_several_seeds_give_mean_and_deviation_beside_the_first_seeds_interval(
    dataset: Dataset,
) -> None:
    seeds = [of_seed((0.03, second, 0.01), noise=0.0005) for second in (0.020, 0.021, 0.022)]
    section = chapter(dataset, *seeds)
    row = section.tables["latent_comparison"].rows[1]
    assert row["test_mse"] == pytest.approx(0.020, rel=1e-4)
    assert float(str(row["test_mse_low"])) < 0.020 < float(str(row["test_mse_high"])) < 0.0205
    assert row["test_mse_mean"] == pytest.approx(0.021, rel=1e-4)
    assert row["test_mse_sd"] == pytest.approx(0.001, rel=1e-3)
    assert row["test_bce_mean"] == pytest.approx(0.063, rel=1e-4)
    assert row["test_bce_sd"] == pytest.approx(0.003, rel=1e-3)
    assert (
        "Over 3 seeds, the standard deviation of the mean test MSE is at most 0.00100"
        in finding(section, "seeds").replace("0.001000", "0.00100")
    )


def test_several_seeds_are_listed_training_by_training(dataset: Dataset) -> None:
    section = chapter(dataset, of_seed(), of_seed() | {8: result(8, 0.025, 0.2, dead=2)})
    rows = section.tables["trainings"].rows
    assert [(row["latent_dim"], row["seed"]) for row in rows] == [
        (dim, seed) for dim in DIMS for seed in (0, 1)
    ]
    assert rows[3]["test_mse"] == pytest.approx(0.025, rel=1e-4)
    assert "2 at 8 with seed 1" in words(section)


def test_loss_curves_of_several_seeds_lie_in_bands(dataset: Dataset) -> None:
    other = of_seed(val_loss=[0.5] * EPOCHS)
    drawing = chapter(dataset, of_seed(), other).figures["loss"].drawing
    assert isinstance(drawing, Lines)
    training, validation = drawing.panels[0].series
    assert training.low == training.high == training.y
    assert (validation.low, validation.high) == (validation.y, (0.5,) * EPOCHS)
    alone = chapter(dataset, of_seed()).figures["loss"].drawing
    assert isinstance(alone, Lines)
    assert not alone.panels[0].series[0].low


def test_every_table_of_numbers_names_the_trials_that_they_come_from(dataset: Dataset) -> None:
    section = chapter(dataset, of_seed(), of_seed())
    without = {id for id, table in section.tables.items() if not any(table.trials)}
    assert without == {"hyperparameters"}
    origin = section.tables["latent_comparison"].trials[1]
    assert origin == (
        "autoencoder, latent 8, seed 0; autoencoder, latent 8, seed 1; PCA and mean image, seed 0"
    )


# ------------------------------------------------------------------------------------ neighbours


def test_neighbours_have_the_paired_difference_and_its_test(dataset: Dataset) -> None:
    trained = of_seed((0.0300, 0.0297, 0.0295), noise=0.001)
    table = chapter(dataset, trained).tables["neighbours"]
    assert [(row["larger"], row["smaller"]) for row in table.rows] == [(8, 4), (16, 8)]
    raw = {}
    for measure in ("mse", "bce"):
        for smaller, larger in ((4, 8), (8, 16)):
            first, second = (
                trained[dim].arrays[f"test_{measure}"].astype(float) for dim in (larger, smaller)
            )
            raw[measure, larger] = scipy.stats.ttest_rel(first, second).pvalue
            row = table.rows[table.index(larger=larger)]
            change = first - second
            assert row[f"{measure}_change"] == pytest.approx(change.mean(), rel=1e-6)
            effect = change.mean() / change.std(ddof=1)
            assert row[f"{measure}_effect"] == pytest.approx(effect, rel=1e-6)
    ranked = sorted(raw, key=lambda key: raw[key])
    smallest, largest = ranked[0], ranked[-1]
    for (measure, larger), factor in ((smallest, 4), (largest, 1)):
        adjusted = table.rows[table.index(larger=larger)][f"{measure}_p"]
        assert adjusted == pytest.approx(min(1, factor * raw[measure, larger]), rel=1e-4) or (
            factor == 1 and float(str(adjusted)) >= raw[measure, larger]
        )


def test_neighbours_that_differ_by_less_than_noise_cant_be_told_apart(dataset: Dataset) -> None:
    section = chapter(dataset, of_seed((0.03, 0.02, 0.0199), noise=0.002))
    assert [row["verdict"] for row in section.tables["neighbours"].rows] == [
        "better",
        "can't be told apart",
    ]
    sentence = finding(section, "steps")
    assert "8 is better than 4; " in sentence
    assert "16 and 8 can't be told apart (MSE −0.00010, 95 % interval from −0.0" in sentence


def test_two_errors_that_disagree_are_told_one_by_one(dataset: Dataset) -> None:
    trained = of_seed()
    arrays = dict(trained[16].arrays) | {"test_bce": trained[8].arrays["test_bce"] + 1}
    trained[16] = dataclasses.replace(trained[16], arrays=arrays)
    section = chapter(dataset, trained)
    assert section.tables["neighbours"].rows[1]["verdict"] == "MSE: better; BCE: worse"
    assert "16 is better than 8 by MSE, and is worse than it by BCE" in words(section)
    assert verdict(section, "quality") is Verdict.NOT_SUPPORTED


def test_seeds_that_disagree_leave_a_step_open(dataset: Dataset) -> None:
    section = chapter(dataset, of_seed(), of_seed((0.03, 0.02, 0.021)))
    assert section.tables["neighbours"].rows[1]["verdict"] == "can't be told apart"
    row = section.tables["neighbours_over_seeds"].rows[1]
    assert (row["mse_lower"], row["bce_lower"]) == (1, 1)
    assert row["mse_change_mean"] == pytest.approx((-0.01 + 0.001) / 2, rel=1e-3)
    assert "mse_p" not in row
    assert "Not all differences have the same sign" in finding(section, "steps")
    assert verdict(section, "quality") is Verdict.CANT_TELL


def test_six_seeds_are_tested_too(dataset: Dataset) -> None:
    seeds = [of_seed((0.03, 0.02, 0.01 + 0.0001 * seed)) for seed in range(6)]
    section = chapter(dataset, *seeds)
    row = section.tables["neighbours_over_seeds"].rows[1]
    assert row["mse_p"] == pytest.approx(2 / 2**6)
    assert verdict(section, "quality") is Verdict.SUPPORTED
    assert "with 6 seeds they can't be below 0.031 anyway" in words(section)


# ----------------------------------------------------------------------------------------- claims


@pytest.mark.parametrize(
    ("mse", "noise", "expected"),
    [
        (FALLING, 0.0, Verdict.SUPPORTED),
        ((0.03, 0.01, 0.02), 0.0, Verdict.NOT_SUPPORTED),
        ((0.03, 0.02, 0.0199), 0.002, Verdict.CANT_TELL),
    ],
)
def test_the_claim_on_quality_is_judged_by_every_step(
    dataset: Dataset, mse: Sequence[float], noise: float, expected: Verdict
) -> None:
    section = chapter(dataset, of_seed(mse, noise=noise))
    assert verdict(section, "quality") is expected
    claim = next(c for c in section.claims if c.id == "quality")
    assert claim.rule is not None
    assert "Supported if every step is better by both errors" in written(claim.rule, section)
    evidence = written(claim.evidence, section)
    assert "upported if" not in evidence
    assert ("every step is better" in evidence) == (expected is Verdict.SUPPORTED)
    assert "largest adjusted p" in evidence


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (RISING, Verdict.SUPPORTED),
        ((0.1, 0.3, 0.2), Verdict.NOT_SUPPORTED),
        ((0.1, 0.2, 0.2001), Verdict.CANT_TELL),
    ],
)
def test_the_claim_on_time_is_judged_by_every_step(
    dataset: Dataset, seconds: Sequence[float], expected: Verdict
) -> None:
    section = chapter(dataset, of_seed(seconds=seconds))
    assert verdict(section, "time") is expected
    claim = next(c for c in section.claims if c.id == "time")
    assert claim.rule is not None
    assert "Mann and Whitney's test" in written(claim.rule, section)
    assert f"{seconds[1] / seconds[0]:.2f} times as long at 8 as at 4 (p < 0.001)" in written(
        claim.evidence, section
    )


def test_seeds_that_disagree_on_time_leave_the_claim_open(dataset: Dataset) -> None:
    slow = [of_seed(seconds=(0.1, 0.2, 0.3))] * 4
    section = chapter(dataset, *slow, of_seed(seconds=(0.1, 0.2, 0.19)))
    assert verdict(section, "time") is Verdict.CANT_TELL


# -------------------------------------------------------------------------- findings, discussion


def test_findings_have_a_number_with_its_interval_and_leave_tests_to_the_chapter(
    dataset: Dataset,
) -> None:
    section = chapter(dataset, of_seed(noise=0.0005))
    for id in ("error", "steps", "projection", "time"):
        sentence = finding(section, id)
        assert sentence.count("95 % interval from") == 1, sentence
        assert not re.search(r"\bp\b|p-value|adjusted|d_z", sentence), sentence
    text = discussion(section)
    assert re.search(r"the paired tests; of all .* the largest adjusted p < 0.001", text)
    assert "(paired tests on the test images, largest adjusted p < 0.001)" in text


def test_the_finding_on_steps_tells_the_smallest_difference(dataset: Dataset) -> None:
    text = finding(chapter(dataset, of_seed((0.03, 0.02, 0.018), noise=0.0005)), "steps")
    assert "every step is better; the smallest difference is that from 8 to 16 (MSE −0.002" in text


def test_the_discussion_says_nothing_that_a_finding_says(dataset: Dataset) -> None:
    for seeds in ([of_seed()], [of_seed(), of_seed()]):
        section = chapter(dataset, *seeds)
        text = discussion(section)
        for one in section.findings:
            assert written(one.sentence, section) not in text


def test_steps_are_told_in_proportion(dataset: Dataset) -> None:
    text = discussion(chapter(dataset, of_seed((0.04, 0.02, 0.012))))
    assert "The differences get smaller from step to step" in text
    assert "a step leaves 50% at 8 and 60% at 16" in text
    assert "get smaller" not in discussion(chapter(dataset, of_seed((0.04, 0.03, 0.01))))


def test_the_gain_on_pca_is_explained_only_where_there_is_one(dataset: Dataset) -> None:
    text = discussion(chapter(dataset, of_seed()))
    assert "What the autoencoder gains on it, 40% at 4 and 80% at 16, is owed to" in text
    assert "gains on it" not in discussion(chapter(dataset, of_seed((0.9, 0.8, 0.7))))


def test_the_spread_over_seeds_is_told_beside_the_closest_neighbours(dataset: Dataset) -> None:
    seeds = [of_seed((0.03, second, 0.01)) for second in (0.019, 0.020, 0.021)]
    text = discussion(chapter(dataset, *seeds))
    assert "by 10.0 times the largest standard deviation over seeds" in text


# --------------------------------------------------------------------------------------- too little


def test_one_latent_dimension_alone_leaves_both_claims_open(dataset: Dataset) -> None:
    section = chapter(dataset, {8: result(8, 0.01, 0.2)}, {8: result(8, 0.011, 0.2)})
    assert {claim.verdict for claim in section.claims} == {Verdict.CANT_TELL}
    assert not {"neighbours", "neighbours_over_seeds"} & set(section.tables)
    assert "Over 2 seeds, the standard deviation" in finding(section, "seeds")


@pytest.mark.parametrize("epochs", [1, 2])
def test_too_few_epochs_leave_the_claim_on_time_open(dataset: Dataset, epochs: int) -> None:
    section = chapter(dataset, of_seed(epochs=epochs))
    assert verdict(section, "time") is Verdict.CANT_TELL
    assert "rises at every step" in finding(section, "time")
    assert ("time_by_latent" in section.figures) == (epochs > 1)


@pytest.mark.parametrize("images", [1, 2, 3])
def test_a_few_test_images_make_a_chapter(tmp_path: Path, images: int) -> None:
    dataset = generated(tmp_path, images)
    section = chapter(dataset, of_seed(images=images), images=images)
    assert section.tables["digits"].rows[0]["test_mse_low"] is None
    if images == 1:
        assert section.tables["neighbours"].rows[0]["mse_p"] is None
        assert verdict(section, "quality") is Verdict.CANT_TELL


def test_chapters_are_told_without_tensorflow() -> None:
    code = (
        "import sys, experiments.autoencoder, experiments.denoising;"
        "print({'tensorflow', 'keras', 'sklearn', 'matplotlib'} & set(sys.modules))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout.strip() == "set()"
