"""What the sentiment chapter compares, tests and claims, from made-up results."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import scipy
from made_up_reviews import (
    TEST_REVIEWS,
    VALIDATION_REVIEWS,
    baselines,
    claim,
    over_seeds,
    predictions,
    result,
    section,
    text,
    value,
    wrong_on,
)
from sklearn import metrics

from experiments.lstm import LstmExperiment, LstmSettings
from experiments.lstm.classification import Confusion
from experiments.lstm.errors import homogeneity, length_groups, negations
from reportgen.experiment import Array, Dataset
from reportgen.results import Lines, Section, Verdict
from reportgen.statistics import mcnemar, proportion_difference

LABELS_OF_VALIDATION = (np.arange(VALIDATION_REVIEWS) % 2).astype(np.uint8)


# --------------------------------------------------------------------------------------- baselines


def test_baselines_are_fitted_to_the_words_and_reviews_of_the_first_seed() -> None:
    settings = LstmSettings(vocabulary=500, training_reviews=70)
    [trial] = LstmExperiment().baselines(settings, 3, {})
    assert (trial.trainer, trial.seed) == ("experiments.baselines.reviews:classify", 3)
    assert trial.params == {
        "vocabulary": 500,
        "sequence_length": 500,
        "validation_reviews": 2500,
        "training_reviews": 70,
    }


def test_each_baseline_is_compared_review_by_review(dataset: Dataset) -> None:
    rows = section(dataset).tables["baselines"].rows
    labels = predictions()[1] == 1
    right = (predictions()[0] >= 0.5) == labels
    assert [row["method"] for row in rows] == [
        "LSTM",
        "majority class",
        "TF-IDF, logistic regression",
        "NB-SVM",
    ]
    assert (rows[0]["accuracy"], rows[0]["difference"]) == (pytest.approx(right.mean()), None)
    for row, called in zip(
        rows[1:],
        (np.ones(400, bool), predictions(7)[0] >= 0.5, predictions(8)[0] >= 0.5),
        strict=True,
    ):
        theirs = called == labels
        assert row["accuracy"] == pytest.approx(theirs.mean())
        only = int((right & ~theirs).sum()), int((theirs & ~right).sum())
        assert (row["only_lstm"], row["only_baseline"]) == only
        assert row["difference"] == pytest.approx(right.mean() - theirs.mean())
        expected = proportion_difference(*only, 400)
        assert (row["difference_low"], row["difference_high"]) == pytest.approx(expected)
        assert row["effect"] == pytest.approx(only[0] / sum(only) - 0.5)
    by_scipy = [
        scipy.stats.binomtest(int(row["only_lstm"]), int(row["only_lstm"] + row["only_baseline"]))
        for row in rows[1:]
    ]
    smallest = min(test.pvalue for test in by_scipy)
    assert min(row["p_value"] for row in rows[1:]) == pytest.approx(3 * smallest)


def test_validation_reviews_are_compared_by_their_own_labels(dataset: Dataset) -> None:
    rows = section(dataset).tables["baselines_validation"].rows
    labels = np.arange(VALIDATION_REVIEWS) % 2 == 1
    own = (predictions(6, VALIDATION_REVIEWS)[0] >= 0.5) == labels
    tfidf = (predictions(9, VALIDATION_REVIEWS)[0] >= 0.5) == labels
    assert rows[0]["accuracy"] == pytest.approx(own.mean())
    assert rows[2]["accuracy"] == pytest.approx(tfidf.mean())


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        (range(10), "Both linear baselines beat the LSTM"),
        (range(0, 400, 2), "The LSTM beats both linear baselines"),
    ],
)
def test_who_is_better_is_said_plainly(dataset: Dataset, errors: range, said: str) -> None:
    labels = predictions()[1]
    judged = wrong_on(labels, errors)
    linear = baselines(tfidf_probability=judged, nbsvm_score=judged)
    chapter = section(dataset, linear=linear)
    [finding] = [each for each in chapter.findings if each.id == "baselines"]
    assert finding.sentence.text.startswith(said)


def test_baselines_that_beat_the_network_are_named_in_the_discussion(dataset: Dataset) -> None:
    judged = wrong_on(predictions()[1], range(10))
    told = text(section(dataset, linear=baselines(tfidf_probability=judged)))
    assert "But TF-IDF with logistic regression beats it" in told
    assert "It can't be told apart from NB-SVM" in told


@pytest.mark.parametrize(
    ("wrong", "verdict", "said"),
    [
        (range(90), Verdict.SUPPORTED, "is better than NB-SVM"),
        (range(10), Verdict.NOT_SUPPORTED, "is worse than NB-SVM"),
        (range(40, 80), Verdict.CANT_TELL, "can't be told apart from NB-SVM"),
    ],
)
def test_good_validation_accuracy_is_judged_against_each_baseline(
    dataset: Dataset, wrong: range, verdict: Verdict, said: str
) -> None:
    own = wrong_on(LABELS_OF_VALIDATION, range(100, 140))
    poor = wrong_on(LABELS_OF_VALIDATION, range(150, 290))
    linear = baselines(
        tfidf_validation_probability=poor,
        nbsvm_validation_score=wrong_on(LABELS_OF_VALIDATION, wrong),
    )
    found = claim(section(dataset, linear=linear, validation=own), "validation_accuracy")
    assert found.verdict is verdict
    assert "is better than the majority class" in found.evidence.text
    assert said in found.evidence.text


@pytest.mark.parametrize(
    ("mistakes", "on_validation", "verdict"),
    [
        ((20, 30, 40), range(2), Verdict.SUPPORTED),
        ((20, 30, 90), range(2), Verdict.CANT_TELL),
        ((20, 30, 80), range(2), Verdict.CANT_TELL),
        ((90, 100, 110), range(100), Verdict.NOT_SUPPORTED),
        ((90, 100, 70), range(100), Verdict.CANT_TELL),
    ],
)
def test_with_several_seeds_each_must_be_on_the_same_side_of_a_baseline_on_the_test_reviews(
    dataset: Dataset, mistakes: tuple[int, ...], on_validation: range, verdict: Verdict
) -> None:
    """The baselines make 80 mistakes of 400 on test, and 40 of 300 on validation."""
    found = claim(chapter_of(dataset, mistakes, on_validation), "validation_accuracy")
    assert found.verdict is verdict
    disagree = "but seeds disagree on the test reviews" in found.evidence.text
    assert disagree == (verdict is Verdict.CANT_TELL)
    assert found.rule is not None
    assert "each seed on that side of the baseline" in found.rule.text


def chapter_of(
    dataset: Dataset, mistakes: Sequence[int], on_validation: Sequence[int] = range(2)
) -> Section:
    """The chapter of trainings with so many mistakes on test, the same ones on validation."""
    labels = predictions()[1]
    validation = wrong_on(LABELS_OF_VALIDATION, on_validation)
    results = [
        result(probability=wrong_on(labels, range(count)), validation=validation)
        for count in mistakes
    ]
    judged = wrong_on(labels, range(80))
    validated = wrong_on(LABELS_OF_VALIDATION, range(260, 300))
    linear = baselines(
        tfidf_probability=judged,
        nbsvm_score=judged,
        tfidf_validation_probability=validated,
        nbsvm_validation_score=validated,
    )
    return over_seeds(dataset, results, linear=linear)


def test_the_finding_on_baselines_says_with_how_many_seeds_the_network_is_ahead(
    dataset: Dataset,
) -> None:
    chapter = chapter_of(dataset, (20, 30, 90))
    rows = chapter.tables["baselines"].rows
    assert [row["seeds_ahead"] for row in rows] == [None, 3, 2, 2]
    told = next(f.sentence for f in chapter.findings if f.id == "baselines")
    assert "can't be told apart from NB-SVM" in told.text
    assert [value(chapter, told, name) for name in ("ahead3", "seeds")] == [2, 3]
    agreed = chapter_of(dataset, (20, 30, 40)).findings[1].sentence.text
    assert agreed.startswith("The LSTM beats both linear baselines")


def test_the_validation_reviews_of_one_seed_are_judged_without_the_test_reviews(
    dataset: Dataset,
) -> None:
    found = claim(chapter_of(dataset, (90,)), "validation_accuracy")
    assert found.verdict is Verdict.SUPPORTED
    assert "seed" not in found.evidence.text


# -------------------------------------------------------------------------------------- thresholds


def test_every_measure_has_its_interval(dataset: Dataset) -> None:
    for row in section(dataset).tables["thresholds"].rows:
        for name in ("precision", "recall", "f1", "accuracy"):
            low, at, high = (float(row[f"{name}{end}"] or 0) for end in ("_low", "", "_high"))
            assert 0 < low < at < high < 1


def test_steps_say_what_changes_sides(dataset: Dataset) -> None:
    probability, labels = predictions()
    rows = section(dataset).tables["threshold_steps"].rows
    assert [(row["from"], row["to"]) for row in rows] == [(0.3, 0.5), (0.5, 0.7)]
    between = (probability >= 0.3) & (probability < 0.5)
    assert rows[0]["moved"] == between.sum()
    positive = int((between & (labels == 1)).sum())
    assert rows[0]["recall_change"] == pytest.approx(-positive / 200)
    p_values = [
        mcnemar(
            *(
                int(((low <= probability) & (probability < high) & (labels == k)).sum())
                for k in (0, 1)
            )
        )
        for low, high in ((0.3, 0.5), (0.5, 0.7))
    ]
    smaller, larger = sorted(p_values)
    adjusted = sorted(row["accuracy_p"] for row in rows)
    assert adjusted == pytest.approx([min(1, 2 * smaller), max(min(1, 2 * smaller), larger)])


def test_bands_are_drawn_around_all_three_measures(dataset: Dataset) -> None:
    drawing = section(dataset).figures["measures"].drawing
    assert isinstance(drawing, Lines)
    for series in drawing.panels[0].series:
        rows = zip(series.low, series.y, series.high, strict=True)
        assert all(low <= y <= high for low, y, high in rows)


def trading(between: float) -> Array:
    """Probabilities where of the reviews between the thresholds a share is positive."""
    labels = predictions()[1]
    judged = np.where(labels == 1, 0.9, 0.1)
    judged[::16], judged[1::16] = 0.9, 0.1  # some mistakes
    for low, start in ((0.35, 20), (0.6, 220)):
        chosen = np.arange(start, start + 160)
        positive = chosen[labels[chosen] == 1]
        negative = chosen[labels[chosen] == 0]
        judged[positive[: round(80 * between)]] = low
        judged[negative[: round(80 * (1 - between))]] = low
    return judged.astype(np.float32)


@pytest.mark.parametrize(
    ("between", "verdict"),
    [(0.2, Verdict.SUPPORTED), (0.75, Verdict.CANT_TELL), (1.0, Verdict.NOT_SUPPORTED)],
)
def test_the_trade_off_is_judged_at_every_step(
    dataset: Dataset, between: float, verdict: Verdict
) -> None:
    found = claim(section(dataset, probability=trading(between)), "threshold_trade_off")
    assert found.verdict is verdict
    assert ("not told from chance" in found.evidence.text) == (verdict is Verdict.CANT_TELL)


@pytest.mark.parametrize(
    ("others", "verdict"),
    [
        ((0.2, 0.25), Verdict.SUPPORTED),
        ((0.2, 1.0), Verdict.CANT_TELL),
        ((0.25,) * 5, Verdict.SUPPORTED),
        ((0.25, 0.25, 0.25, 0.25, 1.0), Verdict.CANT_TELL),
    ],
)
def test_the_trade_off_has_to_be_seen_with_every_seed(
    dataset: Dataset, others: tuple[float, ...], verdict: Verdict
) -> None:
    results = [result(probability=trading(between)) for between in (0.2, *others)]
    chapter = over_seeds(dataset, results)
    found = claim(chapter, "threshold_trade_off")
    assert found.verdict is verdict
    assert found.rule is not None
    assert "A rise or fall counts if it is seen with every seed" in found.rule.text
    assert ("sign-flip" in found.rule.text) == (len(results) >= 6)
    assert ("sign-flip" in found.evidence.text) == (len(results) >= 6)
    disagree = "but not so with every seed" in found.evidence.text
    assert disagree == (verdict is Verdict.CANT_TELL)
    assert "not told from chance" not in found.evidence.text
    rises = sum(between < 0.5 for between in (0.2, *others))
    assert value(chapter, found.evidence, "precision_rises0") == rises
    told = next(f.sentence.text for f in chapter.findings if f.id == "thresholds")
    assert ("at every step with each of {seeds} seeds" in told) == (verdict is Verdict.SUPPORTED)


def test_where_nothing_is_called_positive_precision_is_not_compared(dataset: Dataset) -> None:
    chapter = section(dataset, probability=np.minimum(predictions()[0], 0.6))
    text = claim(chapter, "threshold_trade_off").evidence.text
    assert "from {from1} to {to1} precision can't be compared, as nothing is called" in text
    assert "and recall changes by {recall_change1} (" in text
    assert "precision_change1" not in text


def test_precision_that_falls_with_every_seed_refutes_the_trade_off(dataset: Dataset) -> None:
    results = [result(probability=trading(1.0)) for _ in range(3)]
    found = claim(over_seeds(dataset, results), "threshold_trade_off")
    assert found.verdict is Verdict.NOT_SUPPORTED


def test_each_step_has_its_effect_sizes(dataset: Dataset) -> None:
    probability, labels = predictions()
    row = section(dataset).tables["threshold_steps"].rows[0]
    scored = {
        t: metrics.precision_recall_fscore_support(labels, probability >= t, average="binary")
        for t in (0.3, 0.5)
    }
    for place, name in enumerate(("precision", "recall")):
        low, high = (2 * np.arcsin(np.sqrt(scored[t][place])) for t in (0.3, 0.5))
        assert row[f"{name}_effect"] == pytest.approx(high - low)
    between = (probability >= 0.3) & (probability < 0.5)
    assert row["accuracy_effect"] == pytest.approx((labels[between] == 0).mean() - 0.5)


def test_a_step_without_positive_reviews_leaves_the_trade_off_open(dataset: Dataset) -> None:
    labels = predictions()[1]
    judged = np.where(labels == 1, 0.9, 0.1)
    judged[::4] = 0.4
    judged[2::4] = 0.6
    found = claim(section(dataset, probability=judged.astype(np.float32)), "threshold_trade_off")
    assert found.verdict is Verdict.CANT_TELL


def test_with_one_threshold_the_trade_off_cannot_be_told(dataset: Dataset) -> None:
    chapter = section(dataset, LstmSettings(epochs=3, thresholds=(0.5,)))
    assert "threshold_steps" not in chapter.tables
    assert claim(chapter, "threshold_trade_off").verdict is Verdict.CANT_TELL
    assert [finding.id for finding in chapter.findings] == ["accuracy", "baselines"]


def test_thresholds_are_chosen_on_validation_and_applied_to_test(dataset: Dataset) -> None:
    settings = LstmSettings(epochs=3, false_positive_cost=3)
    usual, by_f1, by_cost = section(dataset, settings).tables["chosen_thresholds"].rows
    validation = predictions(6, VALIDATION_REVIEWS)[0].astype(float)
    best = max(
        metrics.f1_score(LABELS_OF_VALIDATION, validation >= t) for t in np.unique(validation)
    )
    assert by_f1["validation_f1"] == pytest.approx(best)
    chosen = float(by_f1["threshold"] or 0)
    called = predictions()[0].astype(float) >= chosen
    assert by_f1["f1"] == pytest.approx(metrics.f1_score(predictions()[1], called))
    assert float(by_cost["validation_cost"] or 1) <= float(usual["validation_cost"] or 0)
    assert float(by_cost["threshold"] or 0) > 0.5


def test_every_measure_of_a_chosen_threshold_has_its_interval(dataset: Dataset) -> None:
    for row in section(dataset).tables["chosen_thresholds"].rows:
        for name in ("validation_f1", "validation_cost", "f1", "cost", "precision", "recall"):
            low, at, high = (float(row[f"{name}{end}"] or 0) for end in ("_low", "", "_high"))
            assert 0 < low < at < high < 1
    validation = predictions(6, VALIDATION_REVIEWS)[0]
    at_half = Confusion.at(0.5, validation, LABELS_OF_VALIDATION)
    usual = section(dataset).tables["chosen_thresholds"].rows[0]
    ends = (usual["validation_f1_low"], usual["validation_f1_high"])
    assert ends == pytest.approx(at_half.intervals["f1"])


def test_a_dear_false_positive_raises_the_threshold(dataset: Dataset) -> None:
    chosen = [
        section(dataset, LstmSettings(epochs=3, false_positive_cost=cost)).tables[
            "chosen_thresholds"
        ]
        for cost in (0.2, 5)
    ]
    low, high = (float(table.rows[2]["threshold"] or 0) for table in chosen)
    assert low < 0.5 < high


# ------------------------------------------------------------------------------------- calibration


def test_calibration_is_measured_and_drawn(dataset: Dataset) -> None:
    probability, labels = predictions()
    chapter = section(dataset)
    brier, error, _ = chapter.tables["calibration"].rows
    assert brier["value"] == pytest.approx(metrics.brier_score_loss(labels, probability), rel=1e-6)
    assert error["value_low"] is None
    drawing = chapter.figures["reliability"].drawing
    assert isinstance(drawing, Lines)
    curve = drawing.panels[0].series[0]
    assert len(curve.x) == 10
    last = probability >= 0.9
    assert curve.y[-1] == pytest.approx(labels[last].mean())
    assert curve.low[-1] < curve.y[-1] <= curve.high[-1]


@pytest.mark.parametrize(
    ("high", "said"),
    [
        (0.999, "surer of itself than it should be"),
        (0.55, "less sure of itself"),
        (0.9, "can't be told whether the network is too sure"),
    ],
)
def test_overconfidence_is_told_from_chance(dataset: Dataset, high: float, said: str) -> None:
    labels = predictions()[1]
    judged = np.where(labels == 1, high, 1 - high)
    judged[::10] = 1 - judged[::10]  # one of ten is wrong
    assert said in text(section(dataset, probability=judged.astype(np.float32)))


# ------------------------------------------------------------------------------------------ errors


def test_length_groups_hold_all_reviews_and_keep_equal_ones_together() -> None:
    words = np.array([3, 3, 3, 3, 5, 8, 9, 20, 20, 21])
    assert length_groups(words, 5) == [(3, 3), (5, 8), (9, 20), (21, 21)]
    assert length_groups(np.array([7, 7]), 5) == [(7, 7)]


def test_accuracy_is_counted_in_each_group_of_lengths(dataset: Dataset) -> None:
    rows = section(dataset).tables["by_length"].rows
    right = (predictions()[0] >= 0.5) == predictions()[1]
    lengths = np.arange(TEST_REVIEWS) % 50 + 5
    assert sum(int(row["reviews"] or 0) for row in rows) == TEST_REVIEWS
    for row in rows:
        chosen = (lengths >= row["from"]) & (lengths <= row["to"])
        assert row["accuracy"] == pytest.approx(right[chosen].mean())


def test_whether_length_matters_is_told_from_chance(dataset: Dataset) -> None:
    labels = predictions()[1]
    evenly = wrong_on(labels, range(0, 400, 7))
    assert "By {table} that can't be told" in text(section(dataset, probability=evenly))
    long = np.flatnonzero(np.arange(TEST_REVIEWS) % 50 + 5 > 44)[::2]
    told = text(section(dataset, probability=wrong_on(labels, [0, 1, *long.tolist()])))
    assert "Accuracy differs with the length of a review" in told


def test_negations_are_counted_among_the_words_that_are_read(dataset: Dataset) -> None:
    reviews = [[3, 1, 1], [1, 5, 6], [1, 1, 1], [6, 6, 8]]
    np.save(dataset.folder / "test_tokens.npy", np.concatenate(reviews).astype(np.int32))
    np.save(dataset.folder / "test_offsets.npy", np.array([0, 3, 6, 9, 12]))
    assert negations(dataset, 1000, 500).tolist() == [1, 2, 0, 2]
    assert negations(dataset, 1000, 2).tolist() == [0, 2, 0, 1]  # the last two words alone
    assert negations(dataset, 7, 500).tolist() == [1, 1, 0, 0]  # ranks up to 5 alone


def test_reviews_with_a_negation_are_told_apart(dataset: Dataset) -> None:
    chapter = section(dataset)
    without, having = chapter.tables["by_negation"].rows
    assert (without["reviews"], having["reviews"]) == (300, 100)
    right = (predictions()[0] >= 0.5) == predictions()[1]
    assert having["accuracy"] == pytest.approx(right[::4].mean())
    assert "whether it matters can't be told" in text(chapter)
    worse = wrong_on(predictions()[1], range(0, 400, 8))
    assert "with a negation are judged worse" in text(section(dataset, probability=worse))


def test_without_any_negation_there_is_nothing_to_compare(dataset: Dataset) -> None:
    tokens = np.load(dataset.folder / "test_tokens.npy")
    np.save(dataset.folder / "test_tokens.npy", np.ones_like(tokens))
    assert "All of them are of one kind" in text(section(dataset))


def test_homogeneity_is_pearsons_test() -> None:
    counts = [(30, 40), (35, 40), (20, 40)]
    table = np.array([[30, 35, 20], [10, 5, 20]])
    expected = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
    statistic = ((table - expected) ** 2 / expected).sum()
    assert homogeneity(counts) == pytest.approx(scipy.stats.chi2(2).sf(statistic))
    assert homogeneity([(3, 3), (5, 5)]) == 1
