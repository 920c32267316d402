"""Q3: the sentiment of film reviews, told by an LSTM; its settings, trial and chapter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from experiments.classification import Confusion
from experiments.data.imdb import ImdbSource
from experiments.sentiment import DECISION, Exhibits, Outcome
from experiments.wording import single_seed
from reportgen.experiment import DataSource, Evidence, Experiment, Json, Trial, setting
from reportgen.results import (
    Figure,
    Finding,
    Number,
    Prose,
    Scalar,
    Section,
    Table,
    Value,
    prose,
    ref,
    section_with,
)

SURE = 0.1
"""A probability this near to 0 or 1 is called sure."""

EXPECTED_LEAD = 0.02
"""By how much validation accuracy may exceed that on the test reviews without a reason given."""

Item = Prose | Table | Figure


@dataclass(frozen=True)
class LstmSettings:
    """Settings of the sentiment experiment, with the sources of their defaults.

    Vocabulary, length and layers are the assignment's. Batches of 128 are those of Keras' IMDB
    examples; clipping at norm 1 (Pascanu et al. 2013) is common practice for LSTMs of this size.
    Adam's rate is three times its default, because averaging the weights (Polyak & Juditsky 1992)
    evens out its noise. Words are left out as Iyyer et al. (2015) do it, at their rate; dropout of
    embedding features is that of Gal & Ghahramani (2016). ``memory_span`` is the longest memory of
    chrono initialisation (Tallec & Ollivier 2018). Rates of dropout, span, step and the number of
    epochs were chosen on validation reviews, never on test reviews; after two epochs fewer of them
    are called right than after these three. The preset ``quick`` takes more and larger steps on
    fewer reviews.
    """

    vocabulary: int = setting(
        10_000, "size of the vocabulary, padding and unknown included", minimum=10, maximum=100_000
    )
    sequence_length: int = setting(
        500, "most words of a review; longer ones keep the last", minimum=5, maximum=5000
    )
    embedding_dim: int = setting(128, "size of a word's embedding", minimum=1, maximum=1024)
    units: int = setting(64, "units of the LSTM", minimum=1, maximum=1024)
    memory_span: int = setting(
        100, "longest initial memory of a cell, in words", minimum=2, maximum=5000
    )
    word_dropout: float = setting(
        0.3, "share of words left out of a batch's reviews", minimum=0, below=1
    )
    input_dropout: float = setting(
        0.5, "share of embedding features left out of a batch", minimum=0, below=1
    )
    output_dropout: float = setting(
        0.5, "share of LSTM outputs left out of a review", minimum=0, below=1
    )
    epochs: int = setting(3, "most passes over the reviews", minimum=1, maximum=100, quick=2)
    batch_size: int = setting(128, "reviews in a batch", minimum=1, maximum=4096, quick=32)
    learning_rate: float = setting(
        3e-3, "Adam's highest learning rate", above=0, maximum=1, quick=0.01
    )
    warm_up: float = setting(
        0.1, "share of the steps in which the rate rises", minimum=0, maximum=1
    )
    gradient_clip: float = setting(1.0, "largest norm of a gradient", above=0)
    averaging: float = setting(
        0.995, "memory of the running average of weights", minimum=0, below=1
    )
    patience: int = setting(
        2, "epochs without a better validation accuracy before stopping", minimum=1
    )
    validation_reviews: int = setting(
        2500, "reviews split off for validation, at most a fifth", minimum=10
    )
    training_reviews: int = setting(0, "most reviews to fit; 0: all", minimum=0, quick=3000)
    thresholds: tuple[float, ...] = setting(
        (0.3, 0.5, 0.7), "thresholds to compare beside 0.5", above=0, below=1
    )


class LstmExperiment(Experiment[LstmSettings]):
    """Embedding → LSTM → Dense on the IMDB reviews, judged at several thresholds."""

    name: ClassVar[str] = "lstm"
    title: ClassVar[str] = "Sentiment of film reviews with an LSTM"
    question: ClassVar[str] = "Q3"
    summary: ClassVar[str] = "classifies IMDB reviews with an LSTM, compares decision thresholds"
    order: ClassVar[int] = 3
    settings = LstmSettings
    source: DataSource = ImdbSource()

    def trials(self, settings: LstmSettings, seed: int, others: Mapping[str, Any]) -> list[Trial]:
        """The one training; thresholds are not part of it."""
        params: dict[str, Json] = {
            field.name: getattr(settings, field.name)
            for field in fields(settings)
            if field.name != "thresholds"
        }
        cost = 25.0 * settings.epochs  # seconds on one core, measured on the whole of IMDB
        trainer = "experiments.training.recurrent:train"
        return [Trial(self.name, trainer, params, seed, "LSTM", cost)]

    def section(self, evidence: Evidence[LstmSettings]) -> Section:
        """The chapter: what was asked, done, found, and what follows from it."""
        [trial] = self.trials(evidence.settings, evidence.seed, {})
        outcome = Outcome.of(evidence, evidence.trials[trial])
        exhibits = Exhibits.of(outcome)
        return section_with(
            self.name,
            self.title,
            self.question,
            evidence.dataset.summary,
            [
                ("Objective", _objective()),
                ("Data", _data(outcome, exhibits)),
                ("Method", _method(outcome, exhibits)),
                ("Hyperparameters", _hyperparameters(exhibits)),
                ("Results", _results(outcome, exhibits)),
                ("Discussion", _discussion(outcome, exhibits)),
            ],
            _findings(outcome, exhibits),
        )


# ----------------------------------------------------------------------------------------- prose


def _objective() -> list[Item]:
    return [
        prose(
            "Can a recurrent network read a film review and tell whether it praises or blames the "
            "film? An embedding turns words into vectors, an LSTM reads them in order, and a dense "
            "unit turns what the LSTM remembers into the probability that the review is positive. "
            "Two questions are answered: how often the network is right on reviews that it has "
            "never seen, and how precision and recall change when the probability from which on a "
            "review is called positive is moved."
        )
    ]


def _data(outcome: Outcome, exhibits: Exhibits) -> list[Item]:
    settings, parts = outcome.settings, exhibits.parts
    return [
        prose(
            "A review is split into words as Keras' `Tokenizer` does it: lower case, punctuation "
            "taken for spaces. The vocabulary has "
            f"{settings.vocabulary:,} entries: the id 0 pads, 1 stands for every unknown word, and "
            "from 2 on follow the most frequent words of the training part, counted there alone. "
            f"Reviews of more than {settings.sequence_length:,} words keep their last ones, in "
            "which the verdict tends to stand; shorter ones are padded in front, and the padding "
            "is masked. {table} shows the sizes: {cut} of the test reviews are cut, and {unknown} "
            "of the test words that are kept are unknown.",
            table=ref(parts),
            cut=parts.cell("share_cut", part="test"),
            unknown=parts.cell("share_unknown", part="test"),
        ),
        parts,
        _validation_sentence(outcome, exhibits),
        _test_sentence(outcome, exhibits),
    ]


def _validation_sentence(outcome: Outcome, exhibits: Exhibits) -> Prose:
    text = (
        "The {count} validation reviews were split at random from the training part, with its "
        "shares of the labels; they decide when training stops and which epoch is kept."
    )
    values = {"count": exhibits.parts.cell("reviews", part="validation")}
    left_out = outcome.result.scalars["left_out"]
    if not left_out:
        return prose(text + " No review with the same words stands on both sides.", **values)
    number = Number(left_out, ",d", "training reviews with the words of a validation review")
    text += " Reviews with the same words as one of them were left out of training: {left_out}."
    return prose(text, left_out=number, **values)


def _test_sentence(outcome: Outcome, exhibits: Exhibits) -> Prose:
    text = "The {count} test reviews were used once, after the epoch had been chosen."
    count = exhibits.parts.cell("reviews", part="test")
    known = outcome.in_train == 1
    if not known.any():
        return prose(text + " None of them stands in the training part.", count=count)
    others = Confusion.at(DECISION, outcome.probability[~known], outcome.labels[~known])
    if others.accuracy is None:
        return prose(text + " All of them stand in the training part as well.", count=count)
    return prose(
        text + " Word for word, {known} of them ({share}) stand in the training part as well; "
        "without these, accuracy at the threshold 0.5 is {accuracy}.",
        count=count,
        known=Number(int(known.sum()), ",d", "test reviews that are training reviews as well"),
        share=Number(float(known.mean()), ".2%", "share of test reviews also in training"),
        accuracy=Number(others.accuracy, ".2%", "accuracy without reviews also in training"),
    )


def _method(outcome: Outcome, exhibits: Exhibits) -> list[Item]:
    s = outcome.settings
    embedding = outcome.result.scalars["layers"][0]["parameters"]
    total = exhibits.layers.rows[-1]["parameters"]
    share = float(embedding) / float(total or 1)
    return [
        prose(
            f"The model is `Embedding({s.vocabulary}, {s.embedding_dim}) → LSTM({s.units}) → "
            "Dense(1, sigmoid)`. {layers} counts {total} parameters, of which the embedding has "
            "{share}. The LSTM (Hochreiter and Schmidhuber 1997) has a cell that gates let it "
            "write, keep and show; its state after the last word is all that the dense unit sees.",
            layers=ref(exhibits.layers),
            total=exhibits.layers.cell("parameters", layer="Total"),
            share=Number(share, ".1%", "share of the parameters in the embedding"),
        ),
        exhibits.layers,
        prose(
            "Training minimises the binary cross-entropy −[y log p + (1 − y) log(1 − p)] with Adam "
            "(Kingma and Ba 2015). The learning rate rises at first and then falls by a cosine to "
            "zero over the planned epochs; gradients are clipped by their common norm. Batches "
            "hold reviews of similar length, so that little padding is computed. Since a review "
            "is long and its verdict read at the end, the gates' biases start by chrono "
            "initialisation (Tallec and Ollivier 2018): some cells remember for a few words, some "
            f"for up to {s.memory_span}."
        ),
        prose(
            "Against overfitting, training leaves things out at random: words of the vocabulary, "
            "taken out of all reviews of a batch, as in a deep averaging network (Iyyer et al. "
            "2015); features of the embedding that enter the LSTM, the same for every word of a "
            "batch; and outputs of the LSTM. What is validated, kept and tested is the running "
            "average of the weights, which is steadier than the weights themselves. After every "
            "epoch it is judged on the validation reviews; kept is the epoch of the highest "
            "validation accuracy, of equal ones that of the lower loss, and training stops after "
            f"{_epochs(s.patience)} without a better one."
        ),
        prose(
            "At a threshold t a review is called positive if its probability is at least t. "
            "Precision is the share of positive reviews among those called positive, recall the "
            "share of the positive reviews that are called positive, F1 their harmonic mean, and "
            "accuracy the share of all reviews that are called right. The areas are taken over "
            "all thresholds: under the ROC curve by the trapezoid rule, which is the "
            "Mann–Whitney statistic (Hanley and McNeil 1982); under the precision–recall curve as "
            "a sum of steps (average precision)."
        ),
    ]


def _epochs(count: int) -> str:
    return "one epoch" if count == 1 else f"{count} epochs"


def _hyperparameters(exhibits: Exhibits) -> list[Item]:
    text = (
        "{table} lists every setting. The layers are those of the assignment; the others are "
        "common practice for this model, or were chosen on validation reviews."
    )
    return [prose(text, table=ref(exhibits.settings)), exhibits.settings]


def _results(outcome: Outcome, exhibits: Exhibits) -> list[Item]:
    return [
        _training_paragraph(outcome, exhibits),
        exhibits.training,
        _confusion_paragraph(outcome, exhibits),
        exhibits.matrix,
        exhibits.confusion,
        _thresholds_paragraph(outcome, exhibits),
        exhibits.thresholds,
        exhibits.measures,
        _curves_paragraph(outcome, exhibits),
        exhibits.precision_recall,
        exhibits.roc,
        _probabilities_paragraph(outcome, exhibits),
        exhibits.probabilities,
        *_mistakes(outcome, exhibits),
    ]


def _training_paragraph(outcome: Outcome, exhibits: Exhibits) -> Prose:
    stopped = outcome.epochs < outcome.settings.epochs
    end = "after which training stopped early" if stopped else "all that were planned"
    return prose(
        f"{{figure}} shows the training. Of {{epochs}} epochs, {end}, epoch {{chosen}} has the "
        "highest validation accuracy, {accuracy}, at a loss of {loss}. The training curves were "
        "measured during the epochs, on weights that were still changing and with parts left out; "
        "the validation curves after them, with everything in place. So validation may look "
        "better than training at first without anything being wrong.",
        figure=ref(exhibits.training),
        epochs=Number(outcome.epochs, "d", "epochs run"),
        chosen=Number(outcome.chosen, "d", "epoch with the highest validation accuracy"),
        accuracy=outcome.validation_accuracy,
        loss=outcome.metric("val_loss", outcome.chosen),
    )


def _confusion_paragraph(outcome: Outcome, exhibits: Exhibits) -> Prose:
    too_kind, too_harsh = outcome.confusion.false_positive, outcome.confusion.false_negative
    if too_kind > too_harsh:
        tendency = "It is too kind more often than too harsh"
    elif too_kind < too_harsh:
        tendency = "It is too harsh more often than too kind"
    else:
        tendency = "It is too kind as often as too harsh"
    return prose(
        f"At the threshold 0.5 the network is right on {{accuracy}} of the test reviews. {tendency}"
        ": {kind} negative reviews are taken for positive and {harsh} positive ones for negative "
        "({figure}, {table}).",
        accuracy=exhibits.accuracy,
        kind=exhibits.confusion.cell("predicted_positive", actual="negative"),
        harsh=exhibits.confusion.cell("predicted_negative", actual="positive"),
        figure=ref(exhibits.matrix),
        table=ref(exhibits.confusion),
    )


def _thresholds_paragraph(outcome: Outcome, exhibits: Exhibits) -> Prose:
    table = exhibits.thresholds
    if len(outcome.thresholds) == 1:
        text = "{table} has the measures at the only threshold asked for, {figure} at all others."
        return prose(text, table=ref(table), figure=ref(exhibits.measures))
    best = max(table.rows, key=lambda row: float(row["f1"] or 0))["threshold"]
    low, high = outcome.thresholds[0], outcome.thresholds[-1]
    between = (outcome.probability >= low) & (outcome.probability < high)
    trade = _trade_off(outcome, exhibits)
    return prose(
        f"{{table}} compares the thresholds, {{figure}} shows all of them. {trade.text} Of the "
        "compared thresholds, {best} has the highest F1, {f1}. The probabilities of {moved} "
        "reviews ({share}) lie between the outermost thresholds: these change sides.",
        table=ref(table),
        figure=ref(exhibits.measures),
        best=table.cell("threshold", threshold=best),
        f1=table.cell("f1", threshold=best),
        moved=Number(int(between.sum()), ",d", "test reviews between the outermost thresholds"),
        share=Number(float(between.mean()), ".1%", "their share of the test reviews"),
        **trade.values,
    )


def _trade_off(outcome: Outcome, exhibits: Exhibits) -> Prose:
    """What raising the threshold from the lowest to the highest does, as the numbers say."""
    table = exhibits.thresholds
    ends = {"low": outcome.thresholds[0], "high": outcome.thresholds[-1]}
    values: dict[str, Value] = {
        f"{column}_{end}": table.cell(column, threshold=threshold)
        for column in ("threshold", "precision", "recall")
        for end, threshold in ends.items()
    }
    first, last = (table.rows[table.index(threshold=threshold)] for threshold in ends.values())
    precision = _change("precision", first["precision"], last["precision"])
    recall = _change("recall", first["recall"], last["recall"])
    return prose(
        f"Raising the threshold from {{threshold_low}} to {{threshold_high}} {precision} "
        f"({{precision_low}} to {{precision_high}}) and {recall} "
        "({recall_low} to {recall_high}).",
        **values,
    )


def _change(measure: str, first: Scalar, last: Scalar) -> str:
    """What happens to a measure from the first to the last; None where it does not exist."""
    if first is None or last is None:
        return f"leaves {measure} without a value"
    change = float(last) - float(first)
    if change == 0:
        return f"leaves {measure} as it is"
    return f"raises {measure}" if change > 0 else f"lowers {measure}"


def _curves_paragraph(outcome: Outcome, exhibits: Exhibits) -> Prose:
    return prose(
        "Over all thresholds, the area under the ROC curve ({roc}) is {area}: so likely is it that "
        "of two reviews with different labels the positive one gets the higher probability. The "
        "average precision ({curve}) is {precision}, where guessing would reach {level}.",
        roc=ref(exhibits.roc),
        curve=ref(exhibits.precision_recall),
        area=outcome.area,
        precision=Number(outcome.curves.average_precision, ".4f", "average precision, test"),
        level=Number(float(outcome.labels.mean()), ".4f", "share of positive test reviews"),
    )


def _probabilities_paragraph(outcome: Outcome, exhibits: Exhibits) -> Prose:
    p, labels = outcome.probability, outcome.labels
    sure = (p < SURE) | (p > 1 - SURE)
    values: dict[str, Value] = {
        "figure": ref(exhibits.probabilities),
        "share": Number(float(sure.mean()), ".1%", "probabilities below 0.1 or above 0.9"),
    }
    text = (
        "{figure} shows how sure the network is: {share} of its probabilities lie below 0.1 or "
        "above 0.9."
    )
    among = Confusion.at(DECISION, p[sure], labels[sure]).accuracy
    others = Confusion.at(DECISION, p[~sure], labels[~sure]).accuracy
    if among is None or others is None:
        return prose(text, **values)
    verdict = (
        "a probability near the middle is a warning"
        if among > others
        else "being sure does not make it right more often"
    )
    return prose(
        f"{text} It is right on {{among}} of these reviews and on {{others}} of the rest: "
        f"{verdict}.",
        among=Number(among, ".1%", "accuracy where the probability is below 0.1 or above 0.9"),
        others=Number(others, ".1%", "accuracy on all other test reviews"),
        **values,
    )


def _mistakes(outcome: Outcome, exhibits: Exhibits) -> list[Item]:
    if not exhibits.mistakes.rows:
        return [prose("No test review was judged wrongly, so there are no mistakes to quote.")]
    text = "{table} quotes the reviews on which the network was furthest from the truth."
    if not outcome.dataset.facts.get("text"):
        text += " The data hold the words alone, so case and punctuation are lost."
    return [prose(text, table=ref(exhibits.mistakes)), exhibits.mistakes]


def _discussion(outcome: Outcome, exhibits: Exhibits) -> list[Item]:
    paragraphs: list[Item] = [
        _accuracy_paragraph(outcome, exhibits),
        _overfitting_paragraph(outcome, exhibits),
        prose(
            "Which threshold is right depends on what a mistake costs. Where a false praise is "
            "worse, as in picking films to recommend, a high threshold serves; where no praise "
            "may be missed, a low one. The thresholds here were given beforehand; to pick the "
            "best of {table} and report it as found would use the test reviews to choose.",
            table=ref(exhibits.thresholds),
        ),
    ]
    if exhibits.mistakes.rows:
        paragraphs.append(
            prose(
                "What the figures cannot tell, the quotations in {table} can: whether the network "
                "is to blame, taken in by irony or by a plot retold, or a label that contradicts "
                "its review.",
                table=ref(exhibits.mistakes),
            )
        )
    return [*paragraphs, single_seed(Number(outcome.seed, "d", "seed of this report"))]


def _accuracy_paragraph(outcome: Outcome, exhibits: Exhibits) -> Prose:
    accuracy = outcome.confusion.accuracy or 0.0
    positive = float(outcome.labels.mean())
    majority = max(positive, 1 - positive)
    gain = "well above" if accuracy > majority + 0.1 else "above"
    verdict = (
        f"is {gain} that, so the network has learnt to tell praise from blame"
        if accuracy > majority
        else "is no better than that, so the network has learnt nothing of use"
    )
    return prose(
        "Always giving the more frequent label would be right on {majority} of the test reviews. "
        f"The LSTM's {{accuracy}} {verdict}. On the validation reviews it reached {{validation}}, "
        f"{_compared(outcome.validation_accuracy.value - accuracy)}.",
        majority=Number(majority, ".2%", "share of the more frequent label, test reviews"),
        accuracy=exhibits.accuracy,
        validation=outcome.validation_accuracy,
    )


def _compared(lead: float) -> str:
    """What to make of the validation accuracy's lead over that on the test reviews."""
    if lead <= 0:
        return "no more, although the epoch was chosen by them"
    if lead <= EXPECTED_LEAD:
        return "somewhat more, as is to be expected where the epoch was chosen by them"
    return (
        "more than the choice of the epoch by them explains: the test reviews seem to differ from "
        "the training part"
    )


def _overfitting_paragraph(outcome: Outcome, exhibits: Exhibits) -> Prose:
    if outcome.epochs == 1:
        return prose("After a single epoch nothing can be said about overfitting.")
    validation, training = outcome.history["val_loss"], outcome.history["loss"]
    lowest = int(np.argmin(validation)) + 1
    last = outcome.epochs
    values: dict[str, Value] = {
        "figure": ref(exhibits.training),
        "last": outcome.metric("val_loss", last),
    }
    if lowest == last:
        return prose(
            "The validation loss is lowest in the last epoch, {last} ({figure}): overfitting is "
            "not seen yet, and more epochs might still help.",
            **values,
        )
    while_training = "went on falling" if training[-1] < training[lowest - 1] else "rose, too"
    verdict = (
        "the network began to learn its training reviews by heart, which is overfitting"
        if training[-1] < training[lowest - 1]
        else "this is not overfitting, but training that became unsteady"
    )
    return prose(
        "The validation loss is lowest in epoch {lowest}, {least}, and stands at {last} in the "
        f"last one, while the training loss {while_training} from {{before}} to {{after}} "
        f"({{figure}}): {verdict}.",
        lowest=Number(lowest, "d", "epoch with the lowest validation loss"),
        least=outcome.metric("val_loss", lowest),
        before=outcome.metric("loss", lowest),
        after=outcome.metric("loss", last),
        **values,
    )


def _findings(outcome: Outcome, exhibits: Exhibits) -> list[Finding]:
    accuracy = prose(
        "The LSTM calls {accuracy} of {count} unseen reviews right; the area under its ROC curve "
        "is {area}.",
        accuracy=exhibits.accuracy,
        count=exhibits.parts.cell("reviews", part="test"),
        area=outcome.area,
    )
    found = [Finding("accuracy", accuracy)]
    if len(outcome.thresholds) > 1:
        found.append(Finding("thresholds", _trade_off(outcome, exhibits)))
    return found
