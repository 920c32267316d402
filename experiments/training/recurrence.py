"""The LSTM over looked-up projections: its last state and gradients, in compiled chunks of steps.

It is the function of ``keras.layers.LSTM`` (Hochreiter & Schmidhuber 1997, with forget gates), but
takes the products of embedding table and input kernel, computed once a batch for the words that
occur, instead of multiplying the same rows at every place where a word stands. Time is cut into
chunks of ``CHUNK`` steps, so XLA compiles one shape whatever the length, and what a chunk
keeps for its gradients stays in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from experiments.training.libraries import tf
from experiments.training.reviews import CHUNK

CLOSED = -1e4
"""An input gate's argument for padding: its sigmoid is exactly 0, and so the state stays 0."""

Tensor = Any
"""A tensor or a variable; TensorFlow has no types to check."""
Compiled = TypeVar("Compiled", bound=Callable[..., Any])


def compiled(function: Compiled) -> Compiled:
    """The function, compiled by XLA: once for every combination of its arguments' shapes."""
    xla: Compiled = tf.function(function, jit_compile=True)
    return xla


@dataclass(frozen=True)
class Kept:
    """What a forward pass keeps for its gradients: of each chunk its words and its states."""

    chunks: tuple[tuple[Tensor, ...], ...]


def project(embedded: Tensor, kernel: Tensor, bias: Tensor, padding: Tensor) -> Tensor:
    """The gates' arguments that each word brings: float32 (words, 4 units), Keras' gate order.

    Args:
        embedded: float32 (words, embedding size), one row a word.
        kernel: float32 (embedding size, 4 units).
        bias: float32 (4 units,).
        padding: bool (words, 1), true where the word is padding. Its input gate is closed, so
            that padding in front leaves the state at zero, as Keras' mask does.
    """
    projected = embedded @ kernel + bias
    units = projected.shape[1] // 4
    closed = tf.constant([CLOSED] * units + [0.0] * 3 * units)
    return tf.where(padding, closed, projected)


def last_state(projected: Tensor, words: Tensor, recurrent: Tensor) -> Tensor:
    """The state after the last step: float32 (batch, units).

    Args:
        projected: float32 (different words, 4 units), from :func:`project`.
        words: int32 (steps, batch), rows of ``projected``; steps are a multiple of CHUNK.
        recurrent: float32 (units, 4 units), the recurrent kernel.
    """
    state = cell = tf.zeros((words.shape[1], recurrent.shape[0]))
    for chunk in tf.split(words, words.shape[0] // CHUNK):
        state, cell = _pass_by(tf.gather(projected, chunk), recurrent, state, cell)
    return state


def last_state_kept(projected: Tensor, words: Tensor, recurrent: Tensor) -> tuple[Tensor, Kept]:
    """As :func:`last_state`, keeping what :func:`gradients` needs."""
    state = cell = tf.zeros((words.shape[1], recurrent.shape[0]))
    chunks = []
    for chunk in tf.split(words, words.shape[0] // CHUNK):
        before = (state, cell)
        state, cell, *within = _go_through(tf.gather(projected, chunk), recurrent, *before)
        chunks.append((chunk, *before, *within))
    return state, Kept(tuple(chunks))


def gradients(
    upstream: Tensor, kept: Kept, projected: Tensor, recurrent: Tensor
) -> tuple[Tensor, Tensor]:
    """The gradients for ``projected`` and ``recurrent``, given that for the last state."""
    by_state, by_cell = upstream, tf.zeros_like(upstream)
    by_recurrent = tf.zeros_like(recurrent)
    words, by_word = [], []
    for chunk, *within in reversed(kept.chunks):
        by_state, by_cell, by_recurrent, by_gates = _go_back(
            by_state, by_cell, by_recurrent, recurrent, *within
        )
        words.append(tf.reshape(chunk, [-1]))
        by_word.append(tf.reshape(by_gates, (-1, by_gates.shape[2])))
    by_projected = tf.math.unsorted_segment_sum(
        tf.concat(by_word, 0), tf.concat(words, 0), projected.shape[0]
    )
    return by_projected, by_recurrent


def _step(arguments: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """One time step from the gates' arguments: all four gates, the new state, the new cell.

    The sigmoid is (1 + tanh(x / 2)) / 2, so that one vectorised tanh serves all gates.
    """
    units = cell.shape[1]
    scale = tf.constant([0.5] * 2 * units + [1.0] * units + [0.5] * units)
    gates = tf.tanh(arguments * scale) * scale + (1 - scale)
    admit, keep, new, show = tf.split(gates, 4, axis=1)
    cell = keep * cell + admit * new
    return gates, show * tf.tanh(cell), cell


@compiled
def _pass_by(
    inputs: Tensor, recurrent: Tensor, state: Tensor, cell: Tensor
) -> tuple[Tensor, Tensor]:
    """State and cell after the steps of one chunk; ``inputs`` are (CHUNK, batch, 4 units)."""

    def body(t: Tensor, state: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        _, state, cell = _step(inputs[t] + state @ recurrent, cell)
        return t + 1, state, cell

    steps = inputs.shape[0]
    _, state, cell = tf.while_loop(
        lambda t, *_: t < steps, body, (0, state, cell), maximum_iterations=steps
    )
    return state, cell


@compiled
def _go_through(
    inputs: Tensor, recurrent: Tensor, state: Tensor, cell: Tensor
) -> tuple[Tensor, ...]:
    """As :func:`_pass_by`, with all states, cells and gates on the way."""
    steps, batch, width = inputs.shape
    units = width // 4
    ways = tuple(
        tf.TensorArray(tf.float32, steps, element_shape=(batch, size))
        for size in (units, units, width)
    )

    def body(t: Tensor, state: Tensor, cell: Tensor, *ways: tf.TensorArray) -> tuple[Tensor, ...]:
        gates, state, cell = _step(inputs[t] + state @ recurrent, cell)
        written = [way.write(t, now) for way, now in zip(ways, (state, cell, gates), strict=True)]
        return t + 1, state, cell, *written

    _, state, cell, *ways = tf.while_loop(
        lambda t, *_: t < steps, body, (0, state, cell, *ways), maximum_iterations=steps
    )
    return state, cell, *(way.stack() for way in ways)


@compiled
def _go_back(
    by_state: Tensor,
    by_cell: Tensor,
    by_recurrent: Tensor,
    recurrent: Tensor,
    first_state: Tensor,
    first_cell: Tensor,
    states: Tensor,
    cells: Tensor,
    gates: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Backpropagation through the steps of one chunk, last to first.

    Returns the gradients for the chunk's first state and cell, for the recurrent kernel (added
    to ``by_recurrent``), and for the gates' arguments. All local derivatives are taken at once
    before the loop, and the kernel's gradient is one product after it: in the loop, which is the
    slow part, remain a few multiplications.
    """
    steps, batch, width = gates.shape
    units = width // 4
    admit, keep, new, show = tf.split(gates, 4, axis=2)
    shown = tf.tanh(cells)
    cells_before = tf.concat([first_cell[None], cells[:-1]], 0)
    states_before = tf.concat([first_state[None], states[:-1]], 0)
    local = tf.concat(
        [
            admit * (1 - admit) * new,
            keep * (1 - keep) * cells_before,
            (1 - new * new) * admit,
            show * (1 - show) * shown,
        ],
        2,
    )
    through_state = show * (1 - shown * shown)
    transposed = tf.transpose(recurrent)
    way = tf.TensorArray(tf.float32, steps, element_shape=(batch, width))

    def body(
        k: Tensor, by_state: Tensor, by_cell: Tensor, way: tf.TensorArray
    ) -> tuple[Tensor, ...]:
        t = steps - 1 - k
        by_cell = by_cell + by_state * through_state[t]
        by_gates = tf.concat([by_cell, by_cell, by_cell, by_state], 1) * local[t]
        return k + 1, by_gates @ transposed, by_cell * keep[t], way.write(t, by_gates)

    _, by_state, by_cell, way = tf.while_loop(
        lambda k, *_: k < steps, body, (0, by_state, by_cell, way), maximum_iterations=steps
    )
    by_gates = way.stack()
    by_recurrent += tf.matmul(
        tf.reshape(states_before, (-1, units)), tf.reshape(by_gates, (-1, width)), transpose_a=True
    )
    return by_state, by_cell, by_recurrent, by_gates
