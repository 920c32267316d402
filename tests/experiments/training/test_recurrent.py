"""The training of the review classifier, on a few hundred generated reviews."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from experiments.training import cudnn, recurrent
from experiments.training.dropout import Dropout
from experiments.training.reviews import CHUNK, PADDING, UNKNOWN, Reviews, split
from reportgen.experiment import Array, Checkpoint, Dataset, Progress, TrialResult
from reportgen.results import DataSummary

PARAMS: dict[str, Any] = {
    "vocabulary": 40,
    "sequence_length": 60,
    "embedding_dim": 6,
    "units": 5,
    "memory_span": 20,
    "word_dropout": 0.1,
    "input_dropout": 0.2,
    "output_dropout": 0.2,
    "epochs": 3,
    "batch_size": 16,
    "learning_rate": 0.02,
    "warm_up": 0.1,
    "gradient_clip": 1.0,
    "averaging": 0.9,
    "patience": 3,
    "validation_reviews": 20,
    "training_reviews": 0,
}
SUMMARY = DataSummary("imdb", "reviews", "sample", "generated", "0")


class Context:
    """A training context that remembers what was saved, and may be interrupted."""

    threads, device = 1, "cpu"

    def __init__(self, stop_after: int = 99, checkpoint: Checkpoint | None = None) -> None:
        self.stop_after, self.checkpoint = stop_after, checkpoint
        self.log: list[str] = []

    def progress(self, progress: Progress) -> None:
        self.log.append(f"epoch {progress.epoch}")

    def load_checkpoint(self) -> Checkpoint | None:
        return self.checkpoint

    def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        self.checkpoint = checkpoint
        if checkpoint.epoch == self.stop_after:
            raise KeyboardInterrupt


class LoggedDataset(Dataset):
    """A dataset that writes down which arrays were opened, into a list set from outside."""

    log: list[str]

    def array(self, name: str) -> Array:
        self.log.append(name)
        return super().array(name)


def write_reviews(folder: Path, train: int = 400, test: int = 60) -> None:
    """Reviews in which one of two words tells the label, among words that tell nothing."""
    chance = np.random.default_rng(7)
    for part, count in (("train", train), ("test", test)):
        labels = (np.arange(count) % 2).astype(np.uint8)
        lengths = chance.integers(3, 130, count)
        reviews = [chance.integers(3, 60, length) for length in lengths]
        for review, label in zip(reviews, labels, strict=True):
            review[-2] = 1 + label
        np.save(folder / f"{part}_tokens.npy", np.concatenate(reviews).astype(np.int32))
        np.save(folder / f"{part}_offsets.npy", np.append(0, np.cumsum(lengths)))
        np.save(folder / f"{part}_labels.npy", labels)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> LoggedDataset:
    folder = tmp_path_factory.mktemp("reviews")
    write_reviews(folder)
    dataset = LoggedDataset(SUMMARY, folder)
    object.__setattr__(dataset, "log", [])
    return dataset


@pytest.fixture(scope="module")
def result(dataset: LoggedDataset) -> TrialResult:
    """A whole training; what happened when is in its scalars, under ``log``."""
    context = Context()
    context.log = dataset.log
    dataset.log.clear()
    result = recurrent.train(PARAMS, 0, dataset, context)
    return dataclasses.replace(result, scalars={**result.scalars, "log": list(dataset.log)})


def plain_model(weights: Mapping[str, Array]) -> keras.Model:
    model = recurrent.build_model(PARAMS, 1)
    model.set_weights([weights[f"weight_{i}"] for i in range(6)])
    return model


def keras_padded(reviews: Reviews, count: int, length: int) -> Array:
    cut = [reviews.ids[reviews.begins[i] : reviews.ends[i]] for i in range(count)]
    return keras.utils.pad_sequences(cut, length, padding="pre")


def test_the_fast_path_has_the_outputs_and_gradients_of_the_keras_layers(
    dataset: Dataset,
) -> None:
    reviews = Reviews.read(dataset, "train", 40, 60)
    model = recurrent.build_model({**PARAMS, "input_dropout": 0.0}, 3)
    weights = [variable.value for variable in model.trainable_variables]
    # Initial embeddings are so small that errors would hide; larger ones stir all gates.
    weights[0].assign(weights[0] * 30)
    labels = reviews.labels[:16].astype(np.float32)

    @tf.function
    def by_keras(words: Any) -> Any:
        with tf.GradientTape() as tape:
            outputs = model(words, training=True)
            mean = tf.reduce_mean(keras.losses.binary_crossentropy(labels[:, None], outputs))
        return outputs[:, 0], mean, [tf.convert_to_tensor(g) for g in tape.gradient(mean, weights)]

    outputs, mean, expected = by_keras(tf.constant(keras_padded(reviews, 16, 60)))

    words = reviews.padded(np.arange(16), 16)
    nothing = Dropout(np.zeros(40, bool), np.ones(6, "f"), np.ones((16, 5), "f"))
    loss, _, gradients = recurrent.loss_and_gradients(
        weights, words, labels, np.ones(16, np.float32), nothing
    )
    predicted = recurrent.predict([w.numpy() for w in weights], reviews, np.arange(16))

    np.testing.assert_allclose(predicted, outputs, rtol=1e-5)
    np.testing.assert_allclose(loss / 16, mean, rtol=1e-5)
    for mine, theirs in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-7)


def stirred(dataset: Dataset) -> tuple[Reviews, list[tf.Variable]]:
    """Reviews and weights; initial embeddings are so small that errors would hide."""
    model = recurrent.build_model(PARAMS, 3)
    weights = [variable.value for variable in model.trainable_variables]
    weights[0].assign(weights[0] * 30)
    return Reviews.read(dataset, "train", 40, 60), weights


def test_the_passes_for_a_gpu_have_the_loss_and_gradients_of_those_for_the_processor(
    dataset: Dataset,
) -> None:
    reviews, weights = stirred(dataset)
    dropout = Dropout.draw(PARAMS, np.random.default_rng(0))
    assert dropout.words.any()
    assert not dropout.inputs.all()
    words = reviews.padded(np.arange(12), 16, dropout.words)  # four columns are no reviews
    words[:, 3] = PADDING  # and of one all words were left out
    labels, present = np.zeros((2, 16), np.float32)
    labels[:12], present[:12] = reviews.labels[:12], 1
    arguments = weights, words, labels, present, dropout

    loss, right, gradients = recurrent.loss_and_gradients(*arguments)
    passes = cudnn.Passes(6, 5, use_cudnn=False)
    its_loss, its_right, its_gradients = passes.loss_and_gradients(*arguments)

    np.testing.assert_allclose(its_loss, loss, rtol=1e-5)
    assert its_right == right
    for mine, theirs in zip(its_gradients, gradients, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-3, atol=1e-7)


def test_the_passes_for_a_gpu_predict_what_those_for_the_processor_do(dataset: Dataset) -> None:
    reviews, variables = stirred(dataset)
    weights, chosen = [v.numpy() for v in variables], np.arange(5, 300)
    predicted = cudnn.Passes(6, 5, use_cudnn=False).predict(weights, reviews, chosen)
    expected = recurrent.predict(weights, reviews, chosen)
    np.testing.assert_allclose(predicted, expected, rtol=1e-5)


def test_cudnn_gets_reviews_whose_padding_is_at_the_end(dataset: Dataset) -> None:
    reviews = Reviews.read(dataset, "train", 40, 60)
    rows = cudnn.padded_at_the_end(reviews.padded(np.arange(8), 9))
    assert rows.shape == (9, 75)
    for i in range(8):
        words = reviews.ids[reviews.begins[i] : reviews.ends[i]]
        np.testing.assert_array_equal(rows[i, : len(words)], words)
        assert not rows[i, len(words) :].any()
    assert not rows[8].any()


def test_where_a_gpu_is_cudnn_computes_the_lstm_and_its_gradients(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [f"the only {kind}"])
    _, weights = stirred(dataset)
    batch = [tf.zeros((16, 75), tf.int32), tf.zeros(16), tf.ones(16), tf.ones(6), tf.ones((16, 5))]
    # Only traced, not run: this TensorFlow knows cuDNN's operations, but can't compute them.
    passes = cudnn.Passes(6, 5)
    graph = passes._forth_and_back.get_concrete_function(weights, *batch).graph
    operations = {operation.type for operation in graph.get_operations()}
    assert {"CudnnRNNV3", "CudnnRNNBackpropV3"} <= operations
    assert not {"While", "StatelessWhile"} & operations


def test_the_passes_for_a_gpu_never_fall_back_to_another_loop(dataset: Dataset) -> None:
    reviews, weights = stirred(dataset)
    with pytest.raises(ValueError, match="cuDNN is not supported"):
        cudnn.Passes(6, 5).predict([w.numpy() for w in weights], reviews, np.arange(3))


def test_a_training_by_the_passes_for_a_gpu_ends_like_one_on_the_processor(
    dataset: Dataset, result: TrialResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recurrent, "gpu_for", lambda context: "NVIDIA A100")
    monkeypatch.setattr(cudnn, "Passes", functools.partial(cudnn.Passes, use_cudnn=False))
    found = recurrent.train(PARAMS, 0, dataset, Context())
    assert found.scalars["gpu"] == "NVIDIA A100"
    assert found.history["loss"] == pytest.approx(result.history["loss"], rel=1e-3)
    assert found.history["val_loss"] == pytest.approx(result.history["val_loss"], rel=1e-3)
    for name, array in result.arrays.items():
        np.testing.assert_allclose(found.arrays[name], array, rtol=1e-2, atol=1e-3)


def test_a_training_on_the_processor_names_no_gpu(result: TrialResult) -> None:
    assert "gpu" not in result.scalars


def test_the_layers_are_exactly_those_of_the_assignment() -> None:
    params = {**PARAMS, "vocabulary": 10_000, "embedding_dim": 128, "units": 64}
    model = recurrent.build_model(params, 0)
    assert [type(layer).__name__ for layer in model.layers] == ["Embedding", "LSTM", "Dense"]
    assert [layer.count_params() for layer in model.layers] == [1_280_000, 49_408, 65]
    assert model.layers[2].activation is keras.activations.sigmoid


def test_the_weights_give_the_same_probabilities_in_the_plain_keras_model(
    dataset: Dataset, result: TrialResult
) -> None:
    test = Reviews.read(dataset, "test", 40, 60)
    outputs = plain_model(result.arrays)(keras_padded(test, 60, 60), training=False)
    np.testing.assert_allclose(result.arrays["test_probability"], outputs[:, 0], rtol=1e-5)


def test_front_padding_and_neighbours_do_not_change_a_probability(
    dataset: Dataset, result: TrialResult
) -> None:
    reviews = Reviews.read(dataset, "train", 40, 130)
    shortest, longest = int(reviews.lengths.argmin()), int(reviews.lengths.argmax())
    weights = [result.arrays[f"weight_{i}"] for i in range(6)]
    alone = recurrent.predict(weights, reviews, np.array([shortest]))
    together = recurrent.predict(weights, reviews, np.array([longest, shortest]))
    assert reviews.lengths[longest] > 100 > 50 > reviews.lengths[shortest]
    assert together[1] == alone[0]


def test_words_that_are_left_out_leave_no_gap(dataset: Dataset) -> None:
    reviews = Reviews.read(dataset, "train", 40, 60)
    left_out = np.zeros(40, bool)
    left_out[10:30] = True
    padded = reviews.padded(np.arange(8), 8, left_out)
    for i in range(8):
        words = reviews.ids[reviews.begins[i] : reviews.ends[i]]
        kept = words[~left_out[words]]
        assert len(kept) < len(words)
        np.testing.assert_array_equal(padded[len(padded) - len(kept) :, i], kept)
        assert not padded[: len(padded) - len(kept), i].any()


def test_long_reviews_keep_their_end_and_rare_words_become_unknown(dataset: Dataset) -> None:
    reviews = Reviews.read(dataset, "train", 40, 60)
    ranks, offsets = dataset.array("train_tokens"), dataset.array("train_offsets")
    long = int(np.flatnonzero(np.diff(offsets) > 100)[0])
    padded = reviews.padded(np.array([long]), 2)
    expected = ranks[offsets[long + 1] - 60 : offsets[long + 1]] + 1
    expected[expected >= 40] = UNKNOWN
    assert padded.shape == (CHUNK * -(-60 // CHUNK), 2)
    np.testing.assert_array_equal(padded[-60:, 0], expected)
    assert not padded[:-60].any()
    assert not padded[:, 1].any()


def test_an_epoch_trains_on_every_review_once_in_another_order_each_time(
    dataset: Dataset,
) -> None:
    reviews = Reviews.read(dataset, "train", 40, 60)
    chosen = np.arange(5, 90)
    orders = [
        np.concatenate(reviews.batches(chosen, 16, np.random.default_rng(epoch)))
        for epoch in (0, 1)
    ]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), chosen)
    assert (orders[0] != orders[1]).any()


def test_validation_reviews_are_never_fitted_nor_their_twins(dataset: Dataset) -> None:
    reviews = Reviews.read(dataset, "train", 40, 60)
    twins = np.append(np.arange(100), np.arange(100))
    doubled = Reviews(
        reviews.ids,
        *(a[twins] for a in (reviews.begins, reviews.ends, reviews.uncut, reviews.labels)),
    )
    parts = split(doubled, 30, 0, seed=0)
    assert len(parts.validation) == 30
    assert doubled.labels[parts.validation].sum() == 15
    assert not set(twins[parts.validation]) & set(twins[parts.fitted])
    assert len(parts.fitted) + parts.left_out + 30 == 200
    assert parts.left_out > 0


def test_an_epoch_changes_every_weight_and_learns_the_telling_word(
    dataset: Dataset, result: TrialResult
) -> None:
    fresh = recurrent.build_model(PARAMS, 0).get_weights()
    for i, weight in enumerate(fresh):
        assert (result.arrays[f"weight_{i}"] != weight).any()
    assert result.history["loss"][-1] < result.history["loss"][0]
    probability = result.arrays["test_probability"]
    assert ((probability > 0.5) == dataset.array("test_labels")).mean() > 0.9


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(
    dataset: Dataset, result: TrialResult
) -> None:
    again = recurrent.train(PARAMS, 0, dataset, Context())
    for name, array in result.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)
    first, second = (recurrent.build_model(PARAMS, seed).get_weights() for seed in (0, 1))
    assert all((a != b).any() for a, b in zip(first[:3], second[:3], strict=True))
    reviews = Reviews.read(dataset, "train", 40, 60)
    parts = [split(reviews, 20, 0, seed).validation for seed in (0, 1)]
    assert (parts[0] != parts[1]).any()


def test_an_interrupted_training_ends_with_the_same_bits(
    dataset: Dataset, result: TrialResult
) -> None:
    interrupted = Context(stop_after=1)
    with pytest.raises(KeyboardInterrupt):
        recurrent.train(PARAMS, 0, dataset, interrupted)
    resumed = recurrent.train(PARAMS, 0, dataset, Context(checkpoint=interrupted.checkpoint))
    assert resumed.history["val_loss"] == result.history["val_loss"]
    for name, array in result.arrays.items():
        np.testing.assert_array_equal(resumed.arrays[name], array)


def test_the_weights_are_those_of_the_epoch_that_validates_best(
    dataset: Dataset, result: TrialResult
) -> None:
    chosen = result.scalars["chosen_epoch"]
    accuracies = result.history["val_accuracy"]
    assert accuracies[chosen - 1] == max(accuracies)
    labels = dataset.array("train_labels")[result.arrays["validation_index"]]
    loss, accuracy = recurrent.scores(result.arrays["validation_probability"], labels)
    assert accuracy == accuracies[chosen - 1]
    assert loss == result.history["val_loss"][chosen - 1]


@pytest.mark.parametrize(
    ("accuracies", "stops"),
    [([0.7, 0.8, 0.79], False), ([0.8, 0.7, 0.79], True), ([0.7, 0.7, 0.8], False)],
)
def test_training_stops_when_validation_has_not_improved_for_long(
    dataset: Dataset, accuracies: list[float], stops: bool
) -> None:
    reviews = Reviews.read(dataset, "train", 40, 60)
    parts = split(reviews, 20, 0, 0)
    classifying = recurrent.Classifying({**PARAMS, "patience": 2}, 0, reviews, parts)
    history = {"loss": [0.5] * 3, "val_loss": [0.5] * 3, "val_accuracy": accuracies}
    assert classifying.finished(history) is stops


def test_of_equally_accurate_epochs_the_one_with_the_lower_loss_is_chosen() -> None:
    history = {"val_accuracy": [0.7, 0.8, 0.8, 0.8], "val_loss": [0.1, 0.5, 0.4, 0.6]}
    assert recurrent.best_epoch(history) == 3


def test_the_test_part_is_not_opened_before_the_epoch_is_chosen(result: TrialResult) -> None:
    log = result.scalars["log"]
    first_use = next(i for i, entry in enumerate(log) if entry.startswith("test"))
    last_epoch = max(i for i, entry in enumerate(log) if entry.startswith("epoch"))
    assert last_epoch < first_use
