"""Real samples for golden vectors.

A module of its own because loading data imports TensorFlow, which takes seconds; an export on
generated inputs does not need it.
"""

import tensorflow as tf

from tflite_squeeze.android.golden import Case, most_cases
from tflite_squeeze.android.interface import AndroidTensor, android_interface
from tflite_squeeze.data.data import Data, Part


def golden_samples(tflite: bytes, data: Data) -> list[Case]:
    """Takes the first samples of a data set as inputs for a file's golden vectors.

    Args:
        tflite: the file's content.
        data: real samples, from the validation part where there is one.

    Returns:
        As many cases as golden vectors may have: whole inputs by name, preprocessed, in real
        values where the file takes quantized integers.

    Raises:
        InputError: the data do not match the file's inputs.
        UnsupportedError: no Android library can run the file.

    Example:
        >>> golden_samples(tflite, load_data("samples.npz"))[0]["image"].shape
        (1, 28, 28, 1)
    """
    interface = android_interface(tflite)
    fitted = data.fitted_to({one.name: _spec(one) for one in interface.inputs})
    batch = max((one.shape[0] for one in interface.inputs if one.shape), default=1)
    part: Part = "train" if fitted.validation is None else "validation"
    inputs = fitted.sample(part, most_cases(interface) * batch).inputs
    whole = min(len(array) for array in inputs.values()) // batch
    return [
        {name: array[at * batch : (at + 1) * batch] for name, array in inputs.items()}
        for at in range(whole)
    ]


def _spec(one: AndroidTensor) -> tf.TensorSpec:
    dtype = "float32" if one.quantized else one.dtype
    return tf.TensorSpec((None, *one.shape[1:]), dtype, one.name)
