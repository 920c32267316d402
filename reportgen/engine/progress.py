"""Tells a person what a build is doing: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from reportgen.experiment import Progress, Trial

PLAIN_INTERVAL = 10.0
"""Seconds between two lines on the same trial when the output is not a terminal."""
OVER = ("done", "failed")
"""States after which nothing more happens to a trial."""


class Observer:
    """Hears what a build does. This one says nothing (``-q``); the others override it."""

    def __enter__(self) -> Observer:
        """Start to tell."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop telling, whatever happened."""

    def note(self, message: str) -> None:
        """Something is going on that takes time or that the user should know."""

    def warn(self, message: str) -> None:
        """Something is not as it should be, but the work goes on."""

    def at_a_time(self, trials: int) -> None:
        """So many trials can run at a time, where that is not known from the settings."""

    def explained(self, reasons: Sequence[str]) -> None:
        """Why trials will run though something like them is kept; told with the plan."""

    def planned(self, trials: Sequence[Trial], kept: int) -> None:
        """These trials will run; ``kept`` others are there already."""

    def started(self, trial: Trial) -> None:
        """A worker took up the trial; it may still load its libraries."""

    def progressed(self, trial: Trial, progress: Progress) -> None:
        """The trial got on."""

    def finished(self, trial: Trial, seconds: float) -> None:
        """The trial is done and kept; it trained for so long."""

    def failed(self, trial: Trial, message: str) -> None:
        """The trial ended with an error."""


@dataclass
class Row:
    """What is known of one trial that runs or will."""

    trial: Trial
    state: str = "waiting"
    began: float = 0.0
    first: float = 0.0
    seconds: float = 0.0
    progress: Progress | None = None
    first_fraction: float = 0.0
    told: float = 0.0


@dataclass
class Schedule:
    """Follows the trials of a build and foretells when they are done."""

    jobs: int
    clock: Callable[[], float] = time.monotonic
    rows: dict[Trial, Row] = field(default_factory=dict)

    def plan(self, trials: Sequence[Trial]) -> None:
        """Begin to follow these trials too, in the order in which they will start."""
        self.rows |= {trial: Row(trial) for trial in trials}

    def start(self, trial: Trial) -> Row:
        """Note that the trial began; again, if its first process died."""
        row = self.rows[trial]
        if row.state in OVER:  # messages come by another way than results, perhaps later
            return row
        row.state, row.began, row.progress = "starting", self.clock(), None
        return row

    def advance(self, trial: Trial, progress: Progress) -> Row:
        """Note how far the trial is."""
        row = self.rows[trial]
        if row.state in OVER:
            return row
        if row.progress is None:
            row.state, row.first, row.first_fraction = "running", self.clock(), progress.fraction
        row.progress = progress
        return row

    def end(self, trial: Trial, state: str) -> Row:
        """Note that the trial is ``done`` or ``failed``."""
        row = self.rows[trial]
        row.state, row.seconds = state, self.clock() - (row.began or self.clock())
        return row

    def left_in(self, row: Row) -> float | None:
        """Seconds until a running trial is done, by its own pace; None if not known yet."""
        if row.progress is None or row.progress.fraction <= row.first_fraction:
            return None
        # The pace since the first message, so that start-up and compilation do not count.
        pace = (self.clock() - row.first) / (row.progress.fraction - row.first_fraction)
        return max(0.0, pace * (1 - row.progress.fraction))

    def left(self) -> float | None:
        """Seconds until all trials are done, or None if nothing is known yet.

        Waiting trials are taken to run at the pace that the started ones showed for their cost,
        each on the worker that is free first.
        """
        running = [row for row in self.rows.values() if row.state in ("starting", "running")]
        known = [(row, left) for row in running if (left := self.left_in(row)) is not None]
        done = [row for row in self.rows.values() if row.state == "done"]
        seconds = sum(row.seconds for row in done)
        seconds += sum(self.clock() - row.began + left for row, left in known)
        cost = sum(row.trial.cost for row in done) + sum(row.trial.cost for row, _ in known)
        if not cost:
            return None
        pace = seconds / cost
        free = [left for _, left in known]
        free += [row.trial.cost * pace for row in running if self.left_in(row) is None]
        free += [0.0] * max(0, self.jobs - len(free))
        for row in self.rows.values():
            if row.state == "waiting":
                free.sort()
                free[0] += row.trial.cost * pace
        return max(free, default=0.0)


class PlainObserver(Observer):
    """Plain lines, for logs and pipes."""

    def __init__(self, console: Console, jobs: int, verbose: bool) -> None:
        self._console = console
        self._schedule = Schedule(jobs)
        self._interval = 0.0 if verbose else PLAIN_INTERVAL
        self._lock = threading.Lock()
        self._reasons: Sequence[str] = ()

    def note(self, message: str) -> None:
        """Print it."""
        self._print(message)

    def warn(self, message: str) -> None:
        """Print it as a warning."""
        self._print(f"Warning: {message}")

    def at_a_time(self, trials: int) -> None:
        """Foretell with it when the trials are done."""
        self._schedule.jobs = trials

    def explained(self, reasons: Sequence[str]) -> None:
        """Print them after the plan."""
        self._reasons = reasons

    def planned(self, trials: Sequence[Trial], kept: int) -> None:
        """Print how many trials run and how many are kept."""
        self._schedule.plan(trials)
        self._print(planned_sentence(len(trials), kept))
        for reason in self._reasons:
            self._print(f"  {reason}")

    def started(self, trial: Trial) -> None:
        """Print that it began."""
        with self._lock:
            self._schedule.start(trial).told = time.monotonic()
        self._print(f"{trial.label}: started")

    def progressed(self, trial: Trial, progress: Progress) -> None:
        """Print a line now and then."""
        with self._lock:
            row = self._schedule.advance(trial, progress)
            left = self._schedule.left()
            if time.monotonic() - row.told < self._interval:
                return
            row.told = time.monotonic()
        total = f", {duration(left)} left in all" if left is not None else ""
        self._print(f"{trial.label}: {progress_words(progress)}{total}")

    def finished(self, trial: Trial, seconds: float) -> None:
        """Print that it is done."""
        with self._lock:
            self._schedule.end(trial, "done")
        self._print(f"{trial.label}: done in {duration(seconds)}")

    def failed(self, trial: Trial, message: str) -> None:
        """Print why it failed."""
        with self._lock:
            self._schedule.end(trial, "failed")
        self._print(f"{trial.label}: failed: {message}")

    def _print(self, message: str) -> None:
        self._console.print(message, markup=False, highlight=False, soft_wrap=True)


class LiveObserver(Observer):
    """A table that is drawn again as trials get on, for a terminal."""

    def __init__(self, console: Console, jobs: int) -> None:
        self._console = console
        self._schedule = Schedule(jobs)
        self._lock = threading.Lock()
        self._reasons: Sequence[str] = ()
        self._live = Live(
            get_renderable=self._draw, console=console, refresh_per_second=4, transient=False
        )

    def __exit__(self, *exception: object) -> None:
        """Draw once more and leave the table standing."""
        if self._live.is_started:
            self._live.stop()

    def note(self, message: str) -> None:
        """Print it above the table."""
        self._console.print(Text(message))

    def warn(self, message: str) -> None:
        """Print it above the table, as a warning."""
        self._console.print(Text(f"Warning: {message}", style="yellow"))

    def at_a_time(self, trials: int) -> None:
        """Foretell with it when the trials are done."""
        self._schedule.jobs = trials

    def explained(self, reasons: Sequence[str]) -> None:
        """Print them after the plan."""
        self._reasons = reasons

    def planned(self, trials: Sequence[Trial], kept: int) -> None:
        """Start to draw the table."""
        self._schedule.plan(trials)
        self.note(planned_sentence(len(trials), kept))
        for reason in self._reasons:
            self.note(f"  {reason}")
        if trials:
            self._live.start()

    def started(self, trial: Trial) -> None:
        """Follow it."""
        with self._lock:
            self._schedule.start(trial)

    def progressed(self, trial: Trial, progress: Progress) -> None:
        """Follow it."""
        with self._lock:
            self._schedule.advance(trial, progress)

    def finished(self, trial: Trial, seconds: float) -> None:
        """Follow it; the table ends with the last one."""
        self._end(trial, "done")

    def failed(self, trial: Trial, message: str) -> None:
        """Print why, above the table."""
        self.warn(f"{trial.label} failed: {message}")
        self._end(trial, "failed")

    def _end(self, trial: Trial, state: str) -> None:
        with self._lock:
            self._schedule.end(trial, state)
            over = all(row.state in OVER for row in self._schedule.rows.values())
        if over and self._live.is_started:
            self._live.stop()

    def _draw(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for heading in ("", "trial", "epoch", "loss", "left"):
            table.add_column(heading, justify="left" if heading in ("", "trial") else "right")
        with self._lock:
            for row in self._schedule.rows.values():
                table.add_row(*_cells(row, self._schedule.left_in(row)))
            left = self._schedule.left()
        if left is not None and left > 0:
            table.add_row("", Text("in all", style="bold"), "", "", f"about {duration(left)}")
        return table


def _cells(row: Row, left: float | None) -> tuple[Text | str, ...]:
    signs = {
        "waiting": Text("·", style="dim"),
        "starting": Text("▸", style="cyan"),
        "running": Text("▸", style="cyan"),
        "done": Text("✓", style="green"),
        "failed": Text("✗", style="red"),
    }
    epoch = f"{row.progress.epoch}/{row.progress.epochs}" if row.progress else ""
    loss = row.progress.metrics.get("loss") if row.progress else None
    last = {
        "waiting": "waiting",
        "starting": "starting",
        "running": duration(left) if left is not None else "",
        "done": f"took {duration(row.seconds)}",
        "failed": "failed",
    }
    shown = f"{loss:.4f}" if loss is not None else ""
    return signs[row.state], Text(row.trial.label), epoch, shown, last[row.state]


def planned_sentence(running: int, kept: int) -> str:
    """What will be trained and what is there already, in a sentence."""
    if not running:
        return "Nothing to train" + (f": {kept} trained models are kept." if kept else ".")
    models = "1 model" if running == 1 else f"{running} models"
    already = f"; {kept} kept from earlier builds" if kept else ""
    return f"Training {models}{already}."


def progress_words(progress: Progress) -> str:
    """``epoch 3 of 50, loss 0.1021``."""
    metrics = "".join(
        f", {name} {value:.4f}" for name, value in progress.metrics.items() if "seconds" not in name
    )
    return f"epoch {progress.epoch} of {progress.epochs}{metrics}"


def duration(seconds: float) -> str:
    """``8 s``, ``2 min 05 s``, ``1 h 10 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
