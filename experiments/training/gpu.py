"""The GPU that a training runs on, if it is to run on one."""

from __future__ import annotations

from experiments.training.libraries import tf
from reportgen.errors import TrainingError
from reportgen.experiment import GPU, TrainingContext


def gpu_for(context: TrainingContext) -> str:
    """The name of the GPU that the training is to run on; empty if it runs on the processor.

    TensorFlow gives the same numbers again on the GPU from then on, as it does on the processor
    (``enable_op_determinism``). Call it first. Raises TrainingError if TensorFlow finds no GPU: the
    result would be kept as a GPU's.
    """
    if context.device != GPU:
        return ""
    found = tf.config.list_physical_devices("GPU")
    if not found:
        raise TrainingError(
            f"TensorFlow {tf.__version__} finds no GPU that it can use, though one is asked for; "
            "run 'pip install \"tensorflow[and-cuda]\"', or build with '--device cpu'."
        )
    tf.config.experimental.enable_op_determinism()
    name: str = tf.config.experimental.get_device_details(found[0]).get("device_name", "unnamed")
    return name
