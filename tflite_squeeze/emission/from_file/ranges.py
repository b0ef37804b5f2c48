"""Ranges of a file's tensors other than those of the least and the greatest value.

TensorFlow's calibrator writes these two into the file, and its quantizer takes the scales from
them: others in their place become the scales of the integers.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tflite_squeeze.emission.calibration.histogram import Histogram
from tflite_squeeze.emission.calibration.ranges import METHODS, Method
from tflite_squeeze.network.quantization.fake import COARSER
from tflite_squeeze.network.quantization.plan import ActivationBits, ActivationQuantization
from tflite_squeeze.runtime.observing import Batches, observed
from tflite_squeeze.tflite.fields import text
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model
from tflite_squeeze.tflite.links import Links


def histograms_of(tflite: bytes, calibration: Mapping[str, Batches]) -> dict[str, Histogram]:
    """What the float tensors of a file are on samples.

    Args:
        tflite: a float file, which runs.
        calibration: by signature ("" for a file without any), a function that returns batches of
            real samples by input name, of the shapes that the file takes.

    Returns:
        By the tensor's name; inputs, and what operators put out.

    Raises:
        InputError: a tensor is NaN or infinite.
    """
    found: dict[str, Histogram] = {}
    names: dict[tuple[int, int], str] = {}

    def wanted(subgraph: int, links: Links) -> list[int]:
        floats = _floats(links)
        names.update({(subgraph, tensor): name for tensor, name in floats.items()})
        return list(floats)

    for subgraph, tensor, values in observed(tflite, calibration, wanted):
        name = names[subgraph, tensor]
        found.setdefault(name, Histogram(name)).add(values)
    return found


def _floats(links: Links) -> dict[int, str]:
    """The names of the float tensors of a subgraph that are computed or given."""
    return {
        tensor: text(links.graph.tensors[tensor].name)
        for tensor in (*sorted(links.starts), *links.producer)
        if links.dtype(tensor) == "float32" and not links.is_constant(tensor)
    }


def ranges_by(
    method: Method, histograms: Mapping[str, Histogram], bits: Mapping[str, ActivationBits]
) -> dict[str, ActivationQuantization]:
    """The range of each tensor by a method.

    Args:
        method: see `calibration.ranges`.
        histograms: by the tensor's name.
        bits: by the tensor's name; 8 for others.
    """
    found = {}
    for name, values in histograms.items():
        wanted = bits.get(name, 8)
        low, high = METHODS[method](values, wanted)
        found[name] = ActivationQuantization(bits=wanted, low=low, high=high)
    return found


def calibrated_ranges(tflite: bytes) -> dict[str, ActivationQuantization]:
    """The least and the greatest values that TensorFlow's calibrator has written into a file."""
    found = {}
    for graph in read_model(tflite).subgraphs:
        for tensor in graph.tensors:
            about = tensor.quantization
            if about is not None and about.min is not None and about.max is not None:
                low, high = min(float(about.min[0]), 0.0), max(float(about.max[0]), 0.0)
                found[text(tensor.name)] = ActivationQuantization(
                    low=low, high=high if low or high else 1.0
                )
    return found


def with_ranges(tflite: bytes, ranges: Mapping[str, ActivationQuantization]) -> bytes:
    """A file from whose tensors the quantizer takes these ranges.

    Args:
        tflite: what TensorFlow's calibrator returned.
        ranges: by the tensor's name, none open; 16 bits get 8 that stand for them, see
            `emission.wide`.

    Example:
        >>> changed = with_ranges(calibrated, {"conv": ActivationQuantization(low=0, high=6)})
    """
    model = read_model(tflite)
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            about, point = tensor.quantization, ranges.get(text(tensor.name))
            if point is None or point.scale is None or about is None or about.min is None:
                continue
            ends: tuple[Any, Any] = point.low, point.high
            if point.bits == 16:
                ends = -128 * COARSER * point.scale, 127 * COARSER * point.scale
            about.min, about.max = (np.asarray([one], np.float32) for one in ends)
    return pack_model(model)
