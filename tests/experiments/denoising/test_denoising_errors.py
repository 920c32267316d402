"""The statistics of denoising methods, against one comparison at a time and known verdicts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from experiments.denoising.discussion import about_levels
from experiments.denoising.errors import (
    AT_LEVELS,
    BASIC,
    BY_CLASS,
    DENOISING,
    FULL_RANK,
    METHODS,
    NOISY,
    Comparison,
    Contrast,
    Measured,
    OverSeeds,
    outcome,
    told,
)
from reportgen.experiment import Array
from reportgen.results import Cell, Column, Number, Table
from reportgen.statistics import Difference, Interval, holm, mean_interval, paired_difference

LEVELS = (0.0, 0.2, 0.4, 0.6, 0.8)


@pytest.fixture(scope="module")
def measured() -> Measured:
    """Errors of 60 images, drawn at random: all methods but the noisy input are about equal."""
    chance = np.random.default_rng(3)

    def drawn(methods: tuple[str, ...]) -> dict[str, Array]:
        return {
            name: chance.gamma(9, 0.2 if name == NOISY else 0.1, 60).astype(np.float32)
            for name in methods
        }

    return Measured(
        mse=drawn(METHODS),
        psnr=drawn(METHODS),
        ssim=drawn(METHODS),
        levels={level: drawn((*AT_LEVELS, DENOISING)) for level in (0.0, 0.4)},
        by_seed={},
        labels=np.arange(60) % 3,
    )


@pytest.fixture(scope="module")
def comparison(measured: Measured) -> Comparison:
    return Comparison.of(measured)


def difference(low: float, high: float, p_value: float = 0.01) -> Difference:
    return Difference((low + high) / 2, Interval(low, high), 0.1, p_value)


def assert_same(found: Difference | None, expected: Difference | None) -> None:
    """Equal but for rounding, since sums of several columns are added up in another order."""
    assert found is not None
    assert expected is not None
    assert astuple(found) == pytest.approx(astuple(expected), rel=1e-9)


def astuple(found: Difference) -> tuple[float, ...]:
    assert found.effect_size is not None
    return (found.mean, *found.interval, found.effect_size, found.p_value)


# ------------------------------------------------------------------------------------- statistics


def test_means_and_their_intervals_are_those_of_each_alone(
    comparison: Comparison, measured: Measured
) -> None:
    for measure, name in (("mse", NOISY), ("psnr", BASIC), ("ssim", DENOISING)):
        values = getattr(measured, measure)[name]
        found = comparison.estimates[measure, name]  # type: ignore[index]
        assert found.value == pytest.approx(values.mean(dtype=np.float64))
        assert found.interval == pytest.approx(mean_interval(values), rel=1e-6)


def test_differences_are_those_of_each_pair_alone(
    comparison: Comparison, measured: Measured
) -> None:
    for name in METHODS[:-1]:
        for measure in ("mse", "psnr", "ssim"):
            values = getattr(measured, measure)
            expected = paired_difference(values[DENOISING], values[name])
            assert_same(getattr(comparison.against[name], measure), expected)
    at = measured.levels[0.4]
    expected = paired_difference(at[DENOISING], at[FULL_RANK])
    assert_same(comparison.levels[0.4][FULL_RANK].difference, expected)
    assert_same(comparison.harm, paired_difference(measured.mse[BASIC], measured.mse[NOISY]))


def test_p_values_are_adjusted_for_all_methods_compared(
    comparison: Comparison, measured: Measured
) -> None:
    alone = [paired_difference(measured.mse[DENOISING], measured.mse[n]) for n in METHODS[:-1]]
    adjusted = holm([found.p_value for found in alone if found])
    assert [comparison.against[name].p_value for name in METHODS[:-1]] == pytest.approx(adjusted)
    assert adjusted != [found.p_value for found in alone if found]


def test_p_values_by_level_are_adjusted_for_all_levels_and_methods(
    comparison: Comparison, measured: Measured
) -> None:
    keys = [(level, name) for level in measured.levels for name in AT_LEVELS]
    alone = [
        paired_difference(measured.levels[level][DENOISING], measured.levels[level][name])
        for level, name in keys
    ]
    adjusted = holm([found.p_value for found in alone if found])
    assert len(adjusted) == 2 * 4
    assert [comparison.levels[level][name].p_value for level, name in keys] == (
        pytest.approx(adjusted)
    )


def test_p_values_by_digit_are_adjusted_for_all_digits_and_methods(
    comparison: Comparison, measured: Measured
) -> None:
    keys = [(digit, name) for digit in range(3) for name in BY_CLASS]
    alone = [
        paired_difference(measured.mse[DENOISING][digit::3], measured.mse[name][digit::3])
        for digit, name in keys
    ]
    adjusted = holm([found.p_value for found in alone if found])
    assert len(adjusted) == 3 * 2
    assert [comparison.classes[digit].differences[name].p_value for digit, name in keys] == (
        pytest.approx(adjusted)
    )


def test_an_interval_alone_tells_nothing_where_many_are_looked_at() -> None:
    assert Contrast(difference(-2, -1), 0.06).outcome == "can't be told apart"
    assert Contrast(difference(-2, -1), 0.04).outcome == "better"
    assert Contrast(None, None).outcome == "can't be told apart"


def test_closer_is_the_share_of_smaller_errors(comparison: Comparison, measured: Measured) -> None:
    smaller = sum(measured.mse[DENOISING] < measured.mse[BASIC])
    assert comparison.against[BASIC].closer == smaller / 60


def test_a_digit_has_the_statistics_of_its_own_images(
    comparison: Comparison, measured: Measured
) -> None:
    own, basic = (measured.mse[name][1::3] for name in (DENOISING, BASIC))
    found, expected = comparison.classes[1], paired_difference(own, basic)
    assert expected is not None
    assert found.images == 20
    assert found.mse.interval == pytest.approx(mean_interval(own), rel=1e-6)
    assert_same(found.differences[BASIC].difference, expected)


def test_what_is_infinite_somewhere_has_neither_mean_nor_difference() -> None:
    fine, infinite = np.arange(5.0), np.array([1, np.inf, 2, 3, 4])
    means, found = told(
        {"fine": fine, "infinite": infinite}, {"pair": (fine, infinite), "fine": (fine, fine[::-1])}
    )
    assert (means["infinite"].value, means["infinite"].interval) == (None, None)
    assert means["fine"].value == 2
    assert found["pair"] is None
    assert found["fine"] is not None


@pytest.mark.parametrize(
    ("found", "p_value", "expected"),
    [
        (difference(-2, -1), None, "better"),
        (difference(1, 2), None, "worse"),
        (difference(-1, 2), None, "can't be told apart"),
        (difference(-2, -1), 0.049, "better"),
        (difference(-2, -1), 0.05, "can't be told apart"),
        (difference(-1, 1), 0.001, "can't be told apart"),
        (difference(0, 0), 1.0, "can't be told apart"),
        (None, None, "can't be told apart"),
    ],
)
def test_the_interval_and_the_test_must_both_tell(
    found: Difference | None, p_value: float | None, expected: str
) -> None:
    assert outcome(found, p_value) == expected


def test_the_sign_flip_test_needs_six_seeds() -> None:
    changes = (-1.0, -2.0, -3.0, -4.0, -5.0, -6.0)
    errors = {seed: {BASIC: 7.0, DENOISING: 7 + change} for seed, change in enumerate(changes)}
    found = OverSeeds.of(errors)
    assert found is not None
    assert found.p_value == pytest.approx(2 / 2**6)
    assert found.difference == pytest.approx((-3.5, np.std(changes, ddof=1)))
    few = OverSeeds.of({seed: errors[seed] for seed in range(5)})
    assert few is not None
    assert few.p_value is None
    assert OverSeeds.of({0: errors[0]}) is None


# ----------------------------------------------------------------------------------- noise levels


def sentence(basic: str, noisy: str = "0-0-0") -> str:
    """What is said if the differences to both other methods have these signs from level to level.

    ``p`` stands for a difference whose interval lies below 0, but whose p-value is too large.
    """
    ends = {"-": (-2.0, -1.0), "0": (-1.0, 1.0), "+": (1.0, 2.0), "p": (-2.0, -1.0)}

    def contrast(sign: str) -> Contrast:
        return Contrast(difference(*ends[sign]), 0.06 if sign == "p" else 0.01)

    rows = tuple({"noise_sd": level} for level in LEVELS)
    table = Table("level_differences", "", (Column("noise_sd", "Noise", format="g"),), rows)
    exhibits: Any = SimpleNamespace(
        comparison=SimpleNamespace(
            levels={
                level: {NOISY: contrast(first), BASIC: contrast(second)}
                for level, first, second in zip(LEVELS, noisy, basic, strict=True)
            }
        ),
        level_differences=table,
    )
    text = ""
    for piece in about_levels(exhibits).pieces():
        assert not isinstance(piece, Number)
        text += f"{rows[piece.row]['noise_sd']:g}" if isinstance(piece, Cell) else str(piece)
    return text


STOPS = "stops being better than the basic autoencoder between"


@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        ("+++--", f"As noise gets weaker, it {STOPS} 0.6 and 0.4 (at 0.4 it is worse)."),
        ("+0---", f"As noise gets weaker, it {STOPS} 0.4 and 0.2 (at 0.2 they can't be told"),
        ("p----", f"As noise gets weaker, it {STOPS} 0.2 and 0 (at 0 they can't be told apart)."),
        ("---++", f"As noise gets stronger, it {STOPS} 0.4 and 0.6 (at 0.6 it is worse)."),
        (
            "+-0++",
            f"it {STOPS} 0.2 and 0 (at 0 it is worse) and as noise gets stronger, it {STOPS}",
        ),
        ("-+-+-", "It is better than the basic autoencoder at 0, 0.4 and 0.8 only."),
        ("-----", "It is better than the basic autoencoder at all of these levels"),
        ("+++++", "It is at none of these levels shown to be better than the basic autoencoder."),
        ("00000", "It is at none of these levels shown to be better than the basic autoencoder."),
    ],
)
def test_it_is_told_between_which_levels_denoising_stops_being_better(
    signs: str, expected: str
) -> None:
    assert expected in sentence(signs)


@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        (
            "+++--",
            "as noise gets weaker, the denoising autoencoder stops being better than the noisy "
            "input left alone and the basic autoencoder between 0.6 and 0.4 (at 0.4 it is worse).",
        ),
        ("-----", "is better than the noisy input left alone and the basic autoencoder at all"),
        ("000+0", "shown to be better than the noisy input left alone or the basic autoencoder."),
    ],
)
def test_what_holds_for_both_methods_is_told_once(signs: str, expected: str) -> None:
    text = sentence(signs, signs)
    assert expected in text
    assert text.count(".") == text.count("0.") + 1, "one sentence"
    assert sentence(signs, "0-0-0") != text


def test_which_way_noise_changes_is_told_once_of_two_methods() -> None:
    text = sentence("+++--", "++---")
    assert text.count("noise gets weaker") == 1
    assert f". It {STOPS} 0.6 and 0.4 (at 0.4 it is worse)." in text
    assert "As noise gets weaker, it" in sentence("+++--", "---++")


def test_the_levels_compared_are_told() -> None:
    assert sentence("+++--").startswith("At noise from 0 to 0.8,")
