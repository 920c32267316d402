"""What follows from Q1's numbers: the discussion, the findings, and the verdicts on two claims."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from experiments.autoencoder import times
from experiments.autoencoder.exhibits import Exhibits
from experiments.autoencoder.trainings import MEASURES, SIGNIFICANT, Step, rule
from experiments.dense_experiment import about_quick
from experiments.uncertainty import about_seeds
from experiments.wording import course, joined, listing, p_is
from reportgen.experiment import Evidence
from reportgen.results import (
    Claim,
    Figure,
    Finding,
    Number,
    Prose,
    Table,
    Value,
    Verdict,
    prose,
    ref,
)

Item = Prose | Table | Figure

Text = tuple[str, dict[str, Value]]
"""A piece of a sentence with places, and what fills them."""


def discussion(evidence: Evidence[Any], exhibits: Exhibits) -> list[Item]:
    """The paragraphs of the discussion, which explain the findings; the weightiest first."""
    paragraphs: list[Item] = [
        *_about_gains(exhibits),
        *_about_share_of_seeds(exhibits),
        *_about_what_is_not_linear(exhibits),
        _about_floor(exhibits),
        _about_convergence(exhibits),
        _about_dead_units(exhibits),
        *_about_growth(exhibits),
        about_seeds(exhibits.trainings.seeds),
    ]
    if evidence.preset == "quick":
        paragraphs.append(about_quick(evidence.settings.epochs, exhibits.data))
    return paragraphs


def findings(exhibits: Exhibits) -> list[Finding]:
    """What is said on the report's first page."""
    return [
        Finding("error", _about_error(exhibits)),
        *(Finding("steps", sentence) for sentence in _about_steps(exhibits)),
        *(Finding("seeds", sentence) for sentence in _about_spread(exhibits)),
        Finding("projection", _about_projection(exhibits)),
        Finding("time", _about_time(exhibits)),
    ]


def claims(exhibits: Exhibits) -> list[Claim]:
    """The two claims of the assignment that this chapter judges."""
    return [
        Claim(
            "quality",
            "Reconstruction quality improves with the latent dimension.",
            _quality_evidence(exhibits),
            quality_verdict(exhibits.comparisons.steps),
            _quality_rule(exhibits),
        ),
        Claim(
            "time",
            "Training time increases with the latent dimension.",
            _time_evidence(exhibits),
            time_verdict(exhibits.time_steps),
            _time_rule(exhibits),
        ),
    ]


# --------------------------------------------------------------------------------------- claims


def quality_verdict(steps: tuple[Step, ...]) -> Verdict:
    """Supported if every step is better by both errors, not if one is worse by either."""
    verdicts = [verdict for step in steps for verdict in step.verdicts]
    if "worse" in verdicts:
        return Verdict.NOT_SUPPORTED
    if verdicts and all(verdict == "better" for verdict in verdicts):
        return Verdict.SUPPORTED
    return Verdict.CANT_TELL


def time_verdict(steps: list[times.TimeStep]) -> Verdict:
    """Supported if the epochs take longer at every step, not if at one of them shorter."""
    courses = [step.course for step in steps]
    if "shorter" in courses:
        return Verdict.NOT_SUPPORTED
    if courses and all(course == "longer" for course in courses):
        return Verdict.SUPPORTED
    return Verdict.CANT_TELL


ALONE = "Only one latent dimension was trained, so there is nothing to compare."


def _quality_evidence(exhibits: Exhibits) -> Prose:
    if exhibits.neighbours is None:
        return prose(ALONE)
    text, places = _steps(exhibits, exhibits.neighbours, MEASURES)
    tested, p_value = _least_sure(exhibits, exhibits.neighbours)
    return prose(f"On the same test images, {text}{tested}.", **places, **p_value)


def _quality_rule(exhibits: Exhibits) -> Prose | None:
    if exhibits.neighbours is None:
        return None
    told_apart, places = rule(len(exhibits.trainings.seeds))
    return prose(
        "Supported if every step is better by both errors, not supported if one is worse by "
        f"either. {told_apart}",
        **places,
    )


def _time_evidence(exhibits: Exhibits) -> Prose:
    if len(exhibits.dims) == 1:
        return prose(ALONE)
    if not exhibits.time_steps:
        return prose("Only first epochs were timed, and these also compile.")
    cell, parts, places = exhibits.times.cell, [], dict[str, Value]()
    for i, step in enumerate(exhibits.time_steps):
        parts.append(
            f"{{ratio{i}}} times as long at {{larger{i}}} as at {{smaller{i}}} "
            f"({p_is(step.p_value)} {{p{i}}})"
        )
        places |= {
            f"ratio{i}": cell("ratio", latent_dim=step.larger),
            f"smaller{i}": cell("latent_dim", latent_dim=step.smaller),
            f"larger{i}": cell("latent_dim", latent_dim=step.larger),
            f"p{i}": cell("p_value", latent_dim=step.larger),
        }
    return prose(f"The processor time of the median epoch is {joined(parts)}.", **places)


def _time_rule(exhibits: Exhibits) -> Prose | None:
    if not exhibits.time_steps:
        return None
    return prose(
        f"Supported if every step takes longer, not supported if one is shorter. {times.RULE}",
        level=Number(SIGNIFICANT, ".2f", "level of significance"),
    )


# --------------------------------------------------------------------------------------- errors


def of_dims(exhibits: Exhibits) -> tuple[str, dict[str, Value]]:
    """The latent dimensions as they stand in a sentence."""
    return _listed(exhibits.comparison, "latent_dim", exhibits.dims, "dim")


def _listed(
    table: Table, column: str, dims: Sequence[int], name: str
) -> tuple[str, dict[str, Value]]:
    """Cells of a column at these latent dimensions as they stand in a sentence."""
    return listing(name, [table.cell(column, latent_dim=dim) for dim in dims])


def _ends(table: Table, column: str) -> dict[str, Value]:
    """The values of a column at the smallest and the largest latent dimension, and these."""
    low, high = table.rows[0]["latent_dim"], table.rows[-1]["latent_dim"]
    return {
        "low": table.cell(column, latent_dim=low),
        "high": table.cell(column, latent_dim=high),
        "low_dim": table.cell("latent_dim", latent_dim=low),
        "high_dim": table.cell("latent_dim", latent_dim=high),
    }


def _in_order(exhibits: Exhibits, table: Table, column: str) -> tuple[str, dict[str, Value]]:
    """A column and the latent dimensions as they would stand in a sentence."""
    values, places = _listed(table, column, exhibits.dims, "value")
    dims, dim_places = _listed(table, "latent_dim", exhibits.dims, "dim")
    return f"{values} at {dims}", places | dim_places


def _values(table: Table, column: str) -> tuple[float, ...]:
    """A column of numbers."""
    return tuple(float(str(row[column])) for row in table.rows)


def _about_error(exhibits: Exhibits) -> Prose:
    table = exhibits.comparison
    text, values = _in_order(exhibits, table, "test_mse")
    if len(exhibits.dims) == 1:
        return prose(
            "The mean squared error (MSE) on the test images is "
            f"{text} latent dimensions, the only ones trained.",
            **values,
        )
    direction = course(_values(table, "test_mse"))
    if direction == "varies":
        return prose(
            "The mean squared error (MSE) on the test images does not fall at every step to a "
            f"larger latent dimension: it is {text} latent dimensions.",
            **values,
        )
    interval, ends = _interval(table, "test_mse", latent_dim=exhibits.dims[-1])
    return prose(
        f"The mean squared error (MSE) on the test images {direction} at every step to a larger "
        "latent dimension, from {low} at {low_dim} to {high} at {high_dim}"
        f"{interval and f' ({interval})'}.",
        **_ends(table, "test_mse"),
        **ends,
    )


def _interval(table: Table, column: str, prefix: str = "", **where: int) -> Text:
    """The interval of a cell; nothing where there is none."""
    low, high = f"{column}_low", f"{column}_high"
    if table.rows[table.index(**where)][low] is None:
        return "", {}
    text = f"95 % interval from {{{prefix}{low}}} to {{{prefix}{high}}}"
    return text, {f"{prefix}{end}": table.cell(end, **where) for end in (low, high)}


def _about_steps(exhibits: Exhibits) -> list[Prose]:
    """Which neighbours can be told apart; nothing to say of one latent dimension alone."""
    if exhibits.neighbours is None:
        return []
    text, places = _steps(exhibits, exhibits.neighbours, MEASURES[:1])
    steps = exhibits.comparisons.steps
    if not exhibits.several_seeds:
        text += ". Each was trained once, so what another seed would change is not covered"
    elif all(contrast.agreed for step in steps for contrast in (step.mse, step.bce)):
        text += ". The signs of all differences are the same with each of {count} seeds"
        places["count"] = _seed_count(exhibits)
    else:
        text += ". Not all differences have the same sign with every seed"
    return [prose(f"On the same test images, {text}.", **places)]


def _seed_count(exhibits: Exhibits) -> Number:
    return Number(len(exhibits.trainings.seeds), "d", "number of seeds")


def _steps(exhibits: Exhibits, table: Table, measures: Sequence[str]) -> Text:
    """What the steps come to in these errors: each verdict, and the changes that matter most.

    If all are better, that is the smallest change; else it is each that is not better.
    """
    steps = exhibits.comparisons.steps
    better = all(step.verdicts == ("better", "better") for step in steps)
    if better and len(steps) > 1:
        smallest = min(steps, key=lambda step: abs(step.mse.difference_or_zero))
        changes, places = _changes(table, smallest, measures)
        places["smaller"] = table.cell("smaller", larger=smallest.larger)
        places["larger"] = table.cell("larger", larger=smallest.larger)
        text = "every step is better; the smallest difference is that from {smaller} to {larger}"
        return f"{text} ({changes})", places
    parts, filling = [], dict[str, Value]()
    for i, step in enumerate(steps):
        changes, places = _changes(table, step, measures, f"{i}_")
        for name in ("larger", "smaller"):
            filling[f"{name}{i}"] = table.cell(name, larger=step.larger)
        told = _told(step, i)
        if step.verdict != "better" or better:
            told += f" ({changes})"
            filling |= places
        parts.append(told)
    return "; ".join(parts), filling


def _changes(table: Table, step: Step, measures: Sequence[str], prefix: str = "") -> Text:
    """The change in each of these errors, with its interval: ``MSE -0.01, 95 % interval ...``."""
    parts, filling = [], dict[str, Value]()
    for measure in measures:
        change = f"{measure}_change"
        interval, places = _interval(table, change, prefix, larger=step.larger)
        parts.append(f"{measure.upper()} {{{prefix}{change}}}{interval and f', {interval}'}")
        filling |= {f"{prefix}{change}": table.cell(change, larger=step.larger), **places}
    return "; ".join(parts), filling


def _least_sure(exhibits: Exhibits, table: Table) -> Text:
    """The largest p-value of all steps and both errors; nothing where none could be tested."""
    known = [
        (contrast.p_value, table.cell(f"{measure}_p", larger=step.larger))
        for step in exhibits.comparisons.steps
        for measure, contrast in (("mse", step.mse), ("bce", step.bce))
        if contrast.difference is not None
    ]
    if not known:
        return "", {}
    p_value, cell = max(known, key=lambda found: found[0])
    return f"; of all paired tests, the largest adjusted {p_is(p_value)} {{p}}", {"p": cell}


def _about_gains(exhibits: Exhibits) -> list[Prose]:
    """What the steps are in proportion; nothing to say of one latent dimension alone."""
    table = exhibits.neighbours
    if table is None:
        return []
    mse = _values(exhibits.comparison, "test_mse")
    steps = exhibits.comparisons.steps
    parts, places = [], dict[str, Value](table=ref(table))
    for i, (step, (before, after)) in enumerate(zip(steps, pairwise(mse), strict=True)):
        parts.append(f"{{share{i}}} at {{larger{i}}}")
        origin = f"test_mse at {step.larger} / test_mse at {step.smaller}"
        trials = exhibits.trainings.origin(step.smaller, step.larger)
        places[f"share{i}"] = Number(after / before, ".0%", origin, trials)
        places[f"larger{i}"] = table.cell("larger", larger=step.larger)
    changes = [abs(after - before) for before, after in pairwise(mse)]
    text = "In proportion to the error before it, a step leaves "
    if len(changes) > 1 and course(changes) == "falls":
        text = (
            "The differences get smaller from step to step, as the errors do. In proportion to "
            "the error before it, a step leaves "
        )
    tested, p_value = _least_sure(exhibits, table)
    verdicts = f" ({{table}} has the paired tests{tested})"
    return [prose(f"{text}{joined(parts)}{verdicts}.", **places, **p_value)]


def _told(step: Step, i: int) -> str:
    """The verdict on a step as a clause."""
    larger, smaller = f"{{larger{i}}}", f"{{smaller{i}}}"
    if step.verdict == "can't be told apart":
        return f"{larger} and {smaller} can't be told apart"
    if step.mse.verdict == step.bce.verdict:
        return f"{larger} is {step.verdict} than {smaller}"
    mse, bce = (
        f"is {verdict} than" if verdict != "can't be told apart" else "can't be told apart from"
        for verdict in step.verdicts
    )
    return f"{larger} {mse} {smaller} by MSE, and {bce} it by BCE"


def _about_spread(exhibits: Exhibits) -> list[Prose]:
    """How much seeds matter beside the latent dimension; nothing to say of one seed."""
    steps, table = exhibits.neighbours_over_seeds, exhibits.comparison
    if not exhibits.several_seeds:
        return []
    widest = max(table.rows, key=lambda row: float(str(row["test_mse_sd"])))
    text = (
        "Over {count} seeds, the standard deviation of the mean test MSE is at most {sd} (at "
        "{sd_dim})"
    )
    places: dict[str, Value] = {
        "count": _seed_count(exhibits),
        "sd": table.cell("test_mse_sd", latent_dim=widest["latent_dim"]),
        "sd_dim": table.cell("latent_dim", latent_dim=widest["latent_dim"]),
    }
    if steps is not None:
        row = min(steps.rows, key=lambda row: abs(float(str(row["mse_change_mean"]))))
        text += (
            ", while the closest neighbours, {smaller} and {larger}, differ by {change} ± "
            "{change_sd}"
        )
        for place, column in (
            ("smaller", "smaller"),
            ("larger", "larger"),
            ("change", "mse_change_mean"),
            ("change_sd", "mse_change_sd"),
        ):
            places[place] = steps.cell(column, larger=row["larger"])
    return [prose(f"{text}.", **places)]


def _about_share_of_seeds(exhibits: Exhibits) -> list[Prose]:
    """The spread over seeds in proportion to the closest neighbours; nothing with one seed."""
    steps, table = exhibits.neighbours_over_seeds, exhibits.comparison
    if steps is None:
        return []
    spread = max(_values(table, "test_mse_sd"))
    change = min(map(abs, _values(steps, "mse_change_mean")))
    if not spread or not change:
        return []
    origin = "smallest |mse_change_mean| of neighbours_over_seeds / largest test_mse_sd"
    trials = exhibits.trainings.origin(*exhibits.dims, every_seed=True)
    return [
        prose(
            "The closest neighbours differ in their mean test MSE by {times} times the largest "
            "standard deviation over seeds.",
            times=Number(change / spread, ".1f", origin, trials),
        )
    ]


def _about_projection(exhibits: Exhibits) -> Prose:
    """The autoencoder against PCA, by what the paired tests tell."""
    contrasts = exhibits.comparisons.projection
    places: dict[str, Value] = {}
    groups = []
    for verdict, phrase in (
        ("better", "is below that of PCA"),
        ("worse", "is above that of PCA"),
        ("can't be told apart", "can't be told from that of PCA"),
    ):
        dims = [dim for dim, contrast in contrasts.items() if contrast.verdict == verdict]
        if len(dims) == len(contrasts):
            groups.append(f"{phrase} at every latent dimension")
        elif dims:
            names, filling = _listed(exhibits.comparison, "latent_dim", dims, verdict[0])
            groups.append(f"{phrase} at {names}")
            places |= filling
    table = exhibits.baselines
    closest = min(contrasts, key=lambda dim: abs(contrasts[dim].difference_or_zero))
    interval, ends = _interval(table, "mse_change", components=closest)
    if ends:
        interval = f"; the two are closest at {{dim}} (difference {{change}}, {interval})"
        ends |= {
            "dim": exhibits.comparison.cell("latent_dim", latent_dim=closest),
            "change": table.cell("mse_change", components=closest),
        }
    return prose(
        f"The autoencoder's test MSE {joined(groups)}{interval}.",
        **places,
        **ends,
    )


def _about_what_is_not_linear(exhibits: Exhibits) -> list[Prose]:
    """What is gained on PCA, and why it can be; nothing to say where nothing is gained."""
    contrasts = exhibits.comparisons.projection
    better = [dim for dim, contrast in contrasts.items() if contrast.verdict == "better"]
    if not better:
        return []
    table, parts, places = exhibits.comparison, [], dict[str, Value]()
    for i, dim in enumerate(dict.fromkeys((better[0], better[-1]))):
        own, pca = (
            float(str(table.rows[table.index(latent_dim=dim)][name]))
            for name in ("test_mse", "pca_mse")
        )
        parts.append(f"{{share{i}}} at {{dim{i}}}")
        trials = exhibits.trainings.origin(dim, baseline=True)
        places[f"share{i}"] = Number(1 - own / pca, ".0%", "1 - test_mse / pca_mse", trials)
        places[f"dim{i}"] = table.cell("latent_dim", latent_dim=dim)
    p_value = max(contrasts[dim].p_value for dim in better)
    least_sure = next(dim for dim in better if contrasts[dim].p_value == p_value)
    return [
        prose(
            "No linear bottleneck of the same width has a smaller squared error on the training "
            f"images than PCA. What the autoencoder gains on it, {joined(parts)}, is owed to what "
            "is not linear in it: the ReLU of the bottleneck, and the sigmoid, which keeps pixels "
            "in [0, 1] "
            f"(paired tests on the test images, largest adjusted {p_is(p_value)} {{p}}).",
            p=exhibits.baselines.cell("mse_p", components=least_sure),
            **places,
        )
    ]


def _about_floor(exhibits: Exhibits) -> Prose:
    cell, dim = exhibits.comparison.cell, exhibits.dims[-1]
    return prose(
        "Of the test BCE of {bce} at {dim}, {floor} would remain with perfect reconstructions; "
        "{above} are the autoencoder's.",
        bce=cell("test_bce", latent_dim=dim),
        dim=cell("latent_dim", latent_dim=dim),
        floor=exhibits.floor,
        above=cell("bce_above_floor", latent_dim=dim),
    )


# ------------------------------------------------------------------------------------ trainings


def _about_convergence(exhibits: Exhibits) -> Prose:
    table = exhibits.convergence
    early = [
        dim
        for dim, row in zip(exhibits.dims, table.rows, strict=True)
        if row["best_epoch"] != row["epochs"]
    ]
    values: dict[str, Value] = {}
    if not early:
        text = (
            "Validation loss is lowest after the last epoch for every model: none has begun to "
            "overfit."
        )
    else:
        epochs, values = _listed(table, "best_epoch", early, "epoch")
        names, dims = _listed(table, "latent_dim", early, "dim")
        values |= dims
        text = (
            f"Validation loss was lowest before the last epoch at {names}: in epoch {epochs}. "
            "The weights of the last epoch were tested all the same."
        )
    gap = max(table.rows, key=lambda row: float(str(row["val_loss"])) / float(str(row["loss"])))
    return prose(
        text + " At the end, validation and training loss are {gap_val} and {gap_loss} at "
        "{gap_dim}, where validation is relatively worst.",
        gap_dim=table.cell("latent_dim", latent_dim=gap["latent_dim"]),
        gap_val=table.cell("val_loss", latent_dim=gap["latent_dim"]),
        gap_loss=table.cell("loss", latent_dim=gap["latent_dim"]),
        **values,
    )


def _about_dead_units(exhibits: Exhibits) -> Prose:
    table = exhibits.each_training or exhibits.comparison
    affected = [row for row in table.rows if row["dead_units"]]
    if not affected:
        return prose(
            "No unit of any bottleneck is dead: each is above zero for at least one test image, "
            "so every model uses all of its latent dimensions."
        )
    parts, places = [], dict[str, Value]()
    for i, row in enumerate(affected):
        names = [name for name in ("latent_dim", "seed") if name in row]
        part = f"{{dead_units{i}}} at {{latent_dim{i}}}"
        parts.append(part + (f" with seed {{seed{i}}}" if "seed" in names else ""))
        for name in ("dead_units", *names):
            places[f"{name}{i}"] = table.cell(name, **{known: row[known] for known in names})
    return prose(
        f"Some units of the bottleneck are dead, that is, above zero for no test image: "
        f"{joined(parts)}. Such models use fewer latent dimensions than they have.",
        **places,
    )


# ----------------------------------------------------------------------------------------- time


def _timing(exhibits: Exhibits, clock: times.Clock) -> tuple[Table, str]:
    """Where the times of an epoch stand; with one epoch alone, where the compiling one's do."""
    if exhibits.time is not None:
        return exhibits.times, f"{clock}_seconds"
    return exhibits.comparison, f"{'cpu_' if clock == 'cpu' else ''}seconds_per_epoch"


def _about_time(exhibits: Exhibits) -> Prose:
    """The processor time of an epoch, and what the tests say to it."""
    table, column = _timing(exhibits, "cpu")
    text, values = _in_order(exhibits, table, column)
    if len(exhibits.dims) == 1:
        return prose(
            f"An epoch takes a processor time of {text} latent dimensions, in seconds.", **values
        )
    direction = course(_values(table, column))
    if direction == "varies":
        text = (
            "The processor time of an epoch does not rise at every step to a larger latent "
            f"dimension: in seconds, it is {text} latent dimensions"
        )
    else:
        text = (
            f"The processor time of an epoch {direction} at every step to a larger latent "
            "dimension, from {low} s at {low_dim} to {high} s at {high_dim}"
        )
        values = _ends(table, column)
    open_steps = [s.larger for s in exhibits.time_steps if s.course == "can't be told apart"]
    if not exhibits.time_steps:
        text += "; how sure that is can't be told from epochs that also compile"
    elif open_steps:
        names, places = _listed(table, "latent_dim", open_steps, "open")
        text += f"; {names} can't be told apart from the next smaller one"
        values |= places
    elif direction != "varies":
        interval, ends = _interval(table, column, latent_dim=exhibits.dims[-1])
        text += f" ({interval})" if interval else ""
        values |= ends
    return prose(f"{text}.", **values)


def _about_growth(exhibits: Exhibits) -> list[Prose]:
    """What the wall clock says, and how time grows; nothing to say with one latent dimension."""
    if len(exhibits.dims) == 1:
        return []
    (wall_table, wall_column), (table, column) = (_timing(exhibits, c) for c in ("wall", "cpu"))
    wall, processor = course(_values(wall_table, wall_column)), course(_values(table, column))
    if wall == "varies":
        verdict = "does not rise at every step" + (" either" if processor == "varies" else "")
    else:
        verdict = f"{wall} at every step" + (" as well" if wall == processor else "")
    text, values = _in_order(exhibits, wall_table, wall_column)
    parameters = _growth(exhibits, exhibits.comparison, "parameters")
    seconds = _growth(exhibits, table, column)
    tested = ""
    if exhibits.time_steps:
        least_sure = max(exhibits.time_steps, key=lambda step: step.p_value)
        p_value = p_is(least_sure.p_value)
        tested = f" (Mann and Whitney's test on epochs, largest adjusted {p_value} {{p}})"
        values["p"] = exhibits.times.cell("p_value", latent_dim=least_sure.larger)
    reason = ""
    if 1 < seconds.value < parameters.value:
        reason = (
            ", since part of the work, such as the loss of every pixel, is the same for every "
            "bottleneck"
        )
    return [
        prose(
            f"Wall time {verdict}: in seconds, it is {text} latent dimensions. {{parameters}} "
            f"times the parameters take {{seconds}} times the processor time{tested}{reason}.",
            parameters=parameters,
            seconds=seconds,
            **values,
        )
    ]


def _growth(exhibits: Exhibits, table: Table, column: str) -> Number:
    """How many times larger a value is at the largest latent dimension than at the smallest."""
    values, low, high = _values(table, column), exhibits.dims[0], exhibits.dims[-1]
    origin = f"{table.id}: {column} at {high} / {column} at {low}"
    trial = exhibits.trainings.origin(low, high, every_seed=True)
    return Number(values[-1] / values[0], ".1f", origin, trial)
