"""A `.tflite` file that answers inside a TensorFlow graph, through the LiteRT interpreter."""

import threading
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.errors import InputError, reason_of

Array = NDArray[Any]


class TfliteRunner:
    """Runs a file on batches of any size.

    A batch that the file leaves open is resized; where it is fixed, examples run in groups of that
    many. State that a file keeps between runs is reset before each.

    Args:
        tflite: the file's content.
        name: what to call it in messages.

    Raises:
        InputError: LiteRT cannot load it.
    """

    def __init__(self, tflite: bytes, name: str) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self._name = name
        try:
            self._interpreter = Interpreter(model_content=tflite, num_threads=1)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            reason = reason_of(error)
            raise InputError(
                f"teacher {name!r} cannot be loaded by LiteRT ({reason}): convert it again"
            ) from error
        self._lock = threading.Lock()
        self._inputs = self._interpreter.get_input_details()
        self._outputs = self._interpreter.get_output_details()
        names = self._signature_names()
        self._open = all(
            len(detail["shape_signature"]) and detail["shape_signature"][0] == -1
            for detail in self._inputs
        )
        self._size = 1 if self._open else int(self._inputs[0]["shape"][0])
        self.inputs = [
            tf.TensorSpec([None, *detail["shape"][1:]], _real(detail), name)
            for detail, name in zip(self._inputs, names, strict=True)
        ]
        self.steps = [float(detail["quantization"][0]) for detail in self._outputs]

    def _signature_names(self) -> list[str]:
        """Names of the inputs: those of the signature where there is one."""
        runners = self._interpreter.get_signature_list()
        if not runners:
            return [detail["name"] for detail in self._inputs]
        runner = self._interpreter.get_signature_runner(next(iter(runners)))
        by_index = {detail["index"]: name for name, detail in runner.get_input_details().items()}
        return [by_index.get(detail["index"], detail["name"]) for detail in self._inputs]

    def run(self, *inputs: Array) -> list[Array]:
        """Answers a batch.

        Args:
            inputs: (N, ...) per input, real where the file's own tensor stands for reals.

        Returns:
            float32 (N, ...) per output.
        """
        count = len(inputs[0])
        with self._lock:
            size = count if self._open else self._size
            answers = [
                self._group([array[start : start + size] for array in inputs], size)
                for start in range(0, count, size)
            ]
        return [np.concatenate(parts) for parts in zip(*answers, strict=True)]

    def _group(self, arrays: list[Array], size: int) -> list[Array]:
        count, interpreter = len(arrays[0]), self._interpreter
        if self._open and size != int(self._inputs[0]["shape"][0]):
            for detail in self._inputs:
                interpreter.resize_tensor_input(detail["index"], [size, *detail["shape"][1:]])
            interpreter.allocate_tensors()
            self._inputs = interpreter.get_input_details()
        interpreter.reset_all_variables()
        for detail, array in zip(self._inputs, arrays, strict=True):
            filled = np.resize(array, (size, *array.shape[1:])) if count < size else array
            interpreter.set_tensor(detail["index"], _quantized(filled, detail))
        interpreter.invoke()
        return [
            _dequantized(interpreter.get_tensor(detail["index"]), detail)[:count]
            for detail in self._outputs
        ]

    def run_in_graph(self, tensors: list[Any]) -> list[Any]:
        """The same on tensors, eagerly or inside a graph.

        Args:
            tensors: (N, ...) per input.
        """
        dtypes = [tf.float32] * len(self._outputs)
        # Where there is one output, an eager call returns it bare.
        answers = tf.nest.flatten(tf.numpy_function(self.run, tensors, dtypes, stateful=False))
        for answer, detail in zip(answers, self._outputs, strict=True):
            answer.set_shape([None, *detail["shape"][1:]])
        return list(answers)


def _real(detail: dict[str, Any]) -> tf.DType:
    """The dtype that a tensor stands for."""
    return tf.float32 if detail["quantization"][0] else tf.as_dtype(detail["dtype"])


def _quantized(array: Array, detail: dict[str, Any]) -> Array:
    scale, zero = detail["quantization"]
    if not scale:
        return array.astype(detail["dtype"], copy=False)
    limits = np.iinfo(detail["dtype"])
    rounded = np.clip(np.round(array / scale) + zero, limits.min, limits.max)
    return np.asarray(rounded, detail["dtype"])


def _dequantized(array: Array, detail: dict[str, Any]) -> Array:
    scale, zero = detail["quantization"]
    values = array.astype(np.float32)
    return (values - zero) * np.float32(scale) if scale else values
