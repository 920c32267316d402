"""Trains the dense autoencoders, basic and denoising: ``Input → Dense(relu) → Dense(sigmoid)``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy.special import ndtri

from experiments.dense_model import (
    DenseModel,
    cross_entropy,
    dead_units,
    scaled,
    squared_error,
    test_noise,
    with_noise,
)
from experiments.training.fitting import History, Within, fit, generator
from experiments.training.gpu import gpu_for
from experiments.training.libraries import keras, tf
from experiments.training.parts import Parts, split
from reportgen.experiment import Array, Dataset, Json, TrainingContext, TrialResult

Tensor = Any

STEPS_PER_CALL = 32
"""How many batches one call of the compiled function trains on."""

QUANTILES = ndtri((np.arange(1 << 16) + 0.5) / (1 << 16)).astype(np.float32)
"""65,536 equally likely standard normal values: looked up three times faster than drawn."""

NOISE_POOL = 1 << 20
"""So much noise is drawn for an epoch; every image gets a stretch of it, from a random place."""

MEAN_IMAGES = 10_000
"""So many images suffice for the mean of the inputs."""


# ------------------------------------------------------------------------------------------ data


def draw_noise(chance: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Standard normal noise out of QUANTILES: float32."""
    noise: Array = QUANTILES[chance.integers(len(QUANTILES), size=shape, dtype=np.uint16)]
    return noise


class Noise:
    """The noise of one epoch: standard normal stretches of ``size`` values each.

    They are taken from random places of a pool. Within a stretch, and so within an image, values
    are independent; and to draw the pool takes a fiftieth of the time of drawing every value.
    """

    def __init__(self, chance: np.random.Generator, size: int) -> None:
        self.chance = chance
        pool = draw_noise(chance, (NOISE_POOL + size - 1,))
        self.stretches = np.lib.stride_tricks.sliding_window_view(pool, size)

    def draw(self, shape: tuple[int, ...]) -> Array:
        """Noise for so many images: float32 (*shape, size)."""
        noise: Array = self.stretches[self.chance.integers(NOISE_POOL, size=shape)]
        return noise


def mean_input(images: Array, noise_sd: float) -> Array:
    """The mean of what the encoder sees, noise included: float32 (pixels,)."""
    levels = scaled(np.arange(256))
    expected = np.array([with_noise(level, QUANTILES, noise_sd).mean() for level in levels])
    mean: Array = expected[images[:MEAN_IMAGES]].mean(axis=0)
    return mean.astype(np.float32)


# ----------------------------------------------------------------------------------------- model


def build_model(pixels: int, latent_dim: int, seed: int) -> keras.Model:
    """The Keras model, its kernels Glorot uniform by ``seed`` (Keras' default), its biases 0."""
    chance = generator(seed, "initial weights")
    first, second = (
        keras.initializers.GlorotUniform(seed=int(number))
        for number in chance.integers(1 << 31, size=2)
    )
    return keras.Sequential(
        [
            keras.Input((pixels,), name="image"),
            keras.layers.Dense(latent_dim, "relu", kernel_initializer=first, name="encoder"),
            keras.layers.Dense(pixels, "sigmoid", kernel_initializer=second, name="decoder"),
        ],
        name="autoencoder",
    )


def describe(model: keras.Model) -> list[dict[str, Json]]:
    """The layers of the model, the input first, as they stand in the report."""
    pixels = model.input_shape[-1]
    layers: list[dict[str, Json]] = [
        {"name": "image", "kind": "Input", "units": pixels, "activation": None, "parameters": 0}
    ]
    for layer in model.layers:
        layers.append(
            {
                "name": layer.name,
                "kind": type(layer).__name__,
                "units": layer.units,
                "activation": layer.activation.__name__,
                "parameters": layer.count_params(),
            }
        )
    return layers


# -------------------------------------------------------------------------------------- training


class Reconstructing:
    """A training in progress; see :class:`experiments.training.fitting.Fitting`.

    Adam (Kingma & Ba 2015) with decoupled weight decay on the kernels (Loshchilov & Hutter 2019),
    a warm-up and a cosine schedule down to 0 (Loshchilov & Hutter 2017) minimises the binary
    cross-entropy between reconstruction and clean image. Two
    practices keep units alive at a high learning rate and speed up convergence (LeCun et al.
    1998, "Efficient BackProp", section 4.3): the inputs' mean is subtracted while training, and
    put into the encoder's bias at the end, which leaves the function as it is; and the decoder
    starts from the mean image, its bias that image's logits.

    Every epoch goes through the images in a new order, with new noise. Images that do not fill a
    last batch are left out of that epoch.
    """

    def __init__(self, params: Mapping[str, Json], seed: int, parts: Parts) -> None:
        self.params, self.seed = params, seed
        count, pixels = parts.fitted.shape
        self.batch_size = min(params["batch_size"], count)
        self.batches = count // self.batch_size
        self.images = tf.constant(parts.fitted)
        self.mean = mean_input(parts.fitted, params["noise_sd"])
        self.judged = {
            "loss": self._pairs(parts.fitted[: len(parts.validation)], "noise on fitted images"),
            "val_loss": self._pairs(parts.validation, "noise on validation images"),
        }
        self.model = build_model(pixels, params["latent_dim"], seed)
        brightness = np.clip(scaled(parts.fitted.mean(axis=0)), 0.001, 0.999)
        self.model.get_layer("decoder").bias.assign(np.log(brightness / (1 - brightness)))
        steps = params["epochs"] * self.batches
        warm_up = max(1, round(params["warm_up"] * steps))
        schedule = keras.optimizers.schedules.CosineDecay(
            params["learning_rate"] / warm_up,
            max(1, steps - warm_up),
            warmup_target=params["learning_rate"],
            warmup_steps=warm_up,
        )
        self.optimizer = keras.optimizers.AdamW(schedule, params["weight_decay"])
        self.optimizer.exclude_from_weight_decay(var_names=["bias"])
        self.optimizer.build(self.model.trainable_variables)
        # jit_compile=True compiles with XLA or raises; Keras' own "auto" leaves it off on CPUs.
        self._train = tf.function(self._steps, jit_compile=True)
        self._judge = tf.function(self._loss, jit_compile=True)

    def run_epoch(self, epoch: int, within: Within) -> Mapping[str, float]:
        """Train on every batch once; then judge by fitted images and by validation images."""
        order = generator(self.seed, "order of images", epoch).permutation(len(self.images))
        order = order[: self.batches * self.batch_size].reshape(self.batches, self.batch_size)
        noise = self._noise(epoch)
        for start in range(0, self.batches, STEPS_PER_CALL):
            chosen = order[start : start + STEPS_PER_CALL]
            self._train(*self._call(chosen, noise))
            within((start + len(chosen)) / self.batches, {})
        return {name: float(self._judge(*pairs)) for name, pairs in self.judged.items()}

    def finished(self, history: History) -> bool:
        """Never: the schedule ends with the last epoch."""
        return False

    def state(self) -> Mapping[str, Array]:
        """Weights and optimizer."""
        return {name: variable.numpy() for name, variable in self._variables()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go back to a state."""
        for name, variable in self._variables():
            variable.assign(state[name])

    def weights(self) -> dict[str, Array]:
        """The weights for inputs as they are, the mean put into the encoder's bias."""
        kernel, bias, decoder_kernel, decoder_bias = self.model.get_weights()
        return {
            "encoder_kernel": kernel,
            "encoder_bias": bias - self.mean @ kernel,
            "decoder_kernel": decoder_kernel,
            "decoder_bias": decoder_bias,
        }

    def _pairs(self, pixels: Array, purpose: str) -> tuple[Tensor, Tensor]:
        """What the encoder sees and what it should give, the noise the same in every epoch."""
        clean = scaled(pixels)
        noise = draw_noise(generator(self.seed, purpose), clean.shape)
        return tf.constant(with_noise(clean, noise, self.params["noise_sd"])), tf.constant(clean)

    def _noise(self, epoch: int) -> Noise | None:
        """The noise of an epoch, if there is to be any."""
        if not self.params["noise_sd"]:
            return None
        return Noise(generator(self.seed, "noise", epoch), self.images.shape[1])

    def _call(self, chosen: Array, noise: Noise | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Arguments for :meth:`_steps`, of the same shape for each call: it is compiled once."""
        batches = np.zeros((STEPS_PER_CALL, self.batch_size), np.int32)
        batches[: len(chosen)] = chosen
        count = tf.constant(len(chosen))
        drawn = None if noise is None else tf.constant(noise.draw(batches.shape))
        return tf.constant(batches), count, drawn

    def _steps(self, batches: Tensor, count: Tensor, noise: Tensor | None) -> None:
        """Train on the first ``count`` batches.

        Their losses are not returned: XLA then computes the gradients alone, which is faster.

        Args:
            batches: int32 (STEPS_PER_CALL, batch size), indexes of images.
            count: int32 scalar.
            noise: standard normal noise, float32 (STEPS_PER_CALL, batch size, pixels), or None.
        """
        weights = [variable.value for variable in self.model.trainable_variables]
        step = tf.zeros((), tf.int32)
        while step < count:  # tf.range would be compiled anew for every count
            clean = tf.cast(tf.gather(self.images, batches[step]), tf.float32) / 255.0
            seen = clean
            if noise is not None:
                seen = tf.clip_by_value(clean + self.params["noise_sd"] * noise[step], 0.0, 1.0)
            with tf.GradientTape() as tape:
                loss = self._loss(seen, clean)
            gradients = tape.gradient(loss, weights)
            self.optimizer.apply(gradients, self.model.trainable_variables)
            step += 1

    def _loss(self, seen: Tensor, clean: Tensor) -> Tensor:
        """The mean binary cross-entropy of one batch; Keras computes it from the logits."""
        losses = keras.losses.binary_crossentropy(clean, self.model(seen - self.mean))
        return tf.reduce_mean(losses)

    def _variables(self) -> Iterator[tuple[str, tf.Variable]]:
        """All variables that change while training, named."""
        groups = {"weight": self.model.trainable_variables, "optimizer": self.optimizer.variables}
        for kind, variables in groups.items():
            for i, variable in enumerate(variables):
                yield f"{kind}_{i}", variable.value


def train(
    params: Mapping[str, Json], seed: int, dataset: Dataset, context: TrainingContext
) -> TrialResult:
    """Train one autoencoder, and evaluate it on the test images after its last epoch.

    Params:
        latent_dim, epochs, batch_size, learning_rate, validation_images, training_images (0 for
        all): as in the settings.
        noise_sd: standard deviation of the noise on the inputs; 0 for a basic autoencoder.
        warm_up: share of the steps in which the learning rate rises.
        weight_decay: times the learning rate, the share of its kernels that a step takes away.

    The history has ``loss`` and ``val_loss``, the mean binary cross-entropies after each epoch of
    equally many fitted and validation images. The arrays are the weights (see ``DenseModel``), and
    ``test_bce`` and ``test_mse``, float32 (test images,): the errors of each test image, which a
    denoising autoencoder sees with :func:`~experiments.dense_model.test_noise`. Reconstructions
    are not among them: they follow from weights and images by ``DenseModel.reconstruct``. The
    scalar ``gpu`` names the GPU, if the training ran on one.
    """
    gpu = gpu_for(context)
    parts = split(
        np.asarray(dataset.array("x_train")),
        params["validation_images"],
        params["training_images"],
        seed,
    )
    fitting = Reconstructing(params, seed, parts)
    history = fit(fitting, params["epochs"], context)
    weights = fitting.weights()
    scalars, errors = evaluate(
        DenseModel.of(weights), scaled(dataset.array("x_test")), params["noise_sd"]
    )
    scalars |= {
        "layers": describe(fitting.model),
        "parameters": fitting.model.count_params(),
        "training_images": len(parts.fitted),
        "validation_images": len(parts.validation),
        "batches_per_epoch": fitting.batches,
        "threads": context.threads,
        "xla": not tf.config.functions_run_eagerly(),
        **({"gpu": gpu} if gpu else {}),
    }
    return TrialResult(history, scalars, weights | errors)


def evaluate(
    model: DenseModel, images: Array, noise_sd: float
) -> tuple[dict[str, Json], dict[str, Array]]:
    """What the model does on the test images, float32 (n, pixels): scalars, and errors by image."""
    seen = images
    if noise_sd:
        noise = test_noise().standard_normal(images.shape, np.float32)
        seen = with_noise(images, noise, noise_sd)
    code = model.encode(seen)
    predicted = model.decode(code)
    errors = {
        "test_bce": cross_entropy(predicted, images),
        "test_mse": squared_error(predicted, images),
    }
    return {"dead_units": dead_units(code)}, errors
