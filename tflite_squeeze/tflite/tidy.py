"""Removes what nothing in a file uses, without changing what it computes."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from tflite_squeeze.errors import InputError
from tflite_squeeze.tflite.fields import buffer_bytes, items, text
from tflite_squeeze.tflite.flatbuffer import metadata_of, pack_model, read_model, with_metadata

_STAMP = "CONVERSION_METADATA"


def tidied(tflite: bytes) -> bytes:
    """Removes unused parts from a file, whose outputs stay exactly the same.

    Empty buffers become the one that represents "no data", equal constants and operator codes
    are stored once, and tensors, buffers and operator codes that nothing refers to go, as do the
    ranges (min and max) and empty tables of quantization, and the converter's stamp
    (CONVERSION_METADATA): no runtime reads them. Names, all other metadata, signatures and the
    order of operators stay.

    Args:
        tflite: the file's content.

    Returns:
        The new file, or the old one where that is no larger.

    Raises:
        InputError: the file is damaged.

    Example:
        >>> len(tidied(tflite)) <= len(tflite)
        True
    """
    model = read_model(tflite)
    for subgraph in range(len(model.subgraphs)):
        _drop_tensors(model, subgraph)
        for tensor in model.subgraphs[subgraph].tensors:
            _trim_quantization(tensor)
    model.metadata = [one for one in items(model.metadata) if text(one.name) != _STAMP] or None
    _drop_buffers(model)
    _drop_codes(model)
    tidy = pack_model(model)
    return tidy if len(tidy) < len(tflite) else tflite


def with_short_names(tflite: bytes) -> bytes:
    """Leaves one of the names of fused operators to each tensor inside, the first that is free.

    Args:
        tflite: the file's content.

    Returns:
        A file with the same names of inputs and outputs, and unique ones inside as before.

    Raises:
        InputError: the file is damaged.
    """
    model = read_model(tflite)
    for graph in model.subgraphs:
        ends = {*_listed(graph, "inputs"), *_listed(graph, "outputs")}
        names = [text(tensor.name) for tensor in graph.tensors]
        taken = {name for at, name in enumerate(names) if at in ends or ";" not in name}
        for tensor, name in zip(graph.tensors, names, strict=True):
            if name not in taken:
                tensor.name = next((one for one in name.split(";") if one not in taken), name)
                taken.add(tensor.name)
    return pack_model(model)


def _drop_tensors(model: Any, subgraph: int) -> None:
    graph = model.subgraphs[subgraph]
    signatures = [one for one in items(model.signatureDefs) if one.subgraphIndex == subgraph]
    endpoints = [end for one in signatures for end in items(one.inputs) + items(one.outputs)]
    used = {int(end.tensorIndex) for end in endpoints}
    vectors: list[tuple[Any, str]] = [(graph, "inputs"), (graph, "outputs")]
    for operator in graph.operators:
        vectors += [(operator, "inputs"), (operator, "outputs"), (operator, "intermediates")]
    for holder, field in vectors:
        used.update(int(at) for at in _listed(holder, field) if at >= 0)
    new = _numbered(used)
    new[-1] = -1  # an input that is left out
    graph.tensors = [graph.tensors[at] for at in sorted(used)]
    for holder, field in vectors:
        if getattr(holder, field) is not None:
            setattr(holder, field, np.asarray([new[at] for at in _listed(holder, field)], np.int32))
    for end in endpoints:
        end.tensorIndex = new[int(end.tensorIndex)]


def _listed(holder: Any, field: str) -> list[int]:
    vector = getattr(holder, field)
    return [] if vector is None else [int(at) for at in vector]


def _trim_quantization(tensor: Any) -> None:
    about = tensor.quantization
    if about is None:
        return
    about.min = about.max = None
    if (about.scale is None or not len(about.scale)) and about.details is None:
        tensor.quantization = None


def _drop_buffers(model: Any) -> None:
    """Keeps every content once, the empty buffer first, where the format wants it."""
    contents = [buffer_bytes(buffer) for buffer in model.buffers]
    if not contents or contents[0]:
        return  # without an empty first buffer, nothing can stand for "no data"
    tensors = [tensor for graph in model.subgraphs for tensor in graph.tensors]
    entries = items(model.metadata)
    # A file is free to change its metadata, so those never share what a tensor holds.
    new = _merged(contents, {int(tensor.buffer) for tensor in tensors})
    metadata = {int(entry.buffer) for entry in entries}
    kept = sorted({0, *new.values(), *metadata})
    place = _numbered(kept)
    for tensor in tensors:
        tensor.buffer = place[new[int(tensor.buffer)]]
    for entry in entries:
        entry.buffer = place[int(entry.buffer)]
    model.buffers = [model.buffers[at] for at in kept]


def _merged(contents: list[bytes], used: set[int]) -> dict[int, int]:
    """For every buffer that is used, the first with its content; 0 for those without."""
    first: dict[bytes, int] = {}
    merged = {}
    for at in sorted(used):
        if contents[at]:
            merged[at] = first.setdefault(hashlib.sha256(contents[at]).digest(), at)
        else:
            merged[at] = 0
    return merged


def _drop_codes(model: Any) -> None:
    operators = [operator for graph in model.subgraphs for operator in graph.operators]
    kept: dict[tuple[Any, ...], int] = {}
    codes: list[Any] = []
    for operator in operators:
        code = model.operatorCodes[operator.opcodeIndex]
        key = (code.builtinCode, code.deprecatedBuiltinCode, code.version, text(code.customCode))
        if key not in kept:
            kept[key] = len(codes)
            codes.append(code)
        operator.opcodeIndex = kept[key]
    model.operatorCodes = codes


def _numbered(used: Iterable[int]) -> dict[int, int]:
    """New numbers without gaps, in the old order."""
    return {old: new for new, old in enumerate(sorted(used))}


METADATA_KEY = "tflite_squeeze"


def facts_of(tflite: bytes) -> dict[str, Any]:
    """The facts in a file.

    Args:
        tflite: the file's content.

    Returns:
        name, version, labels, source_sha256, quantize, weights where they are "int2" or "int4"
        and, where values were scaled on their way to the model, preprocessing; nothing for a file
        of another converter.

    Raises:
        InputError: the file or its facts are damaged.

    Example:
        >>> facts_of(tflite)["labels"]
        ['cat', 'dog']
    """
    content = metadata_of(tflite).get(METADATA_KEY)
    if content is None:
        return {}
    try:
        facts = json.loads(content)
    except ValueError as error:
        raise InputError(
            f"the file's metadata {METADATA_KEY} is not JSON ({error}): convert the model again"
        ) from error
    if not isinstance(facts, dict):
        raise InputError(
            f"the file's metadata {METADATA_KEY} is not a JSON object: convert it again"
        )
    return facts


def with_facts(tflite: bytes, **facts: Any) -> bytes:
    """A file with facts added, or replaced where it has them.

    No time may be among them, so that the same input gives the same bytes.

    Args:
        tflite: the file's content.
        facts: anything that JSON can hold.

    Raises:
        InputError: the file is damaged.
    """
    merged = {**facts_of(tflite), **facts}
    text = json.dumps(merged, sort_keys=True, ensure_ascii=False)
    return with_metadata(tflite, {METADATA_KEY: text.encode()})
