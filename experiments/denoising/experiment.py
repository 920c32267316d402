"""Q2: the denoising autoencoder against the basic one; its settings, trials and chapter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from experiments.autoencoder import basic_trial
from experiments.baselines.images import MEDIAN_SIZE
from experiments.data.mnist import SIDE, MnistSource
from experiments.denoising.discussion import (
    about_clean_images,
    about_dead_units,
    about_digits,
    about_images,
    about_levels,
    about_levels_of_linear,
    about_quality,
    about_rank,
    about_simple_baselines,
    about_trainings_of_seeds,
    claims,
    findings,
)
from experiments.denoising.errors import BASELINE_TRAINER
from experiments.denoising.exhibits import Exhibits
from experiments.dense_experiment import DenseSettings, about_quick, dense_trial
from reportgen.experiment import DataSource, Evidence, Experiment, Trial, setting
from reportgen.results import Figure, Number, Prose, Section, Table, prose, ref, section_with

Item = Prose | Table | Figure

BASELINE_SECONDS = 4.0
"""A rough duration of the baselines on all of MNIST, measured on one core."""


@dataclass(frozen=True)
class DenoisingSettings(DenseSettings):
    """Settings of the denoising autoencoder.

    Noise, latent dimension and levels are those of the assignment. The basic autoencoder, to
    which it is compared, is trained by the settings of the experiment ``autoencoder``. Under noise
    that is new in every epoch, more epochs than there still lower the validation loss. Batches of
    128 were chosen by it among 64, 128, 256, 512 and 1024, with learning rates from 0.01 to 0.04.
    """

    epochs: int = setting(50, "passes over the training images", minimum=1, maximum=1000, quick=3)
    batch_size: int = setting(128, "images in one step of training", minimum=1, maximum=10_000)

    noise_sd: float = setting(
        0.5, "standard deviation of the noise on the images", above=0, maximum=10
    )
    latent_dim: int = setting(32, "latent dimension of both models", minimum=1, maximum=784)
    noise_levels: tuple[float, ...] = setting(
        (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
        "standard deviations at which the trained models are compared",
        above=0,
        maximum=10,
    )

    def __post_init__(self) -> None:
        """Check that there are levels to compare at."""
        if not self.noise_levels or len(set(self.noise_levels)) < len(self.noise_levels):
            raise ValueError("noise_levels needs at least one level, and each once.")


class DenoisingExperiment(Experiment[DenoisingSettings]):
    """Noise taken from MNIST digits by an autoencoder that was trained to do so."""

    name: ClassVar[str] = "denoising"
    title: ClassVar[str] = "Denoising autoencoder"
    question: ClassVar[str] = "Q2"
    summary: ClassVar[str] = "compares a denoising autoencoder with the basic one on noisy digits"
    order: ClassVar[int] = 2
    settings = DenoisingSettings
    source: DataSource = MnistSource()
    reads: ClassVar[tuple[str, ...]] = ("autoencoder",)

    def trials(
        self, settings: DenoisingSettings, seed: int, others: Mapping[str, Any]
    ) -> list[Trial]:
        """The basic autoencoder, the same training as in Q1, and the denoising one."""
        basic = basic_trial(others["autoencoder"], settings.latent_dim, seed)
        own = dense_trial(self.name, settings, settings.latent_dim, settings.noise_sd, seed)
        return [basic, own]

    def baselines(
        self, settings: DenoisingSettings, seed: int, others: Mapping[str, Any]
    ) -> list[Trial]:
        """Median filter, PCA and linear denoisers, the latter two fitted to the same images."""
        params = {
            "noise_sd": settings.noise_sd,
            "latent_dim": settings.latent_dim,
            "validation_images": settings.validation_images,
            "training_images": settings.training_images,
        }
        label = f"median filter and linear denoisers, noise {settings.noise_sd:g}"
        return [Trial(self.name, BASELINE_TRAINER, params, seed, label, BASELINE_SECONDS)]

    def section(self, evidence: Evidence[DenoisingSettings]) -> Section:
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
                ("Errors by noise and digit", _errors(exhibits)),
                ("Discussion", _discussion(evidence, exhibits)),
            ],
            findings(exhibits),
            claims(exhibits),
        )


# ----------------------------------------------------------------------------------------- prose


def _objective() -> list[Item]:
    return [
        prose(
            "A denoising autoencoder sees a noisy image and has to give back the clean one, so "
            "that it must learn what digits look like rather than copy its input (Vincent et al. "
            "2008). This chapter trains one and compares it, on the same noisy images, with the "
            "basic autoencoder of the same latent dimension, which has never seen noise, and with "
            "methods that need no training by gradients at all."
        )
    ]


def _data(exhibits: Exhibits) -> list[Item]:
    return [
        prose(
            f"The images are handwritten digits of {SIDE} × {SIDE} grey pixels, divided by 255 and "
            f"flattened to {SIDE * SIDE} values in [0, 1]. {{table}} counts them; the validation "
            "images were split at random, by the seed, from the training part, and the {test} test "
            "images decided nothing.",
            table=ref(exhibits.data),
            test=exhibits.data.cell("images", part="test"),
        ),
        exhibits.data,
        prose(
            "Noise is drawn from a normal distribution with mean zero and standard deviation "
            "{noise}, independently for every pixel; it is added to the pixels in [0, 1], and the "
            "sum is clipped to [0, 1]. Training images get new noise in every epoch. The noise of "
            "the test images is the same for all methods and seeds and in all reports; for other "
            "levels it is scaled.",
            noise=exhibits.noise,
        ),
    ]


def _method(exhibits: Exhibits) -> list[Item]:
    return [
        prose(
            "Both models are `Input(784) → Dense(latent_dim, relu) → Dense(784, sigmoid)`, with "
            "the layers of {table}. The basic autoencoder is the one of Q1, the same training "
            "and not a second one; the denoising autoencoder is trained to make the clean image of "
            "the noisy one. Both minimise the binary cross-entropy between clean image and "
            "reconstruction with Adam (Kingma and Ba 2015) and weight decay (Loshchilov and Hutter "
            "2019), under a learning rate that rises in a short warm-up and falls by a cosine to "
            "zero. The model of the last epoch is tested.",
            table=ref(exhibits.architecture),
        ),
        prose(
            "What a trained model is worth shows in comparison with simple methods. The noisy "
            "input, left as it is, is the least of them: what has a larger error makes things "
            f"worse. The median filter takes each pixel's median over {MEDIAN_SIZE} × "
            f"{MEDIAN_SIZE} pixels. PCA projects the noisy image onto the {{rank}} principal "
            "components of clean images. The low-rank linear denoiser is the best linear map from "
            "noisy to clean images that passes through {rank} numbers, as both autoencoders do "
            "(reduced-rank regression, Izenman 1975); the full-rank one is the best of all, which "
            "has no bottleneck. PCA and linear denoisers were fitted to the training images of the "
            "first seed, the denoisers in expectation over all possible noise, and what they give "
            "is clipped to [0, 1].",
            rank=exhibits.rank,
        ),
        exhibits.architecture,
        prose(
            "Methods are compared by the mean squared error (MSE) between their output and the "
            "clean image, over all pixels of all test images. Beside it stand the peak "
            "signal-to-noise ratio (PSNR), −10 log₁₀ of an image's MSE, and the structural "
            "similarity (SSIM, Wang et al. 2004). Both are computed for every test image, and the "
            "mean of these values is given; for PSNR that is not the PSNR of the mean MSE."
        ),
        prose(
            "Two methods are compared image by image: the mean of the paired differences with its "
            "95 % interval (BCa bootstrap, Efron 1987), the effect size d_z, which is that mean in "
            "standard deviations of the differences (Cohen 1988), and the p-value of a paired "
            "t-test, adjusted for all comparisons of a table together (Holm 1979). A difference "
            "counts if its interval leaves out 0 and its p-value is below 0.05; else the two can't "
            "be told apart. By PSNR and SSIM, which have no p-values, the interval decides."
        ),
    ]


def _hyperparameters(exhibits: Exhibits) -> list[Item]:
    text = (
        "{table} lists every setting of the denoising autoencoder. The basic one was trained with "
        "those of Q1, the experiment `autoencoder`."
    )
    return [prose(text, table=ref(exhibits.settings)), exhibits.settings]


def _results(exhibits: Exhibits) -> list[Item]:
    return [
        prose(
            "{methods} compares the methods at the noise of the training, {noise}, and {grid} "
            "shows what that looks like for one digit of every class. {differences} has the "
            "differences of the denoising autoencoder to all others, image by image.",
            methods=ref(exhibits.methods),
            noise=exhibits.noise,
            grid=ref(exhibits.grid),
            differences=ref(exhibits.differences),
        ),
        exhibits.methods,
        exhibits.grid,
        exhibits.differences,
        *_seeds(exhibits),
        prose(
            "{figure} shows the loss of both models after each epoch, {table} how it ended.",
            figure=ref(exhibits.loss),
            table=ref(exhibits.trainings),
        ),
        exhibits.trainings,
        exhibits.loss,
    ]


def _seeds(exhibits: Exhibits) -> list[Item]:
    """Both autoencoders by seed, if there are several."""
    if exhibits.seeds is None:
        return []
    text = "{table} shows how much the errors of the two autoencoders depend on the seed."
    return [prose(text, table=ref(exhibits.seeds)), exhibits.seeds]


def _errors(exhibits: Exhibits) -> list[Item]:
    """At which noise and on which digits the errors are made."""
    return [
        prose(
            "{figure} and {table} give the error at weaker and stronger noise. The models stay as "
            "they are: the denoising one has seen no other noise than that of its training. "
            "{differences} has the paired differences, and the adjusted p-values, that decide "
            "which method is better.",
            figure=ref(exhibits.sweep),
            table=ref(exhibits.levels),
            differences=ref(exhibits.level_differences),
        ),
        about_levels(exhibits),
        about_levels_of_linear(exhibits),
        exhibits.sweep,
        exhibits.levels,
        exhibits.level_differences,
        about_clean_images(exhibits),
        about_digits(exhibits),
        exhibits.classes,
    ]


def _discussion(evidence: Evidence[DenoisingSettings], exhibits: Exhibits) -> list[Item]:
    paragraphs: list[Item] = [
        about_images(exhibits),
        *about_trainings_of_seeds(exhibits),
        about_rank(exhibits),
        about_simple_baselines(exhibits),
        about_quality(exhibits),
        about_dead_units(exhibits),
        _about_seeds(evidence.seeds),
    ]
    if evidence.preset == "quick":
        paragraphs.append(about_quick(evidence.settings.epochs, exhibits.data))
    return paragraphs


def _about_seeds(seeds: tuple[int, ...]) -> Prose:
    """What the chapter covers of the chance in trainings."""
    if len(seeds) > 1:
        return prose(
            "Every model was trained {count} times, with the seeds from {seed} to {last}. "
            "Deviations over seeds cover the chance in training; intervals that of the test "
            "images, for the models of the first seed.",
            count=Number(len(seeds), "d", "number of seeds"),
            seed=Number(seeds[0], "d", "first seed of the trainings"),
            last=Number(seeds[-1], "d", "last seed of the trainings"),
        )
    return prose(
        "Both models were trained with seed {seed}; another would give somewhat other ones. How "
        "much they would differ is not covered here: the intervals are about the choice of test "
        "images alone.",
        seed=Number(seeds[0], "d", "first seed of the trainings"),
    )
