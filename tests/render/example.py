"""A report with everything a report can hold; its numbers are made up and mean nothing."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from reportgen.results import (
    Column,
    DataSummary,
    Figure,
    Finding,
    HeatMap,
    Histogram,
    Identity,
    Images,
    LinePanel,
    Lines,
    Marker,
    Number,
    Report,
    Section,
    Series,
    Table,
    prose,
    ref,
    section_with,
)

LATENT = (16, 32, 64, 128)
EPOCHS = tuple(float(epoch) for epoch in range(1, 51))


def report(**changes: object) -> Report:
    """A complete report on published data; ``changes`` are fields of :class:`Report`."""
    sections = {s.experiment: s for s in (autoencoder(), denoising(), lstm())}
    whole = Report(
        Identity(
            "Autoencoders and recurrent networks: three experiments",
            "Ada Example",
            "s1234567",
            "Deep Learning Laboratory",
            "24 November 2026",
        ),
        "standard",
        0,
        "reportgen build --data-dir data --seed 0",
        sections,
        appendix(),
    )
    return dataclasses.replace(whole, **changes)


def troubled() -> Report:
    """A report with every notice: sample data, other data, a failure, parts left out, quick."""
    first = dataclasses.replace(
        autoencoder(), data=dataclasses.replace(MNIST, origin="sample", source="embedded sample")
    )
    second = Section(
        "denoising",
        "Denoising autoencoder",
        "Q2",
        dataclasses.replace(MNIST, origin="other", note="60,000 pictures of the right shape."),
        error="denoising, latent 32: loss is nan in epoch 3: the training diverged",
    )
    sections = {"autoencoder": first, "denoising": second}
    return report(preset="quick", experiments=sections, omitted=("Sentiment with an LSTM",))


def short() -> Report:
    """A report of one chapter."""
    return report(experiments={"denoising": denoising()})


HOSTILE = (
    "<script>alert(1)</script>",
    "</style></title><img src=x onerror=alert(2)>",
    "{{ 7 * 191 }} {% raw %} ${x} $x^$",
    '" onmouseover="alert(3)" \'',
    "\u202eright to left \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "control\x00\x07\x1b\x85 and lone \ud800 surrogate",
    "Donaudampfschiff" * 8,
    "\u4f60\u597d \U0001f642 `a lonely backtick",
    "<!-- --> ]]> &amp; &#0; \\",
)


def hostile() -> Report:
    """A report whose every text is one that must not get through, or break the layout."""
    everything = " ".join(HOSTILE)
    columns = ("first", *(f"c{place}" for place in range(7)))
    table = Table(
        "quotes",
        everything,
        (
            Column("text", everything, everything, everything),
            *(Column(name, f"Head {name}", HOSTILE[0], "m/s", ".3f") for name in columns),
        ),
        tuple({"text": text} | dict.fromkeys(columns, 1 / 3) for text in HOSTILE),
        highlight=(0,),
    )
    plain = Table("plain", "", (Column("a", "<b>"),), ({"a": None}, {"a": True}))
    figures = tuple(
        Figure(f"figure{place}", everything, everything, drawing)
        for place, drawing in enumerate(_hostile_drawings())
    )
    section = section_with(
        "hostile",
        everything,
        everything,
        DataSummary("h", everything, "sample", everything, everything, everything),
        [
            (everything, [prose(_escaped(everything)), table, plain]),
            (everything, [prose("{f}, {n}.", f=ref(figures[0]), n=Number(1, "d", everything))]),
            ("Figures", list(figures)),
        ],
        [Finding("f", prose("{t} " + _escaped(everything), t=ref(table)))],
    )
    failed = Section("failed", everything, everything, error=everything)
    return Report(
        Identity(everything, everything, everything, everything, everything),
        "quick",
        0,
        everything,
        {"hostile": section, "failed": failed},
        appendix(),
        (everything,),
    )


def _hostile_drawings() -> tuple[Lines | Images | HeatMap | Histogram, ...]:
    texts = tuple(text[:40] for text in HOSTILE)
    series = tuple(Series(text, (0, 1), (0, place)) for place, text in enumerate(texts))
    markers = tuple(Marker(0.5, place, text) for place, text in enumerate(texts[:3]))
    return (
        Lines(texts[0], texts[5], (LinePanel(series, texts[1], markers, vertical=markers),)),
        Images(texts[:2], texts[:3], _pictures(2, 3)),
        HeatMap(texts[0], texts[1], texts[:2], texts[2:4], ((0, 0), (1, 2))),
        Histogram(texts[5], texts[6], (0, 1, 2), ((texts[0], (1, 2)), (texts[7], (2, 1)))),
    )


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


MNIST = DataSummary(
    "mnist",
    "MNIST handwritten digits",
    "published",
    "data/mnist.npz",
    "5f1c0e7b1d2a4c6e8f9a0b1c2d3e4f5061728394a5b6c7d8e9f00112233445566",
)
IMDB = DataSummary(
    "imdb",
    "Large Movie Review Dataset",
    "published",
    "data/aclImdb_v1.tar.gz",
    "9a8b7c6d5e4f30211203f4e5d6c7b8a99a8b7c6d5e4f30211203f4e5d6c7b8a9",
)


def autoencoder() -> Section:
    """Curves in four panels, a grid of pictures, a table with intervals and a highlighted row."""
    latent = Column("latent_dim", "Latent dimension", "", "", "d")
    comparison = Table(
        "latent_comparison",
        "Reconstruction of the test digits and training time by latent dimension. The error falls "
        "with every doubling, while the time an epoch takes hardly changes.",
        (
            latent,
            Column("parameters", "Parameters", "Weights and biases of both layers.", "", ",d"),
            Column("test_bce", "Test BCE", "Mean binary cross-entropy a pixel.", "", ".4f"),
            Column("test_mse", "Test MSE", "Mean squared error a pixel.", "", ".5f"),
            Column("test_mse_low", "low", "95 % bootstrap over test images.", "", ".5f"),
            Column("test_mse_high", "high", "95 % bootstrap over test images.", "", ".5f"),
            Column("dead", "Dead units", "Bottleneck units never above zero.", "", "d"),
            Column("seconds_per_epoch", "Time", "Mean wall time of an epoch.", "s/epoch", ".2f"),
        ),
        tuple(
            {
                "latent_dim": d,
                "parameters": 784 * d * 2 + d + 784,
                "test_bce": 0.06 + 1.1 / (d + 18),
                "test_mse": 0.36 / d,
                "test_mse_low": 0.355 / d,
                "test_mse_high": 0.365 / d,
                "dead": d // 50,
                "seconds_per_epoch": 0.6 + d / 400,
            }
            for d in LATENT
        ),
        key=True,
        highlight=(1,),
    )
    settings = Table(
        "hyperparameters",
        "Hyperparameters of the autoencoders.",
        (Column("setting", "Setting"), Column("value", "Value"), Column("meaning", "Meaning")),
        (
            {"setting": "epochs", "value": 50, "meaning": "passes over the training digits"},
            {"setting": "batch_size", "value": 256, "meaning": "digits in a step"},
            {"setting": "learning_rate", "value": "0.002 → 0", "meaning": "Adam, cosine decay"},
        ),
    )
    curves = Figure(
        "loss_curves",
        "Loss of training and validation by epoch. The pairs stay together: none of the four nets "
        "learns its training digits by heart.",
        "Four panels of falling curves, one a latent dimension.",
        Lines(
            "Epoch",
            "Binary cross-entropy",
            tuple(
                LinePanel(
                    (
                        Series("training", EPOCHS, _decay(0.06 + 1.1 / (d + 18)), "dashed", "a"),
                        Series("validation", EPOCHS, _decay(0.061 + 1.1 / (d + 18)), "line", "a"),
                    ),
                    f"Latent dimension {d}",
                )
                for d in LATENT
            ),
        ),
    )
    pictures = Figure(
        "reconstructions",
        "One test digit of each class above its reconstructions. At 16 strokes blur and loops "
        "close; from 64 on the eye sees no difference.",
        "A grid of handwritten digits: originals in the first row, reconstructions below.",
        Images(
            ("Original", *(f"Latent {d}" for d in LATENT)),
            tuple(str(digit) for digit in range(10)),
            _pictures(5, 10),
        ),
    )
    error = Figure(
        "mse_by_latent",
        "Test error and training time over the latent dimension.",
        "Two panels over the latent dimension: error falls, time rises slightly.",
        Lines(
            "Latent dimension",
            "",
            (
                LinePanel(
                    (Series("test MSE", LATENT, tuple(0.36 / d for d in LATENT), "marked"),),
                    "Error",
                    x_scale="log2",
                    y_label="Test MSE",
                    y_scale="log",
                ),
                LinePanel(
                    (Series("time", LATENT, tuple(0.6 + d / 400 for d in LATENT), "marked"),),
                    "Time",
                    x_scale="log2",
                    y_label="Seconds an epoch",
                    y_range=(0, 1),
                ),
            ),
            share_y=False,
        ),
    )
    best = comparison.cell("test_mse", latent_dim=128)
    return section_with(
        "autoencoder",
        "Basic autoencoder",
        "Q1",
        MNIST,
        [
            (
                "Objective",
                [
                    prose(
                        "An autoencoder squeezes a picture through a narrow layer and builds it up "
                        "again. How narrow may the layer be before the digits suffer, and what "
                        "does a wider one cost?"
                    )
                ],
            ),
            (
                "Method",
                [
                    prose(
                        "Each digit of 784 pixels passes `Dense(latent_dim, relu)` and "
                        "`Dense(784, sigmoid)`; the loss is the binary cross-entropy. The net of "
                        "latent dimension 32 has {n} parameters ({table}).",
                        n=comparison.cell("parameters", latent_dim=32),
                        table=ref(comparison),
                    ),
                    settings,
                ],
            ),
            (
                "Results",
                [
                    prose(
                        "Doubling the latent dimension from 16 to 32 lowers the test error from "
                        "{a} to {b}; at 128 it is {c}. {curves} shows the training, and "
                        "{pictures} what the numbers look like.",
                        a=comparison.cell("test_mse", latent_dim=16),
                        b=comparison.cell("test_mse", latent_dim=32),
                        c=best,
                        curves=ref(curves),
                        pictures=ref(pictures),
                    ),
                    comparison,
                    curves,
                    pictures,
                    error,
                ],
            ),
            (
                "Discussion",
                [
                    prose(
                        "The error keeps falling, but what it buys shrinks: the step from 64 to "
                        "128 saves {gain} of squared error a pixel. {error} sets this beside the "
                        "time, which hardly moves, because the larger matrices still fit into the "
                        "processor's cache.",
                        gain=Number(0.0028125, ".4f", "test MSE at 64 minus test MSE at 128"),
                        error=ref(error),
                    )
                ],
            ),
        ],
        [
            Finding(
                "latent",
                prose(
                    "Reconstruction improves with every doubling of the latent dimension: the "
                    "test error falls from {a} at 16 to {b} at 128 ({where}).",
                    a=comparison.cell("test_mse", latent_dim=16),
                    b=best,
                    where=ref(error),
                ),
            ),
            Finding(
                "time",
                prose(
                    "An epoch takes {a} s at 16 and {b} s at 128; the difference is small.",
                    a=comparison.cell("seconds_per_epoch", latent_dim=16),
                    b=comparison.cell("seconds_per_epoch", latent_dim=128),
                ),
            ),
        ],
    )


def denoising() -> Section:
    """A sweep in one panel with several methods, and a grid of pictures with long row labels."""
    methods = ("noisy input", "basic autoencoder", "denoising autoencoder")
    levels = tuple(round(0.1 * k, 1) for k in range(1, 9))
    errors = Table(
        "denoising_mse",
        "Error against the clean test digits at noise 0.5. The denoising autoencoder removes most "
        "of what the basic one lets through.",
        (Column("method", "Method"), Column("test_mse", "Test MSE", "", "", ".4f")),
        tuple(
            {"method": m, "test_mse": v}
            for m, v in zip(methods, (0.116, 0.043, 0.018), strict=True)
        ),
        key=True,
        highlight=(2,),
    )
    grid = Figure(
        "denoised",
        "Ten test digits with noise of standard deviation 0.5, what both nets make of them, and "
        "the truth.",
        "A grid of digits: noisy, basic, denoised, clean.",
        Images(
            ("Noisy input", "Basic autoencoder", "Denoising autoencoder", "Ground truth"),
            tuple(str(digit) for digit in range(10)),
            _pictures(4, 10),
        ),
    )
    sweep = Figure(
        "noise_sweep",
        "Error over the strength of the noise, with nets trained at 0.5. The basic autoencoder is "
        "better only where there is next to no noise.",
        "Three rising curves over the noise level.",
        Lines(
            "Standard deviation of the noise",
            "Test MSE",
            (
                LinePanel(
                    tuple(
                        Series(m, levels, tuple(a * x * x + b for x in levels), "marked")
                        for m, a, b in zip(
                            methods, (0.4, 0.15, 0.03), (0, 0.01, 0.011), strict=True
                        )
                    ),
                    vertical=(Marker(0.5, 0, "trained at 0.5"),),
                ),
            ),
        ),
    )
    return section_with(
        "denoising",
        "Denoising autoencoder",
        "Q2",
        dataclasses.replace(MNIST, note="The same digits as in the first experiment."),
        [
            ("Objective", [prose("Can a net be taught to remove noise it has never seen before?")]),
            (
                "Results",
                [
                    prose(
                        "{t} compares the methods: the denoising autoencoder's error of {mse} is "
                        "below half of the basic one's {basic}. {g} shows it on ten digits and {s} "
                        "over other strengths of noise.",
                        t=ref(errors),
                        mse=errors.cell("test_mse", method="denoising autoencoder"),
                        basic=errors.cell("test_mse", method="basic autoencoder"),
                        g=ref(grid),
                        s=ref(sweep),
                    ),
                    errors,
                    grid,
                    sweep,
                ],
            ),
        ],
        [
            Finding(
                "denoising",
                prose(
                    "On noisy digits the denoising autoencoder's error is {a}, the basic one's "
                    "{b}; the noise itself amounts to {c}.",
                    a=errors.cell("test_mse", method="denoising autoencoder"),
                    b=errors.cell("test_mse", method="basic autoencoder"),
                    c=errors.cell("test_mse", method="noisy input"),
                ),
            )
        ],
    )


def lstm() -> Section:
    """A heat map, curves with markers, a histogram, a wide table and quoted reviews."""
    thresholds = Table(
        "thresholds",
        "The test reviews at three thresholds.",
        tuple(
            Column(name, title, note, "", form)
            for name, title, note, form in (
                ("threshold", "Threshold", "", ".1f"),
                (
                    "precision",
                    "Precision",
                    "Share of right ones among those called positive.",
                    ".4f",
                ),
                ("precision_low", "low", "95 % Wilson interval over reviews.", ".4f"),
                ("precision_high", "high", "95 % Wilson interval over reviews.", ".4f"),
                ("recall", "Recall", "Share of the positive reviews that were found.", ".4f"),
                ("recall_low", "low", "95 % Wilson interval over reviews.", ".4f"),
                ("recall_high", "high", "95 % Wilson interval over reviews.", ".4f"),
                ("f1", "F1", "", ".4f"),
                ("accuracy", "Accuracy", "", ".2%"),
            )
        ),
        tuple(
            {
                "threshold": t,
                "precision": 0.8 + t / 8,
                "precision_low": 0.795 + t / 8,
                "precision_high": 0.805 + t / 8,
                "recall": 0.95 - t / 7,
                "recall_low": 0.945 - t / 7,
                "recall_high": 0.955 - t / 7,
                "f1": 0.87,
                "accuracy": 0.88 - abs(t - 0.5) / 10,
            }
            for t in (0.3, 0.5, 0.7)
        ),
        key=True,
    )
    confusion = Table(
        "confusion_matrix",
        "Test reviews by their own and their predicted sentiment.",
        (
            Column("actual", "Actual"),
            Column("predicted_negative", "Predicted negative", "", "", ",d"),
            Column("predicted_positive", "Predicted positive", "", "", ",d"),
        ),
        (
            {"actual": "negative", "predicted_negative": 11030, "predicted_positive": 1470},
            {"actual": "positive", "predicted_negative": 1322, "predicted_positive": 11178},
        ),
    )
    quotes = Table(
        "mistakes",
        "Reviews that the net got most wrong, quoted from their beginning.",
        (
            Column("probability", "P(positive)", "", "", ".3f"),
            Column("actual", "Actual"),
            Column("review", "Review"),
        ),
        (
            {
                "probability": 0.991,
                "actual": "negative",
                "review": "What a wonderful cast, what gorgeous pictures, what a splendid score – "
                "and what a waste of all three. I wanted to love this film from the first minute "
                "and was still wanting when the lights went on " + "again " * 30,
            },
            {
                "probability": 0.012,
                "actual": "positive",
                "review": "Awful people doing terrible things to each other for two hours. I have "
                "rarely been so gripped.",
            },
        ),
    )
    few = tuple(float(epoch) for epoch in range(1, 7))
    training = Figure(
        "training",
        "Accuracy and loss by epoch. Validation is best in epoch 4, whose weights are kept.",
        "Two panels: accuracy rises, loss falls; validation turns after epoch 4.",
        Lines(
            "Epoch",
            "",
            (
                LinePanel(
                    (
                        Series(
                            "training", few, (0.72, 0.87, 0.91, 0.93, 0.95, 0.96), "dashed", "a"
                        ),
                        Series(
                            "validation", few, (0.8, 0.86, 0.87, 0.88, 0.875, 0.87), "line", "a"
                        ),
                    ),
                    y_label="Accuracy",
                    vertical=(Marker(4, 0, "kept"),),
                ),
                LinePanel(
                    (
                        Series("training", few, (0.55, 0.33, 0.25, 0.2, 0.15, 0.12), "dashed", "a"),
                        Series("validation", few, (0.45, 0.35, 0.31, 0.3, 0.33, 0.37), "line", "a"),
                    ),
                    y_label="Loss",
                    vertical=(Marker(4, 0, "kept"),),
                ),
            ),
            share_y=False,
        ),
    )
    matrix = Figure(
        "confusion",
        "Confusion matrix at threshold 0.5: both kinds of mistake are about as frequent.",
        "A matrix of two rows and two columns.",
        HeatMap(
            "Predicted",
            "Actual",
            ("negative", "positive"),
            ("negative", "positive"),
            ((11030, 1470), (1322, 11178)),
        ),
    )
    x = np.linspace(0, 1, 400)
    curve = Figure(
        "precision_recall",
        "Precision and recall over all thresholds, the three of the assignment marked; beside it "
        "the ROC curve.",
        "Two curves: precision falls as recall rises; the ROC curve hugs the upper left corner.",
        Lines(
            "Recall",
            "Precision",
            (
                LinePanel(
                    (Series("LSTM", tuple(x), tuple(1 - 0.5 * x**9 - 0.05 * x)),),
                    "Precision–recall",
                    markers=tuple(
                        Marker(r, 1 - 0.5 * r**9 - 0.05 * r, f"{t}")
                        for t, r in ((0.3, 0.92), (0.5, 0.88), (0.7, 0.82))
                    ),
                    x_range=(0, 1),
                    y_range=(0, 1),
                ),
                LinePanel(
                    (
                        Series("LSTM", tuple(x), tuple(1 - (1 - x) ** 12)),
                        Series("chance", (0, 1), (0, 1), "dashed"),
                    ),
                    "ROC, area 0.95",
                    y_label="True positive rate",
                    x_range=(0, 1),
                    y_range=(0, 1),
                ),
            ),
            share_y=False,
        ),
    )
    spread = Figure(
        "probabilities",
        "Predicted probabilities by true class. Most reviews are decided; the overlap in the "
        "middle is what a threshold can move.",
        "Two histograms, one leaning to zero, one to one.",
        Histogram(
            "Predicted probability of a positive review",
            "Reviews",
            tuple(np.linspace(0, 1, 31)),
            (
                ("negative", tuple(int(4000 * math.exp(-k / 4)) + 60 for k in range(30))),
                ("positive", tuple(int(4200 * math.exp(-(29 - k) / 4)) + 50 for k in range(30))),
            ),
            tuple(Marker(t, 0, f"{t}") for t in (0.3, 0.5, 0.7)),
        ),
    )
    return section_with(
        "lstm",
        "Sentiment of film reviews with an LSTM",
        "Q3",
        IMDB,
        [
            (
                "Method",
                [
                    prose(
                        "`Embedding(10000, 128) → LSTM(64) → Dense(1, sigmoid)`, at most 500 "
                        "tokens a review."
                    )
                ],
            ),
            (
                "Results",
                [
                    prose(
                        "Accuracy on the test reviews is {acc} at threshold 0.5 ({t}, {m}). "
                        "{a}, {b} and {c} show how it came about and how a threshold changes it; "
                        "{d} gives the counts.",
                        acc=thresholds.cell("accuracy", threshold=0.5),
                        t=ref(thresholds),
                        m=ref(matrix),
                        a=ref(training),
                        b=ref(curve),
                        c=ref(spread),
                        d=ref(confusion),
                    ),
                    training,
                    thresholds,
                    confusion,
                    matrix,
                    curve,
                    spread,
                ],
            ),
            ("Mistakes", [prose("{q} quotes the worst.", q=ref(quotes)), quotes]),
        ],
        [
            Finding(
                "accuracy",
                prose(
                    "The LSTM labels {acc} of the test reviews rightly; raising the threshold from "
                    "0.3 to 0.7 raises precision from {p} to {q} and lowers recall from {r} to {s} "
                    "({where}).",
                    acc=thresholds.cell("accuracy", threshold=0.5),
                    p=thresholds.cell("precision", threshold=0.3),
                    q=thresholds.cell("precision", threshold=0.7),
                    r=thresholds.cell("recall", threshold=0.3),
                    s=thresholds.cell("recall", threshold=0.7),
                    where=ref(curve),
                ),
            )
        ],
    )


def appendix() -> Section:
    """Two parts with plain tables."""
    versions = Table(
        "environment",
        "The machine and the software on which the report was built.",
        (Column("name", "Component"), Column("value", "Version or model")),
        tuple(
            {"name": n, "value": v}
            for n, v in (
                ("Operating system", "Linux 6.1 (x86_64)"),
                ("Processor", "Example Processor 3000, two cores"),
                ("Python", "3.11.9"),
                ("tensorflow", "2.21.0"),
            )
        ),
    )
    data = Table(
        "data",
        "The data and the SHA-256 of their contents.",
        (Column("dataset", "Dataset"), Column("source", "Source"), Column("hash", "SHA-256")),
        tuple(
            {"dataset": d.title, "source": d.source, "hash": d.fingerprint} for d in (MNIST, IMDB)
        ),
    )
    command = prose("Built again by `reportgen build --data-dir data` on {d}.", d=ref(data))
    return section_with(
        "appendix",
        "Provenance",
        "Appendix",
        None,
        [("Reproduction", [command, data]), ("Environment", [versions])],
    )


def _decay(floor: float) -> tuple[float, ...]:
    return tuple(floor + 0.15 * math.exp(-epoch / 5) for epoch in EPOCHS)


def _pictures(rows: int, columns: int) -> np.ndarray:
    """Rings and bars of 28 × 28 pixels, somewhat like digits."""
    y, x = np.mgrid[-1:1:28j, -1:1:28j]
    tiles = np.empty((rows, columns, 28, 28), np.uint8)
    for row in range(rows):
        for column in range(columns):
            radius = np.hypot(x * (1 + column % 3 / 3), y)
            ring = np.exp(-(((radius - 0.3 - column / 25) / (0.1 + row / 30)) ** 2))
            tiles[row, column] = (255 * np.clip(ring, 0, 1)).astype(np.uint8)
    return tiles
