"""How the reviews were read and the network trained: the parts of the chapter before results."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.lstm.classification import Confusion
from experiments.lstm.outcome import DECISION, Item, Outcome
from experiments.wording import hyperparameters
from reportgen.results import (
    Column,
    Figure,
    LinePanel,
    Lines,
    Marker,
    Number,
    Prose,
    Scalar,
    Series,
    Table,
    Value,
    prose,
    ref,
)

QUANTILES = {"shortest": 0.0, "q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95}
QUANTILES |= {"longest": 1.0}
ACTIVATIONS = {"LSTM": "tanh, gates sigmoid", "Dense": "sigmoid"}
"""By kind of layer, as the trainer builds it: Keras' own of an LSTM, a sigmoid at the end."""


@dataclass(frozen=True)
class Training:
    """The tables and figures on data, network and training."""

    parts: Table
    lengths: Table
    layers: Table
    settings: Table
    curves: Figure

    @classmethod
    def of(cls, outcome: Outcome) -> Training:
        """All of them for an outcome."""
        return cls(
            _parts_table(outcome),
            _lengths_table(outcome),
            _layers_table(outcome),
            hyperparameters(outcome.settings, "The hyperparameters of the LSTM."),
            _training_figure(outcome),
        )


# ----------------------------------------------------------------------------------------- prose


def data(outcome: Outcome, exhibits: Training) -> list[Item]:
    """What is read, how much of it is lost, and which reviews are used for what."""
    settings, parts = outcome.settings, exhibits.parts
    return [
        prose(
            "A review is split into words as Keras' `Tokenizer` does it: lower case, punctuation "
            "taken for spaces. The vocabulary has "
            f"{settings.vocabulary:,} entries: the id 0 pads, 1 stands for every unknown word, and "
            "from 2 on follow the most frequent words of the training part, counted there alone. "
            f"Reviews of more than {settings.sequence_length:,} words keep their last ones, in "
            "which the verdict tends to stand; shorter ones are padded in front, and the padding "
            "is masked. {table} shows the sizes, {lengths} how long reviews are: {cut} of the test "
            "reviews are cut, and {unknown} of the test words that are kept are unknown.",
            table=ref(parts),
            lengths=ref(exhibits.lengths),
            cut=parts.cell("share_cut", part="test"),
            unknown=parts.cell("share_unknown", part="test"),
        ),
        parts,
        exhibits.lengths,
        _balance_sentence(outcome),
        _validation_sentence(outcome, exhibits),
        _test_sentence(outcome, exhibits),
    ]


def _balance_sentence(outcome: Outcome) -> Prose:
    shares: dict[str, Value] = {}
    for part in ("fitted", "validation", "test"):
        facts = outcome.result.scalars[part]
        about = f"share of positive reviews, {part}"
        shares[part] = outcome.number(facts["positive"] / facts["reviews"], ".1%", about)
    return prose(
        "Positive are {fitted} of the fitted reviews, {validation} of those for validation, and "
        "{test} of those for the test. Where the shares are near a half, as here meant to be, "
        "accuracy says what it seems to say; were one label rare, always giving the other would "
        "be right almost always.",
        **shares,
    )


def _validation_sentence(outcome: Outcome, exhibits: Training) -> Prose:
    text = (
        "The {count} validation reviews were split at random from the training part, with its "
        "shares of the labels; they decide when training stops and which epoch is kept."
    )
    values = {"count": exhibits.parts.cell("reviews", part="validation")}
    left_out = outcome.result.scalars["left_out"]
    if not left_out:
        return prose(text + " No review with the same words stands on both sides.", **values)
    number = outcome.number(left_out, ",d", "training reviews with words of a validation review")
    text += " Reviews with the same words as one of them were left out of training: {left_out}."
    return prose(text, left_out=number, **values)


def _test_sentence(outcome: Outcome, exhibits: Training) -> Prose:
    text = "The {count} test reviews were used once, after everything else had been chosen."
    count = exhibits.parts.cell("reviews", part="test")
    known = outcome.in_train == 1
    if not known.any():
        return prose(text + " None of them stands in the training part.", count=count)
    others = Confusion.at(DECISION, outcome.probability[~known], outcome.labels[~known])
    interval = others.intervals["accuracy"]
    if others.accuracy is None or interval is None:
        return prose(text + " All of them stand in the training part as well.", count=count)
    return prose(
        text + " Word for word, {known} of them ({share}) stand in the training part as well; "
        "without these, accuracy at the threshold 0.5 is {accuracy} ({low} to {high}).",
        count=count,
        known=Number(int(known.sum()), ",d", "test reviews that are training reviews as well"),
        share=Number(float(known.mean()), ".2%", "share of test reviews also in training"),
        accuracy=outcome.number(
            others.accuracy, ".2%", "accuracy without reviews also in training"
        ),
        **{
            end: outcome.number(value, ".2%", f"{end} end of its 95 % interval (Wilson)")
            for end, value in zip(("low", "high"), interval, strict=True)
        },
    )


def method(outcome: Outcome, exhibits: Training) -> list[Item]:
    """The network and how it is trained; what is measured is told where it is shown."""
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
            total=exhibits.layers.cell("parameters", layer="total"),
            share=outcome.number(share, ".1%", "share of the parameters in the embedding"),
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
    ]


def _epochs(count: int) -> str:
    return "one epoch" if count == 1 else f"{count} epochs"


def hyperparameter_list(exhibits: Training) -> list[Item]:
    """Every setting."""
    text = (
        "{table} lists every setting. The layers are those of the assignment; the others are "
        "common practice for this model, or were chosen on validation reviews."
    )
    return [prose(text, table=ref(exhibits.settings)), exhibits.settings]


def course_of_training(outcome: Outcome, exhibits: Training) -> Prose:
    """How many epochs were run, which was chosen, and by what rule."""
    stopped = outcome.epochs < outcome.settings.epochs
    end = "after which training stopped early" if stopped else "all that were planned"
    return prose(
        f"{{figure}} shows the training. Of {{epochs}} epochs, {end}, epoch {{chosen}} has the "
        "highest validation accuracy, {accuracy}, at a loss of {loss}. The training curves were "
        "measured during the epochs, on weights that were still changing and with parts left out; "
        "the validation curves after them, with everything in place. So validation may look "
        "better than training at first without anything being wrong.",
        figure=ref(exhibits.curves),
        epochs=outcome.number(outcome.epochs, "d", "epochs run"),
        chosen=outcome.number(outcome.chosen, "d", "epoch with the highest validation accuracy"),
        accuracy=outcome.validation_accuracy,
        loss=outcome.metric("val_loss", outcome.chosen),
    )


def overfitting(outcome: Outcome, exhibits: Training) -> Prose:
    """Whether the network learnt its training reviews by heart, as the losses show it."""
    if outcome.epochs == 1:
        return prose("After a single epoch nothing can be said about overfitting.")
    validation, training = outcome.history["val_loss"], outcome.history["loss"]
    lowest = int(np.argmin(validation)) + 1
    last = outcome.epochs
    values: dict[str, Value] = {
        "figure": ref(exhibits.curves),
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
        lowest=outcome.number(lowest, "d", "epoch with the lowest validation loss"),
        least=outcome.metric("val_loss", lowest),
        before=outcome.metric("loss", lowest),
        after=outcome.metric("loss", last),
        **values,
    )


# ---------------------------------------------------------------------------------------- tables


def _parts_table(outcome: Outcome) -> Table:
    columns = (
        Column("part", "Part"),
        Column("reviews", "Reviews", "number of reviews", format=",d"),
        Column("positive", "Positive", "reviews with a positive label", format=",d"),
        Column("mean_words", "Mean length", "before cutting", "words", ".1f"),
        Column("mean_words_kept", "After cutting", "mean length after cutting", "words", ".1f"),
        Column("share_cut", "Cut", "share of reviews that were cut", format=".1%"),
        Column(
            "share_unknown",
            "Unknown",
            "share of the words kept that are outside of the vocabulary",
            format=".1%",
        ),
    )
    names = [column.name for column in columns[1:]]
    rows: list[dict[str, Scalar]] = []
    for part in ("fitted", "validation", "test"):
        facts = outcome.result.scalars[part]
        rows.append({"part": part} | {name: facts[name] for name in names})
    caption = (
        "The reviews that were fitted, those that chose the epoch, both from the training part of "
        "the data, and those of its test part."
    )
    return Table("parts", caption, columns, tuple(rows), trials=(outcome.origin,) * len(rows))


def _lengths_table(outcome: Outcome) -> Table:
    longest = outcome.settings.sequence_length
    columns = (
        Column("part", "Part"),
        Column("shortest", "Shortest", "", "words", ",d"),
        *(
            Column(name, f"{share:.0%}", "", "words", ",d")
            for name, share in QUANTILES.items()
            if 0 < share < 1
        ),
        Column("longest", "Longest", "", "words", ",d"),
        Column("share_longer", f"Over {longest:,}", "share of reviews that are longer", "", ".1%"),
    )
    rows: list[dict[str, Scalar]] = []
    for part in ("train", "test"):
        words = np.diff(np.asarray(outcome.dataset.array(f"{part}_offsets")))
        ends = np.quantile(words, list(QUANTILES.values()), method="inverted_cdf")
        rows.append(
            {
                "part": {"train": "training part", "test": "test part"}[part],
                **{name: int(end) for name, end in zip(QUANTILES, ends, strict=True)},
                "share_longer": float((words > longest).mean()),
            }
        )
    caption = (
        "How long the reviews of the data are before cutting: the number of words that the share "
        "of them at the head of a column does not exceed."
    )
    return Table("lengths", caption, columns, tuple(rows))


def _layers_table(outcome: Outcome) -> Table:
    layers = outcome.result.scalars["layers"]
    rows: list[dict[str, Scalar]] = [
        {
            "layer": layer["name"],
            "kind": layer["type"],
            "output": " × ".join(str(size) for size in layer["output"]),
            "activation": ACTIVATIONS.get(layer["type"]),
            "parameters": layer["parameters"],
        }
        for layer in layers
    ]
    total = sum(layer["parameters"] for layer in layers)
    rows.append(
        {"layer": "total", "kind": None, "output": None, "activation": None, "parameters": total}
    )
    columns = (
        Column("layer", "Layer"),
        Column("kind", "Kind", "class of the layer in Keras"),
        Column("output", "Outputs", "how many values the layer gives for a review"),
        Column("activation", "Activation"),
        Column("parameters", "Parameters", format=",d"),
    )
    caption = (
        "The layers as Keras counts them, and how many parameters each has: trained weights and "
        "biases. The embedding gives its values for each word."
    )
    origins = (outcome.origin,) * len(rows)
    return Table("architecture", caption, columns, tuple(rows), trials=origins)


# --------------------------------------------------------------------------------------- figures


def _training_figure(outcome: Outcome) -> Figure:
    epochs = tuple(float(epoch) for epoch in range(1, outcome.epochs + 1))
    rule = (Marker(float(outcome.chosen), 0, "chosen"),)

    def panel(metric: str, label: str) -> LinePanel:
        fitted, validated = outcome.history[metric], outcome.history[f"val_{metric}"]
        series = (
            Series("training", epochs, tuple(fitted), "marked"),
            Series("validation", epochs, tuple(validated), "marked"),
        )
        return LinePanel(series, vertical=rule, y_label=label)

    return Figure(
        "training",
        "Loss and accuracy of training and validation reviews by epoch. The vertical rule marks "
        "the epoch whose weights were kept: the one with the highest validation accuracy.",
        "Two panels of curves over the epochs: cross-entropy and accuracy, each for training and "
        "validation.",
        Lines(
            "epoch",
            "",
            (panel("loss", "binary cross-entropy"), panel("accuracy", "accuracy")),
            share_y=False,
        ),
    )
