"""What a person is told while trials run."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from reportgen.engine.progress import LiveObserver, PlainObserver, Schedule, duration
from reportgen.experiment import Progress, Trial

LONG = Trial("toy", "toy:train", {"size": 9}, 0, "the long one", cost=4)
SHORT = Trial("toy", "toy:train", {"size": 2}, 0, "the short one", cost=2)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (59.4, "59 s"), (65, "1 min 05 s"), (3600 + 600, "1 h 10 min")],
)
def test_durations_are_said_in_the_unit_that_fits(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_time_left_is_foretold_from_the_pace_after_start_up() -> None:
    clock = Clock()
    schedule = Schedule(jobs=1, clock=clock)
    schedule.plan([LONG, SHORT])
    assert schedule.left() is None
    schedule.start(LONG)
    clock.now += 50  # libraries load; this must not count
    schedule.advance(LONG, Progress(1, 10, 0.1))
    clock.now += 10
    row = schedule.advance(LONG, Progress(2, 10, 0.2))
    assert schedule.left_in(row) == pytest.approx(80)
    # The long trial takes 50 + 10 + 80 seconds for a cost of 4; the short one has half its cost.
    assert schedule.left() == pytest.approx(80 + 140 / 2)


def test_two_workers_share_what_is_left() -> None:
    clock = Clock()
    schedule = Schedule(jobs=2, clock=clock)
    schedule.plan([LONG, SHORT])
    schedule.start(LONG)
    schedule.advance(LONG, Progress(1, 10, 0.0))
    clock.now += 20
    schedule.advance(LONG, Progress(2, 10, 0.5))
    assert schedule.left() == pytest.approx(20)
    schedule.start(SHORT)
    schedule.end(SHORT, "done")
    schedule.end(LONG, "done")
    assert schedule.left() == 0


def test_messages_that_come_late_do_not_bring_a_finished_trial_back() -> None:
    schedule = Schedule(jobs=1)
    schedule.plan([LONG])
    schedule.end(LONG, "done")
    schedule.start(LONG)
    assert schedule.advance(LONG, Progress(1, 10, 0.1)).state == "done"
    assert schedule.left() == 0


def told(terminal: bool) -> str:
    """All that a build of two trials prints."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=80)
    observer = LiveObserver(console, 1) if terminal else PlainObserver(console, 1, verbose=True)
    with observer:
        observer.note("Reading [the] data.")
        observer.planned([LONG, SHORT], kept=1)
        observer.started(LONG)
        observer.progressed(LONG, Progress(3, 50, 0.06, {"loss": 0.1021, "wall_seconds": 1.0}))
        observer.finished(LONG, 61)
        observer.started(SHORT)
        observer.failed(SHORT, "it broke")
    return out.getvalue()


def test_plain_lines_say_each_step_without_control_codes() -> None:
    lines = told(terminal=False).splitlines()
    assert lines == [
        "Reading [the] data.",
        "Training 2 models; 1 kept from earlier builds.",
        "the long one: started",
        "the long one: epoch 3 of 50, loss 0.1021",
        "the long one: done in 1 min 01 s",
        "the short one: started",
        "the short one: failed: it broke",
    ]


def test_a_terminal_shows_a_table_of_trials() -> None:
    text = told(terminal=True)
    assert "the long one" in text
    assert "the short one failed: it broke" in text
    assert "\x1b[" in text
