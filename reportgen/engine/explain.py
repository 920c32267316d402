"""Says why each planned trial is kept or runs, by comparing it with what the store holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from reportgen.engine import store as storage
from reportgen.engine.keys import Ingredients
from reportgen.engine.progress import duration, planned_sentence
from reportgen.engine.run import Planned
from reportgen.engine.store import Kept, Store
from reportgen.errors import StoreError
from reportgen.experiment import CPU, Dataset, Json, Trial

NEVER = "never trained before"
FRESH = "asked for by --fresh"
SHORT_LINES = 5
"""Lines that a build spends on why it trains; a handful is read, more is skipped."""
SHORT_REASONS = 3
"""Reasons that stand in one such line."""

SettingValues = Mapping[str, Mapping[str, Json]]
"""For each experiment the settings that may decide its trials: values by dotted name."""


class Status(Enum):
    """What happens to a trial: its value is the sign under which it is listed."""

    KEPT = "✓"
    RUN = "▸"
    CONTINUES = "↻"
    DAMAGED = "!"


@dataclass(frozen=True)
class Explanation:
    """What happens to a trial, and why, in words for the user.

    ``seconds`` is what the same training with other seed, code or libraries took on the same
    device; None if there was none.
    """

    trial: Trial
    status: Status
    reasons: tuple[str, ...] = ()
    seconds: float | None = None


def explain(
    planned: Sequence[Planned],
    store: Store,
    settings: SettingValues,
    needed_by: Mapping[Trial, Sequence[str]],
    *,
    fresh: bool = False,
) -> list[Explanation]:
    """Why each planned trial is kept or runs, in the order of the plan.

    Reads the store, writes nothing and takes no lock. ``needed_by`` names the experiments that
    use a trial. With ``fresh`` all trials run, whatever is kept.
    """
    if not fresh and all(p.stored is not None for p in planned):
        return [Explanation(p.trial, Status.KEPT) for p in planned]
    kept = [_Compared(entry, _leaves(entry.ingredients)) for entry in store.kept()]
    wanted = {p.trial: _leaves(p.ingredients) for p in planned}
    found = []
    for p in planned:
        like = _Likes(
            wanted[p.trial],
            [old for old in kept if old.leaves.get(EXPERIMENT) == p.trial.experiment],
            [leaves for trial, leaves in wanted.items() if trial.experiment == p.trial.experiment],
        )
        seconds = _measured(like)
        if p.stored is not None and not fresh:
            found.append(Explanation(p.trial, Status.KEPT, (), seconds))
            continue
        own = settings.get(p.trial.experiment, {})
        status, reasons = (Status.RUN, [FRESH]) if fresh else _why(p, like, store, own)
        users = needed_by.get(p.trial, ())
        if users and p.trial.experiment not in users:
            reasons = [*reasons, f"needed by {' and '.join(users)}"]
        found.append(Explanation(p.trial, status, tuple(reasons), seconds))
    return found


def _why(
    planned: Planned, like: _Likes, store: Store, settings: Mapping[str, Json]
) -> tuple[Status, list[str]]:
    """Why a trial runs that is not kept."""
    damage = _damage(planned, store)
    if damage:
        return Status.DAMAGED, [damage]
    interrupted = storage.load_checkpoint(store.checkpoint_path(planned.key))
    if interrupted is not None:
        epoch = interrupted[0].epoch
        return Status.CONTINUES, [f"continues after epoch {epoch} of an interrupted run"]
    return Status.RUN, _differences(like, settings, planned.dataset)


def _damage(planned: Planned, store: Store) -> str:
    """What is wrong with the entry that the store has for the trial; empty if it has none."""
    try:
        store.get(planned.trial.experiment, planned.key)
    except StoreError as error:
        return str(error).removesuffix(".")
    return ""


# --------------------------------------------------------------------------------- comparing

Leaves = dict[tuple[str, str], Json]
"""Single ingredients by group and name, such as ``("params", "epochs")``."""
ABSENT: Json = object()
"""In place of an ingredient that one side does not have."""
GROUPS = ("params", "seed", "data", "device", "trainer", "code", "versions")
"""The order in which reasons are told; a group that is not listed comes last."""
EXPERIMENT = ("experiment", "")


class _Compared(NamedTuple):
    """A kept trial and its ingredients one by one."""

    entry: Kept
    leaves: Leaves


class _Likes(NamedTuple):
    """A trial's ingredients, and all of its experiment that is kept and that this build wants."""

    leaves: Leaves
    kept: Sequence[_Compared]
    wanted: Sequence[Leaves]


class Change(NamedTuple):
    """An ingredient that is another one now; ``old`` or ``new`` may be ABSENT."""

    group: str
    name: str
    old: Json
    new: Json


def _leaves(ingredients: Ingredients) -> Leaves:
    """The ingredients one by one, as they would be read from the store."""
    leaves: Leaves = {}
    for group, value in json.loads(json.dumps(dict(ingredients))).items():
        if isinstance(value, dict):
            leaves |= {(group, name): part for name, part in value.items()}
        else:
            leaves[group, ""] = value
    return leaves


def _differing(old: Leaves, new: Leaves) -> list[tuple[str, str]]:
    """The ingredients in which the two differ, those that only one of them has among them."""
    both = {**new, **old}
    return [leaf for leaf in both if old.get(leaf, ABSENT) != new.get(leaf, ABSENT)]


def _changes(old: Leaves, new: Leaves) -> list[Change]:
    """What differs, in the order in which it is told."""
    changes = [
        Change(*leaf, old.get(leaf, ABSENT), new.get(leaf, ABSENT)) for leaf in _differing(old, new)
    ]
    order = {group: place for place, group in enumerate(GROUPS)}
    return sorted(changes, key=lambda change: order.get(change.group, len(order)))


def _differences(like: _Likes, settings: Mapping[str, Json], dataset: Dataset) -> list[str]:
    """How the trial differs from the kept one that it most likely takes the place of.

    That is the closest kept trial of its experiment, by the number of differing ingredients, and
    among equally close ones the last; but no neighbour, that is one whose place in a list of the
    settings (such as its latent dimension) is another one, or to which another trial of this
    build is closer. Among neighbours alone the trial is new.
    """
    if not like.kept:
        return [NEVER]
    compared = [(old, _changes(old.leaves, like.leaves)) for old in like.kept]
    forerunners = [
        (old, changes)
        for old, changes in compared
        if not any(_list_setting(change, settings) for change in changes)
        and all(len(_differing(old.leaves, other)) >= len(changes) for other in like.wanted)
    ]
    if not forerunners:
        old, changes = min(compared, key=lambda pair: (len(pair[1]), _gap(pair[1])))
        return _novelty(changes, old.entry.label, settings)
    old, changes = min(forerunners, key=lambda pair: (len(pair[1]), -pair[0].entry.saved))
    if any(change.group == "trainer" for change in changes):  # what it is made of is another, then
        changes = [change for change in changes if change.group not in ("code", "versions")]
    modules = {name for group, name in {**old.leaves, **like.leaves} if group == "code"}
    return [_words(change, modules, settings, dataset) for change in changes]


def _gap(changes: Sequence[Change]) -> float:
    """How far apart the numbers among the parameters are."""
    pairs = [(c.old, c.new) for c in changes if c.group == "params"]
    numbers = [pair for pair in pairs if all(isinstance(value, int | float) for value in pair)]
    return float(sum(abs(old - new) for old, new in numbers))


def _novelty(changes: Sequence[Change], nearest: str, settings: Mapping[str, Json]) -> list[str]:
    """What the trial has that no kept one has."""
    listed = []
    for change in changes:
        name = _list_setting(change, settings)
        if name and change.new in settings[name]:
            listed.append(f"new: {name} has {_shown(change.new)} now")
    if listed:
        return listed
    own = [
        f"{change.name or change.group} {_shown(change.new)}"
        for change in changes
        if change.group in ("params", "seed", "trainer") and change.new is not ABSENT
    ]
    what = f"new: {', '.join(own)}" if own else "new"
    return [f"{what} (nearest kept: {nearest})"]


def _list_setting(change: Change, settings: Mapping[str, Json]) -> str:
    """The list in the settings in which the parameter's old or new value stands; empty if none.

    A parameter ``size`` belongs to a list that is called ``sizes``, unless ``size`` is a setting.
    """
    if change.group != "params" or _setting(change, settings) != change.name:
        return ""
    for name, value in settings.items():
        if name.rpartition(".")[2] == f"{change.name}s" and isinstance(value, list | tuple):
            return name if change.old in value or change.new in value else ""
    return ""


def _measured(like: _Likes) -> float | None:
    """What the same training took: the closest of its trainer, parameters, data and device."""
    alike = []
    for old in like.kept:
        differing = _differing(old.leaves, like.leaves)
        if not {"trainer", "params", "data", "device"} & {group for group, _ in differing}:
            alike.append((len(differing), -old.entry.saved, old.entry.cost.wall_seconds))
    return min(alike)[2] if alike else None


# ------------------------------------------------------------------------------------- words


def _words(
    change: Change, modules: Iterable[str], settings: Mapping[str, Json], dataset: Dataset
) -> str:
    """A change as the user would say it."""
    group, name, old, new = change
    if group == "params":
        return _arrow(_setting(change, settings), old, new)
    if group == "code":
        return f"{_file(name, modules)} {_verb(old, new)}"
    if group == "data":
        kinds = {"sample": "the embedded sample", "published": "the published data"}
        kind = kinds.get(dataset.summary.origin, "not the published data")
        if ABSENT in (old, new):
            return f"data: {name} {_verb(old, new)}"
        prints = f"fingerprint {str(old)[:8]}… → {str(new)[:8]}…"
        return f"data: {name} changed ({prints}), now {kind}"
    if group == "device":  # the processor is not named among the ingredients
        old, new = (CPU if device is ABSENT else device for device in (old, new))
    return _arrow(name or group, old, new)


def _arrow(name: str, old: Json, new: Json) -> str:
    if old is ABSENT:
        return f"{name} is new ({_shown(new)})"
    if new is ABSENT:
        return f"{name} is gone (was {_shown(old)})"
    return f"{name} {_shown(old)} → {_shown(new)}"


def _verb(old: Json, new: Json) -> str:
    if old is ABSENT:
        return "is new"
    return "is gone" if new is ABSENT else "changed"


def _shown(value: Json) -> str:
    """A value as it is written after ``--set``."""
    if isinstance(value, list):
        return ",".join(map(_shown, value))
    return value if isinstance(value, str) else json.dumps(value)


def _setting(change: Change, settings: Mapping[str, Json]) -> str:
    """The setting that a parameter has its value from, by its dotted name; else its own name."""
    for name, value in settings.items():
        if name.rpartition(".")[2] == change.name:
            plain = list(value) if isinstance(value, tuple) else value
            if change.new is ABSENT or plain == change.new:
                return name
    return change.name


def _file(module: str, modules: Iterable[str]) -> str:
    """Where the module is written; one that holds others is a folder."""
    folder = any(name.startswith(f"{module}.") for name in modules)
    return module.replace(".", "/") + ("/__init__.py" if folder else ".py")


# ------------------------------------------------------------------------------- in all


def told(explanations: Sequence[Explanation], jobs: int) -> list[str]:
    """The explanations as lines: a line for each trial, reasons under it, and the sum."""
    width = max((len(e.trial.label) for e in explanations), default=0)
    lines = []
    for e in explanations:
        fate = "kept, unchanged" if e.status is Status.KEPT else "will be trained"
        lines.append(f"{e.status.value} {e.trial.label:{width}}  {fate}")
        lines += [f"    {reason}" for reason in e.reasons]
    return [*lines, _sum(explanations, jobs)]


def _sum(explanations: Sequence[Explanation], jobs: int) -> str:
    running = [e for e in explanations if e.status is not Status.KEPT]
    kept = len(explanations) - len(running)
    if not running:
        return planned_sentence(0, kept)
    models = "1 model" if len(running) == 1 else f"{len(running)} models"
    already = f"; {kept} kept from earlier builds" if kept else ""
    seconds = foretold(explanations, jobs)
    if seconds is None:
        return f"A build would train {models}{already}."
    most = "at most " if any(e.status is Status.CONTINUES for e in running) else ""
    return f"A build would train {models} in {most}about {duration(seconds)}{already}."


def foretold(explanations: Sequence[Explanation], jobs: int) -> float | None:
    """Seconds that the trials will train, ``jobs`` at a time, longest first; None if not known.

    A trial takes as long as it did before, or its cost at the pace of other trials: those of its
    experiment, if there are any.
    """
    known = [(e.trial, e.seconds) for e in explanations if e.seconds is not None]
    free = [0.0] * jobs
    running = [e for e in explanations if e.status is not Status.KEPT]
    for e in sorted(running, key=lambda e: -e.trial.cost):
        seconds = e.seconds
        if seconds is None:
            like = [pair for pair in known if pair[0].experiment == e.trial.experiment]
            cost = sum(trial.cost for trial, _ in like or known)
            if not cost:
                return None
            seconds = e.trial.cost * sum(took for _, took in like or known) / cost
        free[free.index(min(free))] += seconds
    return max(free)


def in_short(explanations: Sequence[Explanation]) -> list[str]:
    """Why trials run though something like them was kept: a few lines, one for a set of reasons.

    Damage is left out, because a build warns of it by itself.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for e in explanations:
        if e.status in (Status.RUN, Status.CONTINUES) and not {NEVER, FRESH} & set(e.reasons):
            groups.setdefault(e.reasons, []).append(e.trial.label)
    lines = []
    for reasons, (label, *more) in groups.items():
        others = f" (and {len(more)} more)" if more else ""
        hidden = len(reasons) - SHORT_REASONS
        rest = f", and {hidden} more" if hidden > 0 else ""
        lines.append(f"{label}{others}: {', '.join(reasons[:SHORT_REASONS])}{rest}")
    if len(lines) > SHORT_LINES:
        rest_of_lines = len(lines) - SHORT_LINES + 1
        lines[SHORT_LINES - 1 :] = [f"{rest_of_lines} more: see 'reportgen build --explain'."]
    return lines
