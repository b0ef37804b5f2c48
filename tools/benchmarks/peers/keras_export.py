"""`convert` beside Keras 3's own quantize and export to LiteRT."""

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from .arrays import fashion_mnist, reference_model
from .converter import own_file
from .files import beside, first_line
from .results import Row

# Mode here → what Keras is asked for: how models are quantized, and options of the export.
_WEIGHTS_ONLY = "int8, weights only"
WAYS: dict[str, tuple[str, Any]] = {
    "export, float": ("none", None),
    "quantize int8": ("int8", "int8"),
    f"quantize {_WEIGHTS_ONLY}": ("dynamic", _WEIGHTS_ONLY),
    "quantize int4": ("dynamic", "int4"),
    "quantize float8": ("float16", "float8"),
    "export, Optimize.DEFAULT": ("dynamic", "optimize"),
}


def exported(network: str, how: str | None) -> bytes:
    """The file that Keras writes."""
    model = reference_model(network)
    options: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a line for each layer that it leaves as it is
        if how == "optimize":
            options["optimizations"] = [tf.lite.Optimize.DEFAULT]
        elif how == _WEIGHTS_ONLY:
            config = keras.quantizers.Int8QuantizationConfig(activation_quantizer=None)
            model.quantize(config=config)
        elif how is not None:
            model.quantize(how)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "exported.tflite"
            model.export(path, format="litert", verbose=False, **options)
            return path.read_bytes()


def quantized(network: str, ways: Sequence[str], *, quick: bool = False) -> Iterator[Row]:
    """Bytes, latency and accuracy of a reference network's files; what fails says why."""
    data = fashion_mnist(quick=quick)
    model = reference_model(network)
    for way in ways:
        mode, how = WAYS[way]
        what = f"{network}, {way} / {mode if mode != 'none' else 'float'} here"
        here = own_file(model, mode, data)
        try:
            peer = exported(network, how)
        except Exception as error:  # noqa: BLE001  # TensorFlow's ConverterError is a bare one
            reason = f"no file: {type(error).__name__}: {reason_of(error)}"
            yield Row(what=what, measure="file_bytes", here=len(here), peer=None, note=reason)
            continue
        yield from beside(what, here, peer, data, quick=quick)


def reason_of(error: Exception) -> str:
    """The converter's reason, without where in the graph it lies."""
    text = first_line(error)
    return text.rpartition("): ")[2] or text
