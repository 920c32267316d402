"""The times of Q1's epochs, against counted probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.autoencoder.times import TimeStep, median_interval, time_steps, times_table
from experiments.autoencoder.trainings import Trainings
from reportgen.experiment import Trial, TrialResult

FIRST = 100.0
"""What the first epoch takes, which also compiles."""


def trainings(*of_dims: list[list[float]]) -> Trainings:
    """Latent dimensions 2, 4, 8, ...: for each, the times of the later epochs by seed."""
    trials, results = {}, {}
    for place, of_seeds in enumerate(of_dims):
        for seed, times in enumerate(of_seeds):
            key = (2 << place, seed)
            trials[key] = Trial("autoencoder", "trainer", {}, seed, f"latent {key[0]}")
            both = {f"{clock}_seconds": [FIRST, *times] for clock in ("cpu", "wall")}
            results[key] = TrialResult(both)
    dims = tuple(dict.fromkeys(dim for dim, _ in trials))
    seeds = tuple(range(len(of_dims[0])))
    return Trainings(dims, seeds, trials, results, trials[2, 0], TrialResult({}))


def step(*of_dims: list[list[float]]) -> TimeStep:
    """The only step between two latent dimensions."""
    (found,) = time_steps(trainings(*of_dims))
    return found


@pytest.mark.parametrize(
    ("count", "depth", "share"),
    [
        # By hand, from Hettmansperger and Sheather's formula. Of 2^6 ways to lie around the median,
        # the range leaves out 2, and one step further in 14: 62/64 and 50/64 are covered. The step
        # is to be taken for (62/64 - 0.95) / (12/64) = 1/10, so by 5/10 / (1 + 4/10) of it.
        (6, 1, 5 / 14),
        # 2^9: 492/512 and 420/512, so 7/90; 7 * 7/90 / (2 + 5 * 7/90).
        (9, 2, 49 / 215),
    ],
)
def test_the_interval_of_a_median_ends_between_two_values(
    count: int, depth: int, share: float
) -> None:
    values = np.random.default_rng(0).permutation(np.arange(1.0, count + 1)).reshape(3, -1)
    interval = median_interval(values)
    assert interval == pytest.approx((depth + share, count + 1 - depth - share))
    # Values that are not evenly apart: an end lies between its own two alone.
    interval = median_interval(np.exp(values))
    low = (1 - share) * np.exp(depth) + share * np.exp(depth + 1)
    high = (1 - share) * np.exp(count + 1 - depth) + share * np.exp(count - depth)
    assert interval == pytest.approx((low, high))


def test_of_five_values_no_interval_is_sure_enough() -> None:
    # All five on one side of the median: 2 / 2^5, so that their range covers it with 93.75 %.
    assert median_interval(np.arange(5.0)) is None
    assert median_interval(np.array([])) is None
    assert median_interval(np.arange(6.0)) is not None


@pytest.mark.parametrize("count", [9, 19, 57])
@pytest.mark.parametrize("law", ["symmetric", "skewed"])
def test_the_interval_of_a_median_covers_it(law: str, count: int) -> None:
    chance = np.random.default_rng(count)
    shape = (4000, count)
    samples = chance.normal(size=shape) if law == "symmetric" else chance.exponential(size=shape)
    median = 0.0 if law == "symmetric" else np.log(2)
    found = [one for sample in samples if (one := median_interval(sample)) is not None]
    assert len(found) == 4000
    covered = np.mean([low <= median <= high for low, high in found])
    assert 0.93 <= covered <= 0.97
    assert covered == pytest.approx(0.95, abs=0.012)


def test_the_first_epoch_does_not_count() -> None:
    table = times_table(trainings([[1.0, 2.0, 3.0]]), [])
    row = table.rows[0]
    assert (row["epochs"], row["cpu_seconds"], row["wall_seconds"]) == (3, 2.0, 2.0)


def test_the_p_value_is_that_of_mann_and_whitney() -> None:
    # Six against six without overlap: two of the 924 ways to choose the six.
    found = step([[1.0, 1.1, 1.2, 1.3, 1.4, 1.5]], [[2.0, 2.1, 2.2, 2.3, 2.4, 2.5]])
    assert found.p_value == pytest.approx(2 / 924)
    assert found.ratio == pytest.approx(2.25 / 1.25)
    assert found.course == "longer"


def test_the_p_values_of_several_steps_are_adjusted() -> None:
    low = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5]
    steps = time_steps(trainings([low], [[x + 1 for x in low]], [[x + 2 for x in low]]))
    assert [one.p_value for one in steps] == pytest.approx([4 / 924, 4 / 924])


def test_shorter_epochs_are_called_shorter() -> None:
    assert step(
        [[2.0 + 0.1 * i for i in range(8)]], [[1.0 + 0.1 * i for i in range(8)]]
    ).course == ("shorter")


def test_overlapping_intervals_leave_a_step_open_whatever_the_p_value() -> None:
    first = [1.0 + 0.01 * i for i in range(20)]
    second = [x + 0.07 for x in first]
    found = step([first], [second])
    assert found.p_value < 0.05
    assert found.course == "can't be told apart"


def test_every_seed_has_to_agree() -> None:
    slow, fast, odd = (
        [2.0 + 0.01 * i for i in range(9)],
        [1.0 + 0.01 * i for i in range(9)],
        [0.9] * 9,
    )
    assert step([fast] * 4, [slow] * 4).course == "longer"
    assert step([fast] * 4, [*[slow] * 3, odd]).course == "can't be told apart"


def test_five_epochs_are_too_few_for_a_verdict() -> None:
    assert step([[1.0, 1.1, 1.2, 1.3, 1.4]], [[2.0, 2.1, 2.2, 2.3, 2.4]]).course == (
        "can't be told apart"
    )


def test_nothing_but_compiling_gives_no_steps() -> None:
    found = trainings([[]], [[]])
    assert time_steps(found) == []
    assert times_table(found, []).rows[0]["cpu_seconds"] is None
