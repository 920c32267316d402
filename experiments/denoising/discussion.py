"""What the comparison of denoising methods says: its sentences, findings and claim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from experiments.denoising.errors import (
    BASIC,
    DENOISING,
    FULL_RANK,
    LOW_RANK,
    MEDIAN,
    METHODS,
    NOISY,
    PROJECTION,
    SIGNIFICANCE,
    Comparison,
    Measure,
    Outcome,
    OverSeeds,
    outcome,
)
from experiments.denoising.exhibits import Exhibits
from experiments.wording import joined, listing, p_is
from reportgen.results import Claim, Finding, Number, Prose, Table, Value, Verdict, prose, ref
from reportgen.statistics import FEWEST_SEEDS

Text = tuple[str, dict[str, Value]]
"""A piece of a sentence with places, and what fills them."""

THAN: Mapping[Outcome, str] = {
    "better": "a smaller error than",
    "worse": "a larger error than",
    "can't be told apart": "an error that can't be told apart from that of",
}


def findings(exhibits: Exhibits) -> list[Finding]:
    """What belongs on the report's first page."""
    return [
        Finding("methods", about_methods(exhibits)),
        Finding("linear", about_linear(exhibits)),
        Finding("levels", about_levels(exhibits)),
    ]


# ------------------------------------------------------------------------- at the training's noise


def about_methods(exhibits: Exhibits) -> Prose:
    """The two autoencoders and the noisy input."""
    comparison, table = exhibits.comparison, exhibits.methods
    difference, values = _difference(exhibits, BASIC, "basic_")
    seeds = comparison.seeds
    agreed = seeds is None or of_seeds(seeds) == comparison.against[BASIC].outcome
    caveat = "" if agreed else ". That is the first seed: over all seeds it is not so clear"
    return prose(
        "With noise of standard deviation {noise}, test MSE is {noisy} for the noisy input, "
        "{basic} for the basic autoencoder and {denoising} for the denoising autoencoder: "
        f"{_best_of_three(comparison)} (denoising minus basic: {difference}){caveat}.",
        noise=exhibits.noise,
        noisy=table.cell("test_mse", method=NOISY),
        basic=table.cell("test_mse", method=BASIC),
        denoising=table.cell("test_mse", method=DENOISING),
        **values,
    )


def _best_of_three(comparison: Comparison) -> str:
    """Which has the smallest error, as far as it can be told."""
    to_noisy, to_basic = (comparison.against[name].outcome for name in (NOISY, BASIC))
    harm = outcome(comparison.harm)
    if to_noisy == to_basic == "better":
        return "the denoising one restores the digits best of these three"
    if to_basic == "worse" and harm == "better":
        return (
            "the basic one restores the digits best of these three, although it has never seen "
            "noise"
        )
    if to_noisy == "worse" and harm == "worse":
        return "neither autoencoder improves on the noisy input"
    if to_basic == "can't be told apart":
        return "which of the two autoencoders restores the digits better can't be told"
    return "which of the three is best can't be told"


def _difference(exhibits: Exhibits, other: str, prefix: str = "") -> Text:
    """The paired difference to another method, with its interval."""
    if exhibits.comparison.against[other].mse is None:
        return "no difference can be tested on so few images", {}
    columns = ("mse_difference", "mse_difference_low", "mse_difference_high")
    places, values = _cells(exhibits, other, prefix, columns)
    return "{}, 95 % interval from {} to {}".format(*places), values


def _test(exhibits: Exhibits, other: str, prefix: str = "") -> Text:
    """The effect size and the p-value of that difference, in brackets; nothing without one."""
    p_value = exhibits.comparison.against[other].p_value
    if p_value is None:
        return "", {}
    places, values = _cells(exhibits, other, prefix, ("effect_size", "p_value"))
    return f" (d_z {places[0]}, adjusted {p_is(p_value)} {places[1]})", values


def _cells(
    exhibits: Exhibits, other: str, prefix: str, columns: Sequence[str]
) -> tuple[list[str], dict[str, Value]]:
    """Places for cells of the table of differences in the row of a method, and what fills them."""
    cell = exhibits.differences.cell
    values: dict[str, Value] = {
        f"{prefix}{column}": cell(column, other=other) for column in columns
    }
    return [f"{{{name}}}" for name in values], values


def about_linear(exhibits: Exhibits) -> Prose:
    """The best linear denoisers, with the same bottleneck and without one."""
    against = exhibits.comparison.against
    to_low, to_full = (against[name].outcome for name in (LOW_RANK, FULL_RANK))
    low, low_values = _difference(exhibits, LOW_RANK, "low_")
    full, full_values = _difference(exhibits, FULL_RANK, "full_")
    link = "and" if to_low == to_full else "but"
    by_ssim = against[FULL_RANK].by("ssim")
    ssim = ""
    if by_ssim != to_full and "can't be told apart" not in (by_ssim, to_full):
        ssim = f"; by SSIM it is {by_ssim} than that one"
    return prose(
        f"By MSE, the denoising autoencoder has {THAN[to_low]} the best linear denoiser of the "
        f"same rank {{rank}} (difference {low}), {link} {THAN[to_full]} the best linear denoiser "
        f"of full rank (difference {full}){ssim}.",
        rank=exhibits.rank,
        **low_values,
        **full_values,
    )


def about_rank(exhibits: Exhibits) -> Prose:
    """What the rank of a linear denoiser has to do with it, and what SSIM says."""
    endings: dict[Outcome, str] = {
        "better": "Even without a bottleneck a linear map does not reach the denoising autoencoder",
        "worse": (
            "By MSE, a linear map restores these digits better than the denoising autoencoder "
            "does, once its rank is not limited: it passes on up to {pixels} numbers, the "
            "autoencoder {rank}"
        ),
        "can't be told apart": (
            "The best linear denoiser, which does as well by MSE, has no limit to its rank: it "
            "passes on up to {pixels} numbers, the autoencoder {rank}"
        ),
    }
    to_full = exhibits.comparison.against[FULL_RANK].outcome
    tested, values = _test(exhibits, FULL_RANK)
    if to_full != "better":
        values |= {"pixels": exhibits.pixels, "rank": exhibits.rank}
    ssim, places = _by_ssim(exhibits)
    return prose(f"{endings[to_full]}{tested}.{ssim}", **values, **places)


def _by_ssim(exhibits: Exhibits) -> Text:
    """How autoencoder and full-rank linear denoiser compare by SSIM, if that can be tested."""
    against = exhibits.comparison.against[FULL_RANK]
    if against.ssim is None:
        return "", {}
    found = against.by("ssim")
    phrase = "the two" if found == "can't be told apart" else "the autoencoder is"
    places, values = _cells(
        exhibits, FULL_RANK, "", ("ssim_difference", "ssim_difference_low", "ssim_difference_high")
    )
    interval = "difference {}, 95 % interval from {} to {}".format(*places)
    return f" By SSIM {phrase} {found}, {{ssim}} against {{ssim_full}} ({interval}).", values | {
        "ssim": exhibits.methods.cell("ssim", method=DENOISING),
        "ssim_full": exhibits.methods.cell("ssim", method=FULL_RANK),
    }


def about_simple_baselines(exhibits: Exhibits) -> Prose:
    """The baselines that were not made for this noise."""
    cell, against = exhibits.methods.cell, exhibits.comparison.against
    groups: dict[Outcome, list[str]] = {}
    for name, place in ((MEDIAN, "median"), (PROJECTION, "projection")):
        groups.setdefault(against[name].outcome, []).append(f"the {name} ({{{place}}})")
    parts = [f"{THAN[found]} {joined(names)}" for found, names in groups.items()]
    return prose(
        f"The denoising autoencoder has {joined(parts)}; {{table}} has all tests.",
        median=cell("test_mse", method=MEDIAN),
        projection=cell("test_mse", method=PROJECTION),
        table=ref(exhibits.differences),
    )


def about_images(exhibits: Exhibits) -> Prose:
    """Image by image, and what a model does that was not trained for it."""
    table = exhibits.methods
    removed = float(str(table.rows[table.index(method=BASIC)]["removed"]))
    origin = "test_mse of the basic autoencoder / test_mse of the noisy input − 1"
    change = Number(abs(removed), ".1%", origin)
    texts: dict[Outcome, str] = {
        "better": "The basic autoencoder, though not trained for it, removes {change} of the error",
        "worse": (
            "The basic autoencoder does harm: its error is {change} larger than that of the noisy "
            "input, with which it was never trained to deal"
        ),
        "can't be told apart": (
            "Whether the basic autoencoder does good or harm can't be told: its error differs from "
            "that of the noisy input by {change}"
        ),
    }
    tested, values = _test(exhibits, BASIC)
    return prose(
        "Image by image, the denoising autoencoder comes closer to the clean image than the basic "
        f"one on {{closer}} of the test images{tested}. "
        f"{texts[outcome(exhibits.comparison.harm)]}.",
        closer=exhibits.differences.cell("closer", other=BASIC),
        change=change,
        **values,
    )


def about_quality(exhibits: Exhibits) -> Prose:
    """Whether PSNR and SSIM agree with MSE about which method is best."""
    comparison = exhibits.comparison
    leaders = {"MSE": _leader(comparison, "mse"), "PSNR": _leader(comparison, "psnr")}
    leaders["SSIM"] = _leader(comparison, "ssim")
    if len(set(leaders.values())) == 1:
        return prose(f"By MSE, PSNR and SSIM alike, {leaders['MSE']}.")
    by_leader: dict[str, list[str]] = {}
    for measure, leader in leaders.items():
        by_leader.setdefault(leader, []).append(measure)
    clauses = [f"by {joined(measures)}, {leader}" for leader, measures in by_leader.items()]
    return prose(
        f"The measures do not agree: {'; '.join(clauses)}. MSE and PSNR count every pixel by "
        "itself, SSIM compares the patterns of neighbouring ones."
    )


def _leader(comparison: Comparison, measure: Measure) -> str:
    """Which method is best by a measure, and from which it can't be told apart, as a clause."""
    found = {
        name: value
        for name in METHODS
        if (value := comparison.estimates[measure, name].value) is not None
    }
    if DENOISING not in found:
        return "no method can be called best"
    best = (min if measure == "mse" else max)(found, key=lambda name: found[name])
    if best != DENOISING:
        told = comparison.against[best].by(measure) == "worse"
        tail = "" if told else f", from which the {DENOISING} can't be told apart"
        return f"the {best} is best{tail}"
    against = comparison.against.items()
    close = [name for name, other in against if other.by(measure) != "better"]
    tail = f", though it can't be told apart from the {joined(close)}" if close else ""
    return f"the {DENOISING} is best{tail}"


# -------------------------------------------------------------------------- levels, digits, seeds


def about_levels(exhibits: Exhibits) -> Prose:
    """At which noise the denoising autoencoder stops being better than what it must beat."""
    others = {NOISY: "the noisy input left alone", BASIC: "the basic autoencoder"}
    first, *more = _sentences(exhibits, others)
    text = f"At noise from {{first}} to {{last}}, weaker and stronger than in training: {first[0]}."
    values = _ends(exhibits) | first[1]
    for sentence, places in more:
        text += f" {sentence[0].upper()}{sentence[1:]}."
        values |= places
    return prose(text, **values)


def about_levels_of_linear(exhibits: Exhibits) -> Prose:
    """The same for the linear denoisers."""
    others = {LOW_RANK: f"the {LOW_RANK}", FULL_RANK: f"the {FULL_RANK}"}
    text, values = "", dict[str, Value]()
    for sentence, places in _sentences(exhibits, others):
        text += f"{sentence[0].upper()}{sentence[1:]}. "
        values |= places
    return prose(
        f"{text}The linear denoisers too were fitted to the noise of the training alone.", **values
    )


def _sentences(exhibits: Exhibits, others: Mapping[str, str]) -> list[Text]:
    """A sentence on each of two methods; a single one where all that it says holds for both."""
    levels = exhibits.comparison.levels.values()
    first, second = ([found[other].outcome for found in levels] for other in others)
    one, other = others
    subject = f"the {DENOISING}"
    if first == second:
        return [_stops(exhibits, one, subject, tuple(others.values()))]
    text, places = _stops(exhibits, one, subject, (others[one],))
    more, more_places = _stops(exhibits, other, "it", (others[other],))
    for change in ("weaker", "stronger"):
        lead = f"as noise gets {change}, "
        if text.startswith(lead):
            more = more.removeprefix(lead)
    return [(text, places), (more, more_places)]


def _ends(exhibits: Exhibits) -> dict[str, Value]:
    table = exhibits.level_differences
    noises = [row["noise_sd"] for row in table.rows]
    return {
        "first": table.cell("noise_sd", noise_sd=noises[0]),
        "last": table.cell("noise_sd", noise_sd=noises[-1]),
    }


def _stops(exhibits: Exhibits, other: str, subject: str, called: Sequence[str]) -> Text:
    """Between which noise levels the denoising autoencoder stops being better than another method.

    The intervals and the p-values of the paired differences decide.

    Args:
        exhibits: those of the chapter.
        other: the other method.
        subject: what the sentence calls the denoising autoencoder.
        called: what it calls the other method, and another one of which the same is to be said.
    """
    levels = list(exhibits.comparison.levels)
    outcomes = [found[other].outcome for found in exhibits.comparison.levels.values()]
    better = [i for i, found in enumerate(outcomes) if found == "better"]
    if not better:
        return (
            f"{subject} is at none of these levels shown to be better than {' or '.join(called)}",
            {},
        )
    names = joined(called)
    if len(better) == len(levels):
        return (
            f"{subject} is better than {names} at all of these levels, and stops being so at none"
        ), {}
    cells = [exhibits.level_differences.cell("noise_sd", noise_sd=level) for level in levels]
    prefix = other.partition(" ")[0].replace("-", "_")
    low, high = better[0], better[-1]
    if len(better) <= high - low:
        text, values = listing(prefix, [cells[i] for i in better])
        return f"{subject} is better than {names} at {text} only", values
    clauses, values = [], {}
    edges = (("weak", low, low - 1, "weaker"), ("strong", high, high + 1, "stronger"))
    for edge, inside, outside, change in edges:
        if 0 <= outside < len(levels):
            inner, outer = f"{prefix}_{edge}_in", f"{prefix}_{edge}_out"
            values |= {inner: cells[inside], outer: cells[outside]}
            there = "it is worse" if outcomes[outside] == "worse" else "they can't be told apart"
            clauses.append(
                f"as noise gets {change}, {subject} stops being better than {names} between "
                f"{{{inner}}} and {{{outer}}} (at {{{outer}}} {there})"
            )
    return joined(clauses), values


def about_digits(exhibits: Exhibits) -> Prose:
    """Which digits are hard, and for which the comparison comes out otherwise."""
    classes, table = exhibits.comparison.classes, exhibits.classes
    better = [
        digit for digit, found in classes.items() if found.differences[BASIC].outcome == "better"
    ]
    missing = [digit for digit in classes if digit not in better]
    if not missing:
        verdict = "for every digit"
    elif better:
        verdict = f"for every digit but {joined([str(digit) for digit in missing])}"
    else:
        verdict = "for no digit"
    linear = _linear_by_digit(
        {digit: found.differences[FULL_RANK].outcome for digit, found in classes.items()}
    )
    text = (
        f"The denoising autoencoder is shown to be better than the basic one {verdict}. {linear}."
    )
    split = "{table} splits the error by digit"
    if len(classes) == 1:
        return prose(f"{split}. {text}", table=ref(table))
    found = {digit: of_class.mse.value or 0.0 for digit, of_class in classes.items()}
    easy, hard = min(found, key=lambda d: found[d]), max(found, key=lambda d: found[d])
    ends = classes[easy].mse.interval, classes[hard].mse.interval
    apart = ends[0] is not None and ends[1] is not None and ends[0].high < ends[1].low
    meeting = "their intervals do not meet" if apart else "their intervals meet, so they may tie"
    return prose(
        f"{split}. Of all digits, {{easy}} has the smallest MSE, {{easy_mse}}, and {{hard}} the "
        f"largest, {{hard_mse}}; {meeting}. {text}",
        table=ref(table),
        easy=table.cell("digit", digit=easy),
        easy_mse=table.cell("denoising_mse", digit=easy),
        hard=table.cell("digit", digit=hard),
        hard_mse=table.cell("denoising_mse", digit=hard),
    )


def _linear_by_digit(outcomes: Mapping[int, Outcome]) -> str:
    """For which digits the full-rank linear denoiser is better or worse."""
    groups: dict[Outcome, list[str]] = {
        found: [str(digit) for digit in outcomes if outcomes[digit] == found]
        for found in ("better", "worse")
    }
    named = [f"{word} for {joined(digits)}" for word, digits in groups.items() if digits]
    if not named:
        return "From the full-rank linear denoiser it can be told apart for no digit"
    alone = len(named) == 1 and len(outcomes) in {len(digits) for digits in groups.values()}
    text = f"{named[0].partition(' ')[0]} for every digit" if alone else joined(named)
    return f"Compared with the full-rank linear denoiser it is {text}"


def about_clean_images(exhibits: Exhibits) -> Prose:
    """What the models do where there is no noise to remove."""
    table = exhibits.methods
    found = exhibits.comparison.levels[0.0][BASIC].outcome
    texts: dict[Outcome, str] = {
        "worse": (
            "Denoising has a price: of images without noise the denoising autoencoder makes an "
            "MSE of {denoising}, the basic one {basic}."
        ),
        "better": (
            "Even of images without noise the denoising autoencoder makes no larger MSE, "
            "{denoising}, than the basic one, {basic}."
        ),
        "can't be told apart": (
            "On images without noise the two autoencoders can't be told apart: {denoising} for the "
            "denoising one, {basic} for the basic one."
        ),
    }
    return prose(
        texts[found],
        denoising=table.cell("clean_mse", method=DENOISING),
        basic=table.cell("clean_mse", method=BASIC),
    )


def about_trainings_of_seeds(exhibits: Exhibits) -> list[Prose]:
    """How the two autoencoders compare over seeds; nothing to say with one."""
    found, table = exhibits.comparison.seeds, exhibits.seeds
    if found is None or table is None:
        return []
    cell = exhibits.methods.cell
    text, values = _over_seeds(found, table)
    if found.p_value is None:
        text += (
            f" With fewer than {FEWEST_SEEDS} seeds no test over seeds could give a p-value below "
            f"{SIGNIFICANCE}; none was made."
        )
    return [
        prose(
            "Over {count} seeds, test MSE is {denoising} ± {denoising_sd} for the denoising "
            f"autoencoder and {{basic}} ± {{basic_sd}} for the basic one (mean and standard "
            f"deviation; {{table}} has each seed). {text}",
            count=Number(len(found.errors), "d", "number of seeds"),
            denoising=cell("test_mse_mean", method=DENOISING),
            denoising_sd=cell("test_mse_sd", method=DENOISING),
            basic=cell("test_mse_mean", method=BASIC),
            basic_sd=cell("test_mse_sd", method=BASIC),
            table=ref(table),
            **values,
        )
    ]


def _over_seeds(found: OverSeeds, table: Table) -> Text:
    """The difference over seeds, and its test if there can be one."""
    origin = f"difference in the table {table.id}, over seeds"
    trials = "; ".join(table.trials)
    values: dict[str, Value] = {
        "seeds_mean": Number(found.difference.mean, "+.5f", f"mean {origin}", trials),
        "seeds_sd": Number(
            found.difference.deviation, ".5f", f"standard deviation, {origin}", trials
        ),
    }
    text = "Over seeds, denoising minus basic is {seeds_mean} ± {seeds_sd}"
    if found.p_value is None:
        same = "of the same sign with every seed"
        agreement = same if of_seeds(found) != "can't be told apart" else f"not {same}"
        return f"{text}, {agreement}.", values
    values["seeds_p"] = Number(found.p_value, "p", f"sign-flip test, {origin}", trials)
    ending: dict[Outcome, str] = {
        "better": "over seeds, the denoising autoencoder is better",
        "worse": "over seeds, the basic autoencoder is better",
        "can't be told apart": "over seeds, the two can't be told apart",
    }
    tested = f"sign-flip test {p_is(found.p_value)} {{seeds_p}}"
    return f"{text}, {tested}: {ending[of_seeds(found)]}.", values


def of_seeds(found: OverSeeds) -> Outcome:
    """Whether the denoising autoencoder is better over seeds.

    The sign-flip test decides; with too few seeds for it, the difference has to have the same
    sign with each.
    """
    changes = found.differences
    if found.p_value is None:
        told = len({change < 0 for change in changes}) == 1 and 0 not in changes
    else:
        told = found.p_value < SIGNIFICANCE
    if not told:
        return "can't be told apart"
    return "better" if found.difference.mean < 0 else "worse"


def about_dead_units(exhibits: Exhibits) -> Prose:
    """Whether the models use their whole bottleneck."""
    table = exhibits.trainings
    cells = {
        "basic": table.cell("dead_units", method=BASIC),
        "denoising": table.cell("dead_units", method=DENOISING),
    }
    if not any(row["dead_units"] for row in table.rows):
        return prose("Neither model has a dead unit: both use their whole bottleneck.")
    return prose(
        "Some units of the bottlenecks are dead, that is, above zero for no test image: {basic} "
        "in the basic autoencoder and {denoising} in the denoising one.",
        **cells,
    )


# ------------------------------------------------------------------------------------- the claim


def claims(exhibits: Exhibits) -> list[Claim]:
    """What the assignment asserts of denoising, and what the numbers say to it."""
    difference, values = _difference(exhibits, BASIC)
    over_seeds, rule = "", ""
    if exhibits.comparison.seeds is not None and exhibits.seeds is not None:
        text, more = _over_seeds(exhibits.comparison.seeds, exhibits.seeds)
        over_seeds, values = f" {text}", values | more
        if exhibits.comparison.seeds.p_value is None:
            rule = ", and the difference is below 0 with every seed"
        else:
            rule = f", and the sign-flip test over seeds gives p below {SIGNIFICANCE} as well"
    p_value = exhibits.comparison.against[BASIC].p_value
    tested = ""
    if p_value is not None:
        tested = f" (adjusted {p_is(p_value)} {{p}})"
        values["p"] = exhibits.differences.cell("p_value", other=BASIC)
    low, full = (exhibits.comparison.against[name].outcome for name in (LOW_RANK, FULL_RANK))
    evidence = prose(
        "Test MSE at noise {noise}, denoising minus basic, over {images} test images: "
        f"{difference}{tested}.{over_seeds} Beyond the claim, the denoising autoencoder has "
        f"{THAN[low]} the best linear denoiser of its rank, {{low_rank}}, and {THAN[full]} the "
        "best one of full rank, {full_rank}.",
        noise=exhibits.noise,
        images=exhibits.data.cell("images", part="test"),
        low_rank=exhibits.methods.cell("test_mse", method=LOW_RANK),
        full_rank=exhibits.methods.cell("test_mse", method=FULL_RANK),
        **values,
    )
    return [
        Claim(
            "denoising-outperforms",
            "The denoising autoencoder significantly outperforms the basic one on noisy inputs "
            "(MSE).",
            evidence,
            _verdict(exhibits.comparison),
            prose(
                f"Supported if the interval lies below 0 and p is below {SIGNIFICANCE}{rule}; not "
                "supported if the same holds above 0; else it can't be told. The p-value is that "
                "of a paired t-test, adjusted for all methods compared."
            ),
        )
    ]


def _verdict(comparison: Comparison) -> Verdict:
    """All tests that there are must agree."""
    outcomes: Sequence[Outcome] = [comparison.against[BASIC].outcome]
    if comparison.seeds is not None:
        outcomes = [*outcomes, of_seeds(comparison.seeds)]
    if set(outcomes) == {"better"}:
        return Verdict.SUPPORTED
    return Verdict.NOT_SUPPORTED if set(outcomes) == {"worse"} else Verdict.CANT_TELL
