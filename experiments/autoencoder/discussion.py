"""What follows from Q1's numbers: the discussion, the findings, and the verdicts on two claims."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from experiments.autoencoder import times
from experiments.autoencoder.exhibits import Exhibits
from experiments.autoencoder.trainings import MEASURES, SIGNIFICANT, Step, rule
from experiments.dense_experiment import about_quick
from experiments.uncertainty import about_seeds
from experiments.wording import course, joined, listing
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
)

Item = Prose | Table | Figure


def discussion(evidence: Evidence[Any], exhibits: Exhibits) -> list[Item]:
    """The paragraphs of the discussion, the weightiest first."""
    paragraphs: list[Item] = [
        _about_error(exhibits),
        *_about_steps(exhibits),
        *_about_spread(exhibits),
        _about_projection(exhibits),
        _about_floor(exhibits),
        _about_convergence(exhibits),
        _about_dead_units(exhibits),
        _about_time(exhibits),
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
        *(Finding("steps", sentence) for sentence in _about_steps(exhibits, MEASURES[:1])),
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
        ),
        Claim(
            "time",
            "Training time increases with the latent dimension.",
            _time_evidence(exhibits),
            time_verdict(exhibits.time_steps),
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
    told_apart, filling = rule(len(exhibits.trainings.seeds))
    return prose(
        f"{text}. The claim is supported if every step is better by both errors, and not "
        f"supported if one is worse by either. {told_apart}",
        **places,
        **filling,
    )


def _time_evidence(exhibits: Exhibits) -> Prose:
    if len(exhibits.dims) == 1:
        return prose(ALONE)
    if not exhibits.time_steps:
        return prose("Only first epochs were timed, and these also compile.")
    cell, parts, places = exhibits.times.cell, [], dict[str, Value]()
    for i, step in enumerate(exhibits.time_steps):
        parts.append(f"{{ratio{i}}} times from {{smaller{i}}} to {{larger{i}}} (p-value {{p{i}}})")
        places |= {
            f"ratio{i}": cell("ratio", latent_dim=step.larger),
            f"smaller{i}": cell("latent_dim", latent_dim=step.smaller),
            f"larger{i}": cell("latent_dim", latent_dim=step.larger),
            f"p{i}": cell("p_value", latent_dim=step.larger),
        }
    return prose(
        f"The processor time of the median epoch changes to {joined(parts)} (Mann and Whitney's "
        "test over all epochs but the first, of all seeds; Holm-adjusted). The claim is supported "
        "if every step takes longer, and not supported if one is shorter. "
        f"{times.RULE}",
        level=Number(SIGNIFICANT, ".2f", "level of significance"),
        **places,
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
        return prose(f"Test MSE is {text} latent dimensions, the only ones trained.", **values)
    direction = course(_values(table, "test_mse"))
    if direction == "varies":
        return prose(
            "Test MSE does not fall at every step to a larger latent dimension: it is "
            f"{text} latent dimensions.",
            **values,
        )
    return prose(
        f"Test MSE {direction} at every step to a larger latent dimension, from {{low}} at "
        "{low_dim} to {high} at {high_dim}.",
        **_ends(table, "test_mse"),
    )


def _about_steps(exhibits: Exhibits, measures: Sequence[str] = MEASURES) -> list[Prose]:
    """Which neighbours can be told apart; nothing to say of one latent dimension alone."""
    if exhibits.neighbours is None:
        return []
    text, places = _steps(exhibits, exhibits.neighbours, measures)
    steps = exhibits.comparisons.steps
    if not exhibits.several_seeds:
        text += ". Each was trained once, so what another seed would change is not covered"
    elif all(contrast.agreed for step in steps for contrast in (step.mse, step.bce)):
        text += ". The signs of all differences are the same with each of {count} seeds"
        places["count"] = _seed_count(exhibits)
    else:
        text += ". Not all differences have the same sign with every seed"
    return [prose(f"{text}.", **places)]


def _seed_count(exhibits: Exhibits) -> Number:
    return Number(len(exhibits.trainings.seeds), "d", "number of seeds")


def _steps(
    exhibits: Exhibits, table: Table, measures: Sequence[str]
) -> tuple[str, dict[str, Value]]:
    """Each step with its verdict, and its difference in these errors."""
    parts, places = [], dict[str, Value]()
    known: list[tuple[float, Value]] = []
    for i, step in enumerate(exhibits.comparisons.steps):
        for name in ("larger", "smaller"):
            places[f"{name}{i}"] = table.cell(name, larger=step.larger)
        numbers = []
        for measure in measures:
            change = f"{measure}_change"
            for end in ("", "_low", "_high"):
                places[f"{change}{end}{i}"] = table.cell(f"{change}{end}", larger=step.larger)
            numbers.append(
                f"{measure.upper()} {{{change}{i}}} [{{{change}_low{i}}}, {{{change}_high{i}}}]"
            )
            p_value = table.rows[i][f"{measure}_p"]
            if p_value is not None:
                cell = table.cell(f"{measure}_p", larger=step.larger)
                known.append((float(str(p_value)), cell))
        parts.append(f"{_told(step, i)} ({', '.join(numbers)})")
    text = f"On the same test images, {'; '.join(parts)}"
    if known:
        places["p"] = max(known, key=lambda found: found[0])[1]
        text += "; the largest p-value of the paired tests, Holm-adjusted, is {p}"
    return text, places


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
    text = f"The autoencoder's test MSE {joined(groups)}: "
    parts = []
    for i, dim in enumerate(dict.fromkeys((exhibits.dims[0], exhibits.dims[-1]))):
        parts.append(f"{{own{i}}} against {{pca{i}}} at {{dim{i}}}")
        places[f"own{i}"] = exhibits.comparison.cell("test_mse", latent_dim=dim)
        places[f"pca{i}"] = exhibits.comparison.cell("pca_mse", latent_dim=dim)
        places[f"dim{i}"] = exhibits.comparison.cell("latent_dim", latent_dim=dim)
    table = exhibits.baselines
    known = [row for row in table.rows if row["mse_p"] is not None]
    tested = ""
    if known:
        largest = max(known, key=lambda row: float(str(row["mse_p"])))
        places["p"] = table.cell("mse_p", components=largest["components"])
        tested = " (largest p-value of the paired tests, Holm-adjusted: {p})"
    return prose(f"{text}{joined(parts)}{tested}.", **places)


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
    else:
        least_sure = max(exhibits.time_steps, key=lambda step: step.p_value)
        text += " (largest p-value of Mann and Whitney's test on epochs, Holm-adjusted: {p})"
        values["p"] = exhibits.times.cell("p_value", latent_dim=least_sure.larger)
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
    reason = ""
    if 1 < seconds.value < parameters.value:
        reason = (
            ", since part of the work, such as the loss of every pixel, is the same for every "
            "bottleneck"
        )
    return [
        prose(
            f"Wall time {verdict}: in seconds, it is {text} latent dimensions. {{parameters}} "
            f"times the parameters take {{seconds}} times the processor time{reason}.",
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
