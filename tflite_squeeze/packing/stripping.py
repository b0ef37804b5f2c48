"""A file without what no runtime needs to compute: names of tensors, description, metadata."""

from typing import Any

from tflite_squeeze.tflite.fields import integers
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model


def stripped(tflite: bytes) -> bytes:
    """Removes names of tensors, the description and the metadata of a file.

    Answers stay bit by bit the same. Signatures keep their names, and inputs and outputs theirs
    where the file has no signature. Labels and preprocessing are metadata, and go.

    Args:
        tflite: the file's content.

    Returns:
        The smaller file.

    Raises:
        InputError: the file is damaged.

    Example:
        >>> len(stripped(tflite)) < len(tflite)
        True
    """
    model = read_model(tflite)
    for entry in model.metadata or []:
        model.buffers[entry.buffer].data = None
    model.metadata = model.metadataBuffer = model.description = None
    used = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
    while len(model.buffers) - 1 > max(used, default=0):
        model.buffers.pop()
    for graph in model.subgraphs:
        graph.name = None
        ends = {*integers(graph.inputs), *integers(graph.outputs)}
        for index, tensor in enumerate(graph.tensors):
            if model.signatureDefs or index not in ends:
                tensor.name = None
            if integers(tensor.shapeSignature) == integers(tensor.shape):
                tensor.shapeSignature = None
            if _says_nothing(tensor.quantization):
                tensor.quantization = None
    return pack_model(model)


def _says_nothing(quantization: Any) -> bool:
    """Whether a table of scales holds none."""
    if quantization is None or quantization.details is not None:
        return False
    vectors = (quantization.scale, quantization.zeroPoint, quantization.min, quantization.max)
    return all(vector is None or not len(vector) for vector in vectors)
