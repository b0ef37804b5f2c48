"""Biases that make up for weights that were changed."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.rebuilding.weights_alone import Kernel
from tflite_squeeze.runtime.observing import Batches, observed
from tflite_squeeze.tflite.edits import new_buffer, new_tensor
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model
from tflite_squeeze.tflite.links import Links
from tflite_squeeze.tflite.tensor_values import tensor_values

Array = NDArray[Any]

_WITH_BIAS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})


def with_repaired_biases(
    before: bytes,
    after: bytes,
    kernels: Sequence[Kernel],
    samples: Mapping[str, Batches],
    tell: Callable[[int, int], None] = lambda *_: None,
) -> tuple[bytes, int]:
    """A file whose operators put out the same on average as with the weights that they had.

    The mean of a sum of products is the products of the weights with the means of the inputs: what
    it has moved by, the bias takes back. One operator after the other, since each changes what
    those behind it read. At padded edges the means are a little smaller.

    Args:
        before: the file with the old weights.
        after: the same graph with the new ones.
        kernels: of the old file, in order of execution.
        samples: by signature ("" for a file without any), a function that returns batches of real
            samples by input name.
        tell: called with how many operators are done, and of how many.

    Returns:
        The file, and how many biases were moved.

    Reference:
        Nagel et al. 2019, arXiv:1906.04721, section 4.2 (there for rounding errors).
    """
    moved = 0
    repaired = [kernel for kernel in kernels if kernel.kind in _WITH_BIAS]
    means = _means(before, repaired, samples)
    for done, kernel in enumerate(repaired):
        tell(done, len(repaired))
        model = read_model(after)
        links = Links(model, kernel.subgraph)
        given = [int(one) for one in links.graph.operators[kernel.operator].inputs]
        given += [-1] * (3 - len(given))
        bias = np.float32(0) if given[2] < 0 else tensor_values(model, kernel.subgraph, given[2])
        values = tensor_values(model, kernel.subgraph, kernel.tensor)
        place = kernel.subgraph, given[0]
        mean, now = means.get(place), _means(after, [kernel], samples).get(place)
        if bias is None or values is None or mean is None or now is None:
            continue
        was, is_now = _products(kernel, kernel.values, mean), _products(kernel, values, now)
        if was is None or is_now is None:
            continue
        fresh: Array = (bias + was - is_now).astype(np.float32)
        # There may be no bias, and zeros are often one tensor for many operators.
        given[2] = new_tensor(links.graph, kernel.tensor, fresh.shape)
        links.graph.tensors[given[2]].buffer = new_buffer(model, fresh)
        links.graph.operators[kernel.operator].inputs = np.asarray(given, np.int32)
        after = pack_model(model)
        moved += 1
    return after, moved


def _products(kernel: Kernel, values: Array, mean: Array) -> Array | None:
    """The mean of each output without its bias; None where inputs are of another number (groups).

    Args:
        kernel: says how the weights are multiplied.
        values: the weights.
        mean: of each channel of the inputs.
    """
    values = values.astype(np.float64)
    if kernel.kind == "DEPTHWISE_CONV_2D":
        channels = values.shape[-1]
        if channels % len(mean):
            return None
        return np.asarray(values.sum((0, 1, 2)) * np.repeat(mean, channels // len(mean)))
    inputs = values.reshape(len(values), -1, values.shape[-1]).sum(1)
    return np.asarray(inputs @ mean) if inputs.shape[1] == len(mean) else None


def _means(
    tflite: bytes, kernels: Sequence[Kernel], samples: Mapping[str, Batches]
) -> dict[tuple[int, int], Array]:
    """The mean of what operators read, by channel: subgraph and tensor → (channels,)."""
    channels: dict[tuple[int, int], int] = {}

    def wanted(subgraph: int, links: Links) -> list[int]:
        found = {
            int(links.graph.operators[one.operator].inputs[0]): one.values.shape[-1]
            for one in kernels
            if one.subgraph == subgraph
        }
        channels.update({(subgraph, tensor): width for tensor, width in found.items()})
        return list(found)

    sums: dict[tuple[int, int], Array] = {}
    counts: dict[tuple[int, int], int] = {}
    for subgraph, tensor, values in observed(tflite, samples, wanted):
        place = subgraph, tensor
        # FULLY_CONNECTED also takes inputs of more axes than two, as rows.
        width = values.shape[-1] if values.ndim == 4 else channels[place]
        rows = values.reshape(-1, width).astype(np.float64)
        sums[place] = sums.get(place, 0) + rows.sum(0)
        counts[place] = counts.get(place, 0) + len(rows)
    return {place: total / counts[place] for place, total in sums.items()}
