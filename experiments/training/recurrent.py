"""Trains the classifier of reviews: Embedding → LSTM → Dense, in batches of similar length."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from experiments.training import cudnn, recurrence
from experiments.training.dropout import Dropout
from experiments.training.fitting import History, Within, fit, generator
from experiments.training.gpu import gpu_for
from experiments.training.libraries import keras, tf
from experiments.training.recurrence import Tensor, compiled
from experiments.training.reviews import PADDING, Reviews, Split, facts_of, split
from reportgen.experiment import Array, Dataset, Json, TrainingContext, TrialResult

PREDICTION_BATCH = 256
SECONDS_BETWEEN_NEWS = 0.5


# ----------------------------------------------------------------------------------------- model


def build_model(params: Mapping[str, Json], seed: int) -> keras.Model:
    """The plain Keras model: ``Embedding → LSTM → Dense(1, sigmoid)``, initialised by ``seed``.

    Padding is masked. Initial weights are Keras' defaults (Glorot uniform, the recurrent kernel
    orthogonal), but for the gates' biases: chrono initialisation (Tallec & Ollivier 2018, section
    3) lets the cells remember for 1 to ``memory_span`` steps from the start.
    """
    chance = generator(seed, "initial weights")
    seeds = [int(s) for s in chance.integers(1 << 31, size=4)]
    initializers = keras.initializers
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32", name="words"),
            keras.layers.Embedding(
                params["vocabulary"],
                params["embedding_dim"],
                embeddings_initializer=initializers.RandomUniform(seed=seeds[0]),
                mask_zero=True,
                name="embedding",
            ),
            keras.layers.LSTM(
                params["units"],
                dropout=params["input_dropout"],
                kernel_initializer=initializers.GlorotUniform(seed=seeds[1]),
                recurrent_initializer=initializers.Orthogonal(seed=seeds[2]),
                name="lstm",
            ),
            keras.layers.Dense(
                1,
                activation="sigmoid",
                kernel_initializer=initializers.GlorotUniform(seed=seeds[3]),
                name="dense",
            ),
        ],
        name="sentiment",
    )
    forget = np.log(chance.uniform(1, params["memory_span"] - 1, params["units"]))
    rest = np.zeros(2 * params["units"])
    model.get_layer("lstm").cell.bias.assign(np.concatenate([-forget, forget, rest]))
    return model


def loss_and_gradients(
    weights: Sequence[tf.Variable], words: Array, labels: Array, present: Array, dropout: Dropout
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """One batch forth and back through the model with these weights, in Keras' order.

    Args:
        weights: embedding table; kernel, recurrent kernel and bias of the LSTM; kernel and bias
            of the dense layer.
        words: int32 (steps, batch), padded in front.
        labels: float32 (batch,).
        present: float32 (batch,), 0 for columns that are no review.
        dropout: what this batch leaves out; its words are not among ``words`` any more.

    Returns:
        The sum of the reviews' binary cross-entropies; how many are on the right side of 0.5;
        the gradients of the mean cross-entropy for each of the weights.
    """
    table, kernel, recurrent, bias, dense_kernel, dense_bias = weights
    distinct, places = tf.unique(tf.constant(words.ravel()))
    with tf.GradientTape() as looking_up:
        embedded = tf.gather(table, distinct) * dropout.inputs
        projected = recurrence.project(embedded, kernel, bias, distinct[:, None] == PADDING)
    state, kept = recurrence.last_state_kept(projected, tf.reshape(places, words.shape), recurrent)
    with tf.GradientTape() as deciding:
        deciding.watch(state)
        logits = _logits(state * dropout.outputs, dense_kernel, dense_bias)
        losses = tf.nn.sigmoid_cross_entropy_with_logits(labels, logits) * present
        mean = tf.reduce_sum(losses) / tf.reduce_sum(present)
    by_state, *by_dense = deciding.gradient(mean, [state, dense_kernel, dense_bias])
    by_projected, by_recurrent = recurrence.gradients(by_state, kept, projected, recurrent)
    by_table, by_kernel, by_bias = looking_up.gradient(
        projected, [table, kernel, bias], by_projected
    )
    right = present * tf.cast((logits > 0) == (labels > 0.5), tf.float32)
    every = [tf.convert_to_tensor(by_table), by_kernel, by_recurrent, by_bias, *by_dense]
    return tf.reduce_sum(losses), tf.reduce_sum(right), every


def _logits(state: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """The dense layer before its sigmoid: float32 (batch,)."""
    return tf.reshape(state @ kernel + bias, [-1])


def predict(weights: Sequence[Array], reviews: Reviews, chosen: Array) -> Array:
    """The probability that each chosen review is positive: float32, in the order of ``chosen``."""
    table, kernel, recurrent, bias, dense_kernel, dense_bias = map(tf.constant, weights)
    padding = np.arange(len(table))[:, None] == PADDING
    projected = recurrence.project(table, kernel, bias, padding)
    probability = np.zeros(len(reviews.labels), np.float32)
    for batch in reviews.batches(chosen, PREDICTION_BATCH):
        words = tf.constant(reviews.padded(batch, PREDICTION_BATCH))
        state = recurrence.last_state(projected, words, recurrent)
        logits = _logits(state, dense_kernel, dense_bias)
        probability[batch] = tf.sigmoid(logits).numpy()[: len(batch)]
    return probability[chosen]


def scores(probability: Array, labels: Array) -> tuple[float, float]:
    """Mean binary cross-entropy, and accuracy at 0.5."""
    likely = np.where(labels == 1, probability, 1 - probability).astype(float)
    # Keras' own lower bound, so that a probability of 0 does not count as infinite surprise.
    loss = -np.log(np.maximum(likely, keras.backend.epsilon())).mean()
    return float(loss), float(((probability >= 0.5) == (labels == 1)).mean())


# -------------------------------------------------------------------------------------- training


class Classifying:
    """A training in progress; see :class:`experiments.training.fitting.Fitting`.

    Adam (Kingma & Ba 2015) with a warm-up, a cosine schedule (Loshchilov & Hutter 2017) and
    clipping by the gradients' common norm (Pascanu et al. 2013). Validated and kept is the
    running average of the weights (Polyak & Juditsky 1992), of the epoch that validates best.
    ``on_gpu`` says whether cuDNN is to compute the passes.
    """

    def __init__(
        self,
        params: Mapping[str, Json],
        seed: int,
        reviews: Reviews,
        parts: Split,
        on_gpu: bool = False,
    ) -> None:
        self.params, self.seed, self.reviews, self.parts = params, seed, reviews, parts
        self.model = build_model(params, seed)
        self.weights = [variable.value for variable in self.model.trainable_variables]
        steps = params["epochs"] * -(-len(parts.fitted) // params["batch_size"])
        warm_up = max(1, round(params["warm_up"] * steps))
        schedule = keras.optimizers.schedules.CosineDecay(
            params["learning_rate"] / warm_up,
            max(1, steps - warm_up),
            warmup_target=params["learning_rate"],
            warmup_steps=warm_up,
        )
        self.optimizer = keras.optimizers.Adam(schedule, global_clipnorm=params["gradient_clip"])
        self.optimizer.build(self.model.trainable_variables)
        self.averages = [tf.Variable(weight) for weight in self.weights]
        self.best = [weight.numpy() for weight in self.weights]
        self.best_score = np.array([-1.0, 0.0])
        self._update = compiled(self._apply)
        self._loss_and_gradients, self.predict = loss_and_gradients, predict
        if on_gpu:
            passes = cudnn.Passes(params["embedding_dim"], params["units"])
            self._loss_and_gradients, self.predict = passes.loss_and_gradients, passes.predict

    def run_epoch(self, epoch: int, within: Within) -> Mapping[str, float]:
        """Train on every review once, then validate; keep the averages if they are the best."""
        total, right, seen, told = 0.0, 0.0, 0, time.monotonic()
        for batch, loss, hits in self._steps(epoch):
            total, right, seen = total + loss, right + hits, seen + len(batch)
            if time.monotonic() - told > SECONDS_BETWEEN_NEWS:
                told = time.monotonic()
                metrics = {"loss": total / seen, "accuracy": right / seen}
                within(seen / len(self.parts.fitted), metrics)
        averages = [average.numpy() for average in self.averages]
        chosen = self.parts.validation
        probability = self.predict(averages, self.reviews, chosen)
        val_loss, val_accuracy = scores(probability, self.reviews.labels[chosen])
        if (val_accuracy, -val_loss) > tuple(self.best_score):
            self.best, self.best_score = averages, np.array([val_accuracy, -val_loss])
        return {
            "loss": total / seen,
            "accuracy": right / seen,
            "val_loss": val_loss,
            "val_accuracy": val_accuracy,
        }

    def finished(self, history: History) -> bool:
        """Whether the best epoch is ``patience`` epochs ago."""
        patience: int = self.params["patience"]
        return len(history["loss"]) - best_epoch(history) >= patience

    def state(self) -> Mapping[str, Array]:
        """Weights, optimizer, averages, and the best averages with their score."""
        state = {f"{kind}_{i}": v.numpy() for kind, i, v in self._variables()}
        state |= {f"best_{i}": array for i, array in enumerate(self.best)}
        return state | {"best_score": self.best_score}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go back to a state."""
        for kind, i, variable in self._variables():
            variable.assign(state[f"{kind}_{i}"])
        self.best = [np.array(state[f"best_{i}"]) for i in range(len(self.best))]
        self.best_score = np.array(state["best_score"])

    def _steps(self, epoch: int) -> Iterator[tuple[Array, float, float]]:
        """Train on each batch: its reviews, their summed loss, how many were right."""
        size = self.params["batch_size"]
        dropping = generator(self.seed, "dropout", epoch)
        shuffling = generator(self.seed, "order of reviews", epoch)
        for batch in self.reviews.batches(self.parts.fitted, size, shuffling):
            dropout = Dropout.draw(self.params, dropping)
            words = self.reviews.padded(batch, size, dropout.words)
            labels, present = np.zeros((2, size), np.float32)
            labels[: len(batch)] = self.reviews.labels[batch]
            present[: len(batch)] = 1
            loss, right, gradients = self._loss_and_gradients(
                self.weights, words, labels, present, dropout
            )
            self._update(gradients)
            yield batch, float(loss), float(right)

    def _apply(self, gradients: Sequence[Tensor]) -> None:
        """One step of the optimizer and of the averages.

        The averages' memory grows to its full length, so that the first weights are forgotten.
        """
        step = tf.cast(self.optimizer.iterations.value, tf.float32)
        memory = tf.minimum(self.params["averaging"], (1 + step) / (10 + step))
        self.optimizer.apply(gradients, self.model.trainable_variables)
        for average, weight in zip(self.averages, self.weights, strict=True):
            average.assign(memory * average + (1 - memory) * weight)

    def _variables(self) -> Iterator[tuple[str, int, tf.Variable]]:
        """All variables that change while training, named."""
        optimizer = [variable.value for variable in self.optimizer.variables]
        groups = {"weight": self.weights, "optimizer": optimizer, "average": self.averages}
        for kind, variables in groups.items():
            for i, variable in enumerate(variables):
                yield kind, i, variable


def best_epoch(history: Mapping[str, Sequence[float]]) -> int:
    """The epoch (from 1) of the highest validation accuracy; of equal ones the lowest loss."""
    pairs = zip(history["val_accuracy"], history["val_loss"], strict=True)
    ranking = [(accuracy, -loss) for accuracy, loss in pairs]
    return ranking.index(max(ranking)) + 1


def train(
    params: Mapping[str, Json], seed: int, dataset: Dataset, context: TrainingContext
) -> TrialResult:
    """Train on the training part, choose the epoch on its validation part, then predict the test.

    The history has ``loss`` and ``accuracy`` (of the weights as they were during the epoch, with
    dropout on) and ``val_loss`` and ``val_accuracy`` (of the averaged weights after it, without).

    Arrays of the result: ``test_probability`` float32 (test reviews,), ``validation_probability``
    float32 and ``validation_index`` int64 (validation reviews,), and the weights of the chosen
    epoch in Keras' order, ``weight_0`` ... ``weight_5``. The scalar ``gpu`` names the GPU, if the
    training ran on one.
    """
    gpu, length = gpu_for(context), params["sequence_length"]
    reviews = Reviews.read(dataset, "train", params["vocabulary"], length)
    parts = split(reviews, params["validation_reviews"], params["training_reviews"], seed)
    classifying = Classifying(params, seed, reviews, parts, bool(gpu))
    history = fit(classifying, params["epochs"], context)
    weights = classifying.best
    # Only now, with the epoch chosen, is the test part read, once.
    test = Reviews.read(dataset, "test", params["vocabulary"], length)
    everyone = np.arange(len(test.labels))
    arrays = {
        "test_probability": classifying.predict(weights, test, everyone),
        "validation_probability": classifying.predict(weights, reviews, parts.validation),
        "validation_index": parts.validation,
        **{f"weight_{i}": weight for i, weight in enumerate(weights)},
    }
    scalars = {
        "chosen_epoch": best_epoch(history),
        "layers": _layers(classifying.model, length),
        "fitted": facts_of(reviews, parts.fitted),
        "validation": facts_of(reviews, parts.validation),
        "test": facts_of(test, everyone),
        "left_out": parts.left_out,
        **({"gpu": gpu} if gpu else {}),
    }
    return TrialResult(history, scalars, arrays)


def _layers(model: keras.Model, length: int) -> list[Json]:
    """What each layer is: its name, type, output shape for one review, number of parameters."""
    layers = []
    shape: tuple[int | None, ...] = (None, length)
    for layer in model.layers:
        shape = layer.compute_output_shape(shape)
        layers.append(
            {
                "name": layer.name,
                "type": type(layer).__name__,
                "output": list(shape[1:]),
                "parameters": layer.count_params(),
            }
        )
    return layers
