"""Q1: the basic autoencoder at several latent dimensions; its settings, trials and chapter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from experiments.autoencoder.discussion import claims, discussion, findings, of_dims
from experiments.autoencoder.exhibits import Exhibits
from experiments.autoencoder.trainings import BASELINE
from experiments.data.mnist import SIDE, MnistSource
from experiments.dense_experiment import DenseSettings, dense_trial
from reportgen.experiment import DataSource, Evidence, Experiment, Trial, setting
from reportgen.results import (
    Figure,
    Number,
    Prose,
    Section,
    Table,
    Value,
    prose,
    ref,
    section_with,
)
from reportgen.statistics import FEWEST_SEEDS

Item = Prose | Table | Figure


@dataclass(frozen=True)
class AutoencoderSettings(DenseSettings):
    """Settings of the basic autoencoder; the latent dimensions are those of the assignment."""

    latent_dims: tuple[int, ...] = setting(
        (16, 32, 64, 128), "latent dimensions to compare", minimum=1, maximum=784
    )

    def __post_init__(self) -> None:
        """Check that there is something to train, and nothing twice."""
        if not self.latent_dims or len(set(self.latent_dims)) < len(self.latent_dims):
            raise ValueError("latent_dims needs at least one latent dimension, and each once.")


def basic_trial(settings: AutoencoderSettings, latent_dim: int, seed: int) -> Trial:
    """The training of the basic autoencoder at one latent dimension, listed or not.

    Other experiments that build on this autoencoder name the same training by it.
    """
    return dense_trial("autoencoder", settings, latent_dim, 0.0, seed)


class AutoencoderExperiment(Experiment[AutoencoderSettings]):
    """Reconstruction of MNIST digits through bottlenecks of different widths."""

    name: ClassVar[str] = "autoencoder"
    title: ClassVar[str] = "Basic autoencoder on MNIST"
    question: ClassVar[str] = "Q1"
    summary: ClassVar[str] = "compares dense autoencoders of several latent dimensions on MNIST"
    order: ClassVar[int] = 1
    settings = AutoencoderSettings
    source: DataSource = MnistSource()

    def trials(
        self, settings: AutoencoderSettings, seed: int, others: Mapping[str, Any]
    ) -> list[Trial]:
        """One training for each latent dimension."""
        return [basic_trial(settings, dim, seed) for dim in sorted(settings.latent_dims)]

    def baselines(
        self, settings: AutoencoderSettings, seed: int, others: Mapping[str, Any]
    ) -> list[Trial]:
        """PCA at each latent dimension and the mean image, fitted to the same images."""
        params = {
            "latent_dims": sorted(settings.latent_dims),
            "validation_images": settings.validation_images,
            "training_images": settings.training_images,
        }
        return [Trial(self.name, BASELINE, params, seed, "PCA and mean image", BASELINE_SECONDS)]

    def section(self, evidence: Evidence[AutoencoderSettings]) -> Section:
        """The chapter: what was asked, done, found, and what follows from it."""
        exhibits = Exhibits.of(evidence)
        return section_with(
            self.name,
            self.title,
            self.question,
            evidence.dataset.summary,
            [
                ("Objective", _objective()),
                ("Data", _data(exhibits)),
                ("Method", _method(exhibits)),
                ("Hyperparameters", _hyperparameters(exhibits)),
                ("Results", _results(exhibits)),
                ("Errors", _errors(exhibits)),
                ("Discussion", discussion(evidence, exhibits)),
            ],
            findings(exhibits),
            claims(exhibits),
        )


BASELINE_SECONDS = 1.5
"""A rough duration on all of MNIST, measured on one core."""


# ----------------------------------------------------------------------------------------- prose


def _objective() -> list[Item]:
    return [
        prose(
            "An autoencoder is a network that has to give back its own input after it has passed "
            "through a bottleneck. What the bottleneck can't hold is lost, so its width, the "
            "latent dimension, decides how good reconstructions can be. This chapter measures how "
            "reconstruction error, number of parameters and time of training depend on it."
        )
    ]


def _data(exhibits: Exhibits) -> list[Item]:
    return [_about_images(exhibits.data), exhibits.data, exhibits.analysis.about_classes()]


def _about_images(parts: Table) -> Prose:
    """What the images are, how they are prepared and split."""
    return prose(
        f"An image shows one handwritten digit in {SIDE} × {SIDE} grey pixels. Its pixels, 0 for "
        "paper to 255 for ink, are divided by 255, so that they lie in [0, 1], and the image is "
        f"flattened to a row of {SIDE * SIDE} values. The validation images were split at random, "
        "by the seed, from the training part ({table}). The {test} test images decided nothing: "
        "they were used once training was over. Labels play no part in training; they only group "
        "the errors, and pick digits to be shown.",
        table=ref(parts),
        test=parts.cell("images", part="test"),
    )


def _about_training() -> Prose:
    """How the weights are found."""
    return prose(
        "Training minimises the binary cross-entropy −[x log p + (1 − x) log(1 − p)] between the "
        "pixel x of the clean image and the pixel p of the reconstruction, averaged over pixels "
        "and images, with Adam (Kingma and Ba 2015) and weight decay, which keeps kernels small "
        "(Loshchilov and Hutter 2019). The learning rate rises during a short warm-up and then "
        "falls by a cosine to zero. While training, the mean of the inputs is "
        "subtracted from them, and the decoder starts from the mean image (LeCun et al. 1998, "
        "“Efficient BackProp”): both make high learning rates bearable, under which units of "
        "the bottleneck may otherwise die, that is, never be above zero again. Afterwards the "
        "subtraction is put into the encoder's bias, so that the model is exactly the one above. "
        "The model of the last epoch is tested. Losses are measured after each epoch, on the "
        "validation images and on equally many of the training images."
    )


def _method(exhibits: Exhibits) -> list[Item]:
    dims, places = of_dims(exhibits)
    times = "once for each seed" if exhibits.several_seeds else "once"
    gpu, nor_gpu = ("a GPU and ", ", nor what the GPU did") if exhibits.on_gpu else ("", "")
    return [
        prose(
            "The model is `Input(784) → Dense(latent_dim, relu) → Dense(784, sigmoid)`: the "
            "encoder turns an image into as many numbers as the latent dimension, none of them "
            "negative, and the decoder turns these into an image. It was trained "
            f"{times} at each of the latent dimensions {dims}. {{table}} counts the parameters.",
            table=ref(exhibits.architecture),
            **places,
        ),
        _about_training(),
        exhibits.architecture,
        prose(
            "Two errors are measured on the test images: the binary cross-entropy (BCE), which is "
            "also the loss, and the mean squared error (MSE) of the pixels. For grey pixels the "
            "BCE does not go down to zero: a perfect reconstruction of the test images would have "
            "{floor}, the floor above which it counts. What the autoencoder is compared with is "
            "principal component analysis (PCA) with as many components as the latent dimension, "
            "fitted to the same training images as the first seed's autoencoders; no other linear "
            "bottleneck has a smaller squared error on these. MSE is PCA's own measure. Its BCE "
            "says little: pixels that are clipped to exactly 0 or 1 and are not so in the original "
            "dominate it.",
            floor=exhibits.floor,
        ),
        _about_statistics(exhibits),
        prose(
            "So that times can be compared, all models were trained by the same code, compiled "
            f"with XLA, on {gpu}{{threads}} processor thread each. The time of an epoch is the "
            "median, since the first epoch also compiles. Wall time is what one waits; processor "
            f"time does not count what other programs took meanwhile{nor_gpu}.",
            threads=exhibits.threads,
        ),
    ]


def _about_statistics(exhibits: Exhibits) -> Prose:
    """How sure the numbers are said to be."""
    seeds = len(exhibits.trainings.seeds)
    text = (
        "Intervals are 95 % BCa bootstrap intervals (Efron 1987) over the test images. Models are "
        "compared image by image: the paired differences have an interval of the same kind, an "
        "effect size d_z, their mean in standard deviations (Cohen 1988), and a two-sided paired "
        "t-test, whose p-values are adjusted for all comparisons of a table together (Holm 1979). "
        "The intervals of median times lie between order statistics (Hettmansperger and Sheather "
        "1986)."
    )
    places: dict[str, Value] = {}
    if exhibits.several_seeds:
        text += " Mean and standard deviation over seeds stand apart from these."
    if seeds >= FEWEST_SEEDS:
        text += (
            " So does the paired sign-flip test over seeds (Fisher 1935). Its p-values are not "
            "adjusted: with {count} seeds they can't be below {least} anyway."
        )
        places["count"] = Number(seeds, "d", "number of seeds")
        places["least"] = Number(2 / 2**seeds, "p", "2 / 2 to the power of the seeds")
    return prose(text, **places)


def _hyperparameters(exhibits: Exhibits) -> list[Item]:
    text = "{table} lists every setting. All latent dimensions were trained with the same values."
    return [prose(text, table=ref(exhibits.settings)), exhibits.settings]


def _results(exhibits: Exhibits) -> list[Item]:
    text = "{comparison} compares the latent dimensions on the test images"
    places = {
        name: ref(getattr(exhibits, name)) for name in ("comparison", "baselines", "error")
    } | {"reconstructions": ref(exhibits.reconstructions)}
    if exhibits.neighbours:
        text += "; {steps} tells of each step to a larger one whether it counts"
        places["steps"] = ref(exhibits.neighbours)
    if exhibits.neighbours_over_seeds:
        text += ", and {seeds} does so over seeds"
        places["seeds"] = ref(exhibits.neighbours_over_seeds)
    text += (
        ". {baselines} has the baselines, and {error} draws both. {reconstructions} shows the same "
        "digits as each autoencoder gives them back."
    )
    items: list[Item] = [prose(text, **places), exhibits.comparison]
    items += [table for table in (exhibits.neighbours, exhibits.neighbours_over_seeds) if table]
    items += [
        exhibits.baselines,
        exhibits.error,
        exhibits.reconstructions,
        prose(
            "{loss} shows the loss on training and validation images after each epoch, {table} "
            "how it ended.",
            loss=ref(exhibits.loss),
            table=ref(exhibits.convergence),
        ),
        exhibits.loss,
        exhibits.convergence,
        *_timed(exhibits),
    ]
    if exhibits.each_training:
        text = "{table} lists the trainings of all seeds one by one."
        items += [prose(text, table=ref(exhibits.each_training)), exhibits.each_training]
    return items


def _timed(exhibits: Exhibits) -> list[Item]:
    """The times of training; a figure only where more than compiling was timed."""
    if exhibits.time is None:
        return [
            prose(
                "{table} has no times: with one epoch there is none that does not compile.",
                table=ref(exhibits.times),
            ),
            exhibits.times,
        ]
    return [
        prose(
            "{table} and {figure} have the time of training by latent dimension.",
            table=ref(exhibits.times),
            figure=ref(exhibits.time),
        ),
        exhibits.times,
        exhibits.time,
    ]


def _errors(exhibits: Exhibits) -> list[Item]:
    analysis = exhibits.analysis
    return [
        analysis.about_digits(),
        analysis.digits,
        *analysis.about_ink(),
        analysis.about_extremes(),
        analysis.extremes,
    ]
