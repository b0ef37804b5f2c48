"""The .tflite format: bytes to an object model and back.

Malformed bytes are caught here, once: whoever holds a `ModelT` that `read_model` returned may
follow every index in it.
"""

import copy
import struct
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from tflite_squeeze.errors import InputError, UnsupportedError
from tflite_squeeze.files.tflite_file import IDENTIFIER, refuse_foreign
from tflite_squeeze.tflite.checks import Damaged, check_indexes, check_tables
from tflite_squeeze.tflite.fields import (
    buffer_bytes,
    items,
    operator_name,
    text,
    with_shared_quantization,
)

ModelT: TypeAlias = Any  # schema.ModelT, which comes without type annotations

_ALIGNMENT = 16  # LiteRT's kernels read weights in place and expect them so
_LARGEST_BYTES = 2**31 - 1  # offsets inside a flatbuffer are signed 32 bits


def read_model(tflite: bytes, what: str = "the .tflite file") -> ModelT:
    """Reads a .tflite file and checks that everything in it refers to something in it.

    Buffers that lie behind the flatbuffer come in place, as views on `tflite` like all others.

    Args:
        tflite: the file's content.
        what: to call it in messages.

    Returns:
        The schema's object model.

    Raises:
        InputError: these bytes are not a .tflite file, or it is damaged.

    Example:
        >>> len(read_model(Path("lenet.tflite").read_bytes()).subgraphs)
        1
    """
    refuse_foreign(tflite, "what was given")
    try:
        root = schema.Model.GetRootAs(tflite)
        check_tables(root, len(tflite))
        model = schema.ModelT.InitFromObj(root)
        _bring_in(model, tflite)
        check_indexes(model)
    except Damaged as error:
        raise InputError(f"{what} is damaged ({error}): convert or copy it again") from error
    # What NumPy and the generated code raise when an offset leads nowhere.
    except (struct.error, IndexError, ValueError, TypeError, OverflowError, KeyError) as error:
        raise InputError(
            f"{what} is damaged (an offset leads out of it): convert or copy it again"
        ) from error
    return model


def pack_model(model: ModelT) -> bytes:
    """Writes an object model as a .tflite file, every buffer on a multiple of 16 bytes.

    Equal tables of quantization are written once.

    Args:
        model: the schema's object model; it is not changed.

    Returns:
        The file's content; the same for the same model.

    Raises:
        UnsupportedError: the file would not fit into a flatbuffer of 2 GB.
    """
    packed = copy.copy(model)
    packed.buffers = [_AlignedBuffer(buffer) for buffer in model.buffers]
    packed.subgraphs = with_shared_quantization(model.subgraphs)
    weights_bytes = sum(len(buffer.content) for buffer in packed.buffers)
    if weights_bytes > _LARGEST_BYTES:
        raise UnsupportedError(
            f"a .tflite file holds at most 2 GB; this one has {weights_bytes:,} bytes of buffers: "
            f"quantize the model"
        )
    builder = flatbuffers.Builder(weights_bytes + 4096)
    builder.Finish(packed.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


class _AlignedBuffer(schema.BufferT):  # type: ignore[misc]
    """A buffer that aligns its data; the generated code does not."""

    def __init__(self, buffer: Any) -> None:
        self.content = buffer_bytes(buffer)

    def Pack(self, builder: Any) -> Any:  # noqa: N802  # the generated code calls it so
        data = None
        if self.content:
            builder.StartVector(1, len(self.content), _ALIGNMENT)
            builder.head -= len(self.content)
            builder.Bytes[builder.head : builder.head + len(self.content)] = self.content
            data = builder.EndVector()
        schema.BufferStart(builder)
        if data is not None:
            schema.BufferAddData(builder, data)
        return schema.BufferEnd(builder)


def operator_names(tflite: bytes) -> list[list[str]]:
    """The operators of every subgraph in order of execution.

    Args:
        tflite: the file's content.

    Returns:
        Per subgraph, built-in names such as CONV_2D, or the codes of custom operators.

    Raises:
        InputError: the file is damaged.
    """
    model = read_model(tflite)
    return [
        [operator_name(model, operator) for operator in items(subgraph.operators)]
        for subgraph in items(model.subgraphs)
    ]


def metadata_of(tflite: bytes) -> dict[str, bytes]:
    """The metadata entries of a file.

    Args:
        tflite: the file's content.

    Returns:
        Content by name, such as min_runtime_version; of entries with one name, the last.

    Raises:
        InputError: the file is damaged.
    """
    model = read_model(tflite)
    return {
        text(entry.name): buffer_bytes(model.buffers[entry.buffer])
        for entry in items(model.metadata)
    }


def with_metadata(tflite: bytes, entries: Mapping[str, bytes]) -> bytes:
    """A file with metadata entries added, or replaced where it has them.

    Args:
        tflite: the file's content.
        entries: content by name.

    Returns:
        The new file; all else in it is as it was, and the same input gives the same bytes.

    Raises:
        InputError: the file is damaged.

    Example:
        >>> metadata_of(with_metadata(tflite, {"recipe": b"prune: 0.9"}))["recipe"]
        b'prune: 0.9'
    """
    model = read_model(tflite)
    model.metadata = items(model.metadata)
    for name, content in entries.items():
        entry = next((one for one in model.metadata if text(one.name) == name), None)
        if entry is None:
            entry = schema.MetadataT(name=name)
            model.metadata.append(entry)
            entry.buffer = _new_buffer(model)
        elif _is_shared(model, entry):
            entry.buffer = _new_buffer(model)
        model.buffers[entry.buffer].data = content
    return pack_model(model)


def with_description(tflite: bytes, description: str) -> bytes:
    """A file with another description, the free text that model viewers show.

    Args:
        tflite: the file's content.
        description: the new text.

    Raises:
        InputError: the file is damaged.
    """
    model = read_model(tflite)
    model.description = description
    return pack_model(model)


def description_of(tflite: bytes) -> str:
    """The description of a file; empty if it has none."""
    return text(read_model(tflite).description)


def _bring_in(model: ModelT, tflite: bytes) -> None:
    """Replaces references to data behind the flatbuffer by the data."""
    for buffer in items(model.buffers):
        if buffer.offset > 1:
            buffer.data = _behind(tflite, buffer.offset, buffer.size)
        buffer.offset = buffer.size = 0
    for operator in _all_operators(model):
        if operator.largeCustomOptionsOffset > 1:
            operator.customOptions = _behind(
                tflite, operator.largeCustomOptionsOffset, operator.largeCustomOptionsSize
            )
        operator.largeCustomOptionsOffset = operator.largeCustomOptionsSize = 0


def _all_operators(model: ModelT) -> Iterator[Any]:
    for subgraph in items(model.subgraphs):
        yield from items(subgraph.operators)


def _behind(tflite: bytes, offset: int, size: int) -> NDArray[np.uint8]:
    if offset + size > len(tflite):
        raise Damaged(
            f"a buffer ends at byte {offset + size:,} of {len(tflite):,}; it was cut short"
        )
    return np.frombuffer(tflite, np.uint8, size, offset)


def _new_buffer(model: Any) -> int:
    # The first buffer stands for "no data" wherever it is named.
    if not model.buffers:
        model.buffers.append(schema.BufferT())
    model.buffers.append(schema.BufferT())
    return len(model.buffers) - 1


def _is_shared(model: Any, entry: Any) -> bool:
    """Whether anything but this entry uses its buffer."""
    used = [one.buffer for one in model.metadata if one is not entry]
    used += [tensor.buffer for graph in model.subgraphs for tensor in items(graph.tensors)]
    return entry.buffer == 0 or entry.buffer in used


def count_operators(tflite: bytes) -> dict[str, int]:
    """How often each operator occurs in a file, the most frequent first.

    Raises:
        InputError: the file is damaged.
    """
    names = Counter(name for subgraph in operator_names(tflite) for name in subgraph)
    return dict(sorted(names.items(), key=lambda item: (-item[1], item[0])))


def select_operators(tflite: bytes) -> tuple[str, ...]:
    """The TensorFlow operators in a file, each once; only a runtime with Flex linked in has them.

    Raises:
        InputError: the file is damaged.

    Example:
        >>> select_operators(tflite)
        ('FlexTan',)
    """
    return tuple(name for name in count_operators(tflite) if name.startswith("Flex"))
