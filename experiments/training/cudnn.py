"""The review classifier's passes on a GPU, where cuDNN computes the LSTM of Keras."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experiments.training.dropout import Dropout
from experiments.training.libraries import keras, tf
from experiments.training.recurrence import Tensor
from experiments.training.reviews import PADDING, Reviews
from reportgen.experiment import Array

PREDICTION_BATCH = 512
"""Reviews that are predicted at a time."""


def padded_at_the_end(words: Array) -> Array:
    """Reviews that are padded in front, int32 (steps, batch), as int32 (batch, steps).

    cuDNN takes the length of each review, and so has padding only after its last word.
    """
    order = np.argsort(words == PADDING, axis=0, kind="stable")
    rows: Array = np.take_along_axis(words, order, axis=0).T
    return rows


class Passes:
    """The same function and gradients as those of :mod:`experiments.training.recurrent`.

    The LSTM is Keras' layer, called with weights that are given: only its code counts. It is not
    compiled by XLA, which can't call cuDNN.
    """

    def __init__(self, embedding_dim: int, units: int, use_cudnn: bool | str = True) -> None:
        """Prepare for these sizes. ``use_cudnn`` is Keras'; True raises where cuDNN can't be used.

        Keras would fall back to its own loop for ``"auto"``, and nobody would notice.
        """
        self._lstm = keras.layers.LSTM(units, use_cudnn=use_cudnn, name="by_cudnn")
        self._lstm.build((None, None, embedding_dim))
        self._forth_and_back = tf.function(self._loss_and_gradients, reduce_retracing=True)
        self._forth = tf.function(self._probability, reduce_retracing=True)

    def loss_and_gradients(
        self,
        weights: Sequence[tf.Variable],
        words: Array,
        labels: Array,
        present: Array,
        dropout: Dropout,
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """As :func:`experiments.training.recurrent.loss_and_gradients`, padding included."""
        given = (padded_at_the_end(words), labels, present, dropout.inputs, dropout.outputs)
        total, right, gradients = self._forth_and_back(list(weights), *map(tf.constant, given))
        return total, right, gradients

    def predict(self, weights: Sequence[Array], reviews: Reviews, chosen: Array) -> Array:
        """As :func:`experiments.training.recurrent.predict`."""
        constants = [tf.constant(weight) for weight in weights]
        probability = np.zeros(len(reviews.labels), np.float32)
        for batch in reviews.batches(chosen, PREDICTION_BATCH):
            words = padded_at_the_end(reviews.padded(batch, len(batch)))
            probability[batch] = self._forth(constants, tf.constant(words)).numpy()
        return probability[chosen]

    def _loss_and_gradients(
        self,
        weights: Sequence[Tensor],
        words: Tensor,
        labels: Tensor,
        present: Tensor,
        inputs: Tensor,
        outputs: Tensor,
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """The passes of one batch, its words int32 (batch, steps), padded at the end."""
        with tf.GradientTape() as tape:
            logits = self._logits(weights, words, inputs, outputs)
            losses = tf.nn.sigmoid_cross_entropy_with_logits(labels, logits) * present
            mean = tf.reduce_sum(losses) / tf.reduce_sum(present)
        right = present * tf.cast((logits > 0) == (labels > 0.5), tf.float32)
        gradients = map(tf.convert_to_tensor, tape.gradient(mean, weights))
        return tf.reduce_sum(losses), tf.reduce_sum(right), list(gradients)

    def _probability(self, weights: Sequence[Tensor], words: Tensor) -> Tensor:
        """That each review is positive: float32 (batch,)."""
        return tf.sigmoid(self._logits(weights, words, 1.0, 1.0))

    def _logits(
        self, weights: Sequence[Tensor], words: Tensor, inputs: Tensor, outputs: Tensor
    ) -> Tensor:
        """The dense layer before its sigmoid: float32 (batch,)."""
        table, kernel, recurrent, bias, dense_kernel, dense_bias = weights
        given = words != PADDING
        embedded = tf.where(given[:, :, None], tf.gather(table, words) * inputs, 0.0)
        lengths = tf.reduce_sum(tf.cast(given, tf.int32), 1)
        # cuDNN refuses a review without words. It gets one step, and its state is 0, as elsewhere.
        mask = tf.sequence_mask(tf.maximum(lengths, 1), tf.shape(words)[1])
        state, _ = self._lstm.stateless_call(
            [kernel, recurrent, bias], self._lstm.non_trainable_variables, embedded, mask=mask
        )
        state = tf.where(lengths[:, None] > 0, state, 0.0)
        return tf.reshape((state * outputs) @ dense_kernel + dense_bias, [-1])
