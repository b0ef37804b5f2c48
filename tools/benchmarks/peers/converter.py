"""`convert` beside a plain TFLiteConverter, in every mode that both have."""

import contextlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.verification.record import Verify

from .arrays import Arrays, fashion_mnist, reference_model
from .files import beside
from .results import Row, seeds_row


def plain_file(model: Any, mode: str, calibration: np.ndarray) -> bytes:
    """What TFLiteConverter makes of a Keras model, as its guide has it."""
    converter: Any = tf.lite.TFLiteConverter.from_keras_model(model)
    if mode != "none":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if mode == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if mode == "int8":
        converter.representative_dataset = lambda: ([image[np.newaxis]] for image in calibration)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it saved
        return bytes(converter.convert())


def own_file(
    model: Any, mode: str, data: Arrays, verification: Verify | None = None, **options: Any
) -> bytes:
    """What `convert` makes of it, without its check unless that is asked for."""
    samples = {"x_train": data.calibration, "x_test": data.calibration}
    config = Convert(quantize=mode, calibration_samples=len(data.calibration), **options)
    return convert(model, config, samples, verification=verification).tflite


def int8_beside(what: str, here: Any, peer: Any, data: Arrays, *, quick: bool) -> list[Row]:
    """Two compressed models as int8 files: this one by `convert`, the peer's by TFLiteConverter."""
    files = own_file(here, "int8", data), plain_file(peer, "int8", data.calibration)
    return beside(f"{what}, int8", *files, data, quick=quick)


def cpu_seconds(work: Callable[[], Any]) -> float:
    """Processor time of one call, with that of child processes that it waited for."""
    before = os.times()
    work()
    after = os.times()
    return sum(after[:4]) - sum(before[:4])


def quantized(
    network: str, modes: Sequence[str], repetitions: int, *, quick: bool = False
) -> Iterator[Row]:
    """Bytes, latency and accuracy of a reference network's files, and the time to make them."""
    data = fashion_mnist(quick=quick)
    model = reference_model(network)
    for mode in modes:
        what = f"{network}, {mode if mode != 'none' else 'float'}"
        here, peer = own_file(model, mode, data), plain_file(model, mode, data.calibration)
        yield from beside(what, here, peer, data, quick=quick)
        if mode in ("none", "int8"):
            yield from _times(what, model, mode, data, repetitions)


def _times(what: str, model: Any, mode: str, data: Arrays, repetitions: int) -> Iterator[Row]:
    ways = {
        "peer": lambda: plain_file(model, mode, data.calibration),
        "here": lambda: own_file(model, mode, data),
        "checked": lambda: own_file(model, mode, data, Verify()),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repetitions):
        for name, work in ways.items():
            seconds[name].append(cpu_seconds(work))
    yield seeds_row(f"{what}: conversion", "cpu_s", seconds["here"], seconds["peer"])
    yield seeds_row(f"{what}: conversion, checked", "cpu_s", seconds["checked"], seconds["peer"])
