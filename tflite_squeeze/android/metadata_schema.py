"""The public TFLite metadata schema (version 1.5.0, identifier M001): tables to bytes and back.

Tables are dicts by field name; a union is a pair of its member's name and the member's table.
"""

import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

import flatbuffers
from flatbuffers.number_types import (
    Float32Flags,
    Int8Flags,
    Uint8Flags,
    Uint32Flags,
    UOffsetTFlags,
)
from flatbuffers.table import Table

from tflite_squeeze.errors import InputError

Fields = dict[str, Any]

_IDENTIFIER = b"M001"

# Fields in the order of the schema, each with its type: a table's name, a scalar, `string`, a
# union as its members joined by |, or a vector of one of the first three in brackets.
_TABLES: dict[str, dict[str, str]] = {
    "ModelMetadata": {
        "name": "string",
        "description": "string",
        "version": "string",
        "subgraph_metadata": "[SubGraphMetadata]",
        "author": "string",
        "license": "string",
        "associated_files": "[AssociatedFile]",
        "min_parser_version": "string",
    },
    "SubGraphMetadata": {
        "name": "string",
        "description": "string",
        "input_tensor_metadata": "[TensorMetadata]",
        "output_tensor_metadata": "[TensorMetadata]",
        "associated_files": "[AssociatedFile]",
        "input_process_units": "[ProcessUnit]",
        "output_process_units": "[ProcessUnit]",
    },
    "TensorMetadata": {
        "name": "string",
        "description": "string",
        "dimension_names": "[string]",
        "content": "Content",
        "process_units": "[ProcessUnit]",
        "stats": "Stats",
        "associated_files": "[AssociatedFile]",
    },
    "AssociatedFile": {
        "name": "string",
        "description": "string",
        "type": "int8",
        "locale": "string",
        "version": "string",
    },
    "Content": {
        "content_properties": "FeatureProperties|ImageProperties|BoundingBoxProperties"
        "|AudioProperties",
    },
    "FeatureProperties": {},
    "ImageProperties": {"color_space": "int8", "default_size": "ImageSize"},
    "ImageSize": {"width": "uint32", "height": "uint32"},
    "BoundingBoxProperties": {},
    "AudioProperties": {"sample_rate": "uint32", "channels": "uint32"},
    "ProcessUnit": {
        "options": "NormalizationOptions|ScoreCalibrationOptions|ScoreThresholdingOptions"
        "|BertTokenizerOptions|SentencePieceTokenizerOptions|RegexTokenizerOptions",
    },
    "NormalizationOptions": {"mean": "[float32]", "std": "[float32]"},
    "ScoreCalibrationOptions": {},
    "ScoreThresholdingOptions": {"global_score_threshold": "float32"},
    "BertTokenizerOptions": {},
    "SentencePieceTokenizerOptions": {},
    "RegexTokenizerOptions": {},
    "Stats": {"max": "[float32]", "min": "[float32]"},
}
_SCALARS = {"int8": Int8Flags, "uint32": Uint32Flags, "float32": Float32Flags}

# Values of the schema's enumerations.
TENSOR_AXIS_LABELS = 2
RGB, GRAYSCALE = 1, 2


class _Field(NamedTuple):
    """Where a field of a table is kept; a union's type takes the slot before its value."""

    name: str
    kind: str
    slot: int


def _layout(table: str) -> Iterator[_Field]:
    slot = 0
    for name, kind in _TABLES[table].items():
        slot += "|" in kind
        yield _Field(name, kind, slot)
        slot += 1


def encoded(metadata: Fields) -> bytes:
    """Writes a `ModelMetadata` table.

    Args:
        metadata: its fields; those that are missing or empty are left out.

    Returns:
        What the buffer TFLITE_METADATA of a .tflite file holds.

    Raises:
        KeyError: a table has no such field.

    Example:
        >>> decoded(encoded({"name": "lenet"}))
        {'name': 'lenet'}
    """
    builder = flatbuffers.Builder(1024)
    builder.Finish(_written(builder, "ModelMetadata", metadata), _IDENTIFIER)
    return bytes(builder.Output())


def _written(builder: Any, table: str, fields: Fields) -> int:
    unknown = set(fields) - set(_TABLES[table])
    if unknown:
        raise KeyError(f"{table} has no field {', '.join(sorted(unknown))}")
    layout = [field for field in _layout(table) if fields.get(field.name) not in (None, "", [])]
    # What a table refers to is written before it.
    values = {field: _value(builder, field.kind, fields[field.name]) for field in layout}
    last = max((field.slot for field in _layout(table)), default=-1)
    builder.StartObject(last + 1)
    for field, value in values.items():
        if field.kind in _SCALARS:
            builder.PrependSlot(_SCALARS[field.kind], field.slot, value, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(field.slot, value, 0)
        if "|" in field.kind:
            member = field.kind.split("|").index(fields[field.name][0]) + 1
            builder.PrependUint8Slot(field.slot - 1, member, 0)
    offset: int = builder.EndObject()
    return offset


def _value(builder: Any, kind: str, value: Any) -> Any:
    """A scalar itself, or the offset at which anything else was written."""
    if kind in _SCALARS:
        return value
    if kind == "string":
        return builder.CreateString(value)
    if kind == "[float32]":
        builder.StartVector(4, len(value), 4)
        for number in reversed(value):
            builder.PrependFloat32(number)
        return builder.EndVector()
    if kind.startswith("["):
        offsets = [_value(builder, kind[1:-1], one) for one in value]
        builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        return builder.EndVector()
    if "|" in kind:
        return _written(builder, *value)
    return _written(builder, kind, value)


def decoded(content: bytes) -> Fields:
    """Reads a `ModelMetadata` table; fields of later versions of the schema are left out.

    Args:
        content: the buffer TFLITE_METADATA of a .tflite file.

    Returns:
        The fields that are there.

    Raises:
        InputError: these bytes are not such a table, or are damaged.
    """
    if content[4:8] != _IDENTIFIER:
        raise InputError(
            "the file's TFLite metadata are damaged (no identifier M001): write them again"
        )
    try:
        (root,) = struct.unpack_from("<I", content)
        return _Reader(content).table("ModelMetadata", root)
    # What the flatbuffers library and NumPy raise when an offset leads nowhere.
    except (struct.error, IndexError, ValueError, TypeError, OverflowError) as error:
        raise InputError(
            f"the file's TFLite metadata are damaged ({error}): write them again"
        ) from error


class _Reader:
    """Follows offsets, and stops on bytes that would make it loop forever."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.left = 100_000  # tables and numbers; real metadata hold a few hundred

    def table(self, table: str, position: int) -> Fields:
        self._count(1)
        if position >= len(self.content):
            raise ValueError(f"{table} lies beyond the end")
        read = Table(self.content, position)
        fields: Fields = {}
        for field in _layout(table):
            offset = read.Offset(4 + 2 * field.slot)
            if not offset:
                continue
            at = read.Pos + offset
            if "|" in field.kind:
                member = self._member(read, field)
                if member is not None:
                    fields[field.name] = (member, self.table(member, read.Indirect(at)))
            else:
                fields[field.name] = self._value(read, field.kind, at)
        return fields

    def _member(self, read: Any, field: _Field) -> str | None:
        """The name of a union's member; None for one of a later version."""
        offset = read.Offset(4 + 2 * (field.slot - 1))
        number = read.Get(Uint8Flags, read.Pos + offset) if offset else 0
        members = field.kind.split("|")
        return members[number - 1] if 1 <= number <= len(members) else None

    def _value(self, read: Any, kind: str, at: int) -> Any:
        if kind in _SCALARS:
            return read.Get(_SCALARS[kind], at)
        if kind == "string":
            return read.String(at).decode("utf-8", errors="replace")
        if kind.startswith("["):
            start = read.Indirect(at)
            count = read.Get(UOffsetTFlags, start)
            self._count(count)
            return [self._value(read, kind[1:-1], start + 4 + 4 * one) for one in range(count)]
        return self.table(kind, read.Indirect(at))

    def _count(self, items: int) -> None:
        self.left -= items
        if self.left < 0:
            raise ValueError("they describe more than any model has")
