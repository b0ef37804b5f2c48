"""`convert` beside the LiteRT quantizer (litert-quantizer), which works on `.tflite` files."""

import contextlib
import io
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from litert_quantizer import quantizer, recipe

from .arrays import Arrays, fashion_mnist, reference_model
from .converter import own_file
from .files import beside
from .results import Row

# Recipe → mode and options here.
RECIPES: dict[str, tuple[str, dict[str, Any]]] = {
    "dynamic_wi8_afp32": ("dynamic", {}),
    "static_wi8_ai8": ("int8", {}),
    "weight_only_wi8_afp32": ("dynamic", {}),
    "dynamic_wi4_afp32": ("dynamic", {"weight_bits": 4}),
}


def quantized_by_peer(float_file: bytes, name: str, data: Arrays) -> bytes:
    """A float file after one of the quantizer's ready recipes."""
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stdout(io.StringIO()),  # sizes and times
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # that all tensors are kept while it calibrates
        path = Path(folder) / "float.tflite"
        path.write_bytes(float_file)
        work = quantizer.Quantizer(str(path))
        work.load_quantization_recipe(getattr(recipe, name)())
        found = None
        if work.need_calibration:
            samples = [{"image": image[None]} for image in data.calibration]
            found = work.calibrate({"serving_default": samples}, num_threads=1)
        return bytes(work.quantize(found).quantized_model)


def quantized(network: str, recipes: Sequence[str], *, quick: bool = False) -> Iterator[Row]:
    """Bytes, latency and accuracy of a reference network's files."""
    data = fashion_mnist(quick=quick)
    model = reference_model(network)
    float_file = own_file(model, "none", data)
    for name in recipes:
        mode, options = RECIPES[name]
        peer = quantized_by_peer(float_file, name, data)
        here = own_file(model, mode, data, **options)
        what = f"{network}, {name} / {mode} here"
        yield from beside(what, here, peer, data, quick=quick)
