"""The inputs and outputs of a file, read from its bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tflite_squeeze.errors import InputError
from tflite_squeeze.tflite.fields import dtype_name, items, operator_name, scales_of, text
from tflite_squeeze.tflite.flatbuffer import operator_names, pack_model, read_model

Shape = tuple[int, ...]
LEGACY_UINT8 = "legacy uint8"


@dataclass(frozen=True, kw_only=True)
class FileSignature:
    """One way to call a file.

    Attributes:
        name: its key; None for a file without signatures.
        inputs: shape by input name, batch included, -1 where open.
        outputs: shape by output name, the same way.
        types: of each input what it is fed with: float32 where the file quantizes it, else its
            tensor's own type.
    """

    name: str | None
    inputs: dict[str, Shape]
    outputs: dict[str, Shape]
    types: dict[str, str]


def signatures_of(tflite: bytes) -> list[FileSignature]:
    """The signatures of a file, or its main subgraph as the only one.

    Raises:
        InputError: the file is damaged.
    """
    model = read_model(tflite)
    found = []
    for signature in items(model.signatureDefs):
        tensors = model.subgraphs[signature.subgraphIndex].tensors
        inputs, outputs = (
            {text(item.name): tensors[item.tensorIndex] for item in items(entries)}
            for entries in (signature.inputs, signature.outputs)
        )
        found.append(_signature(text(signature.signatureKey), inputs, outputs))
    return found or [_main_subgraph(model)]


def without_signatures(tflite: bytes) -> bytes:
    """The same file with its inputs and outputs under the names and in the order of its graph.

    Raises:
        InputError: the file is damaged.
    """
    model = read_model(tflite)
    model.signatureDefs = []
    return pack_model(model)


def _main_subgraph(model: Any) -> FileSignature:
    graph = model.subgraphs[0]
    return _signature(None, _named(graph, graph.inputs), _named(graph, graph.outputs))


def _named(graph: Any, indices: Any) -> dict[str, Any]:
    """Tensors by name; one whose name is empty or taken gets its index."""
    named: dict[str, Any] = {}
    for index in items(indices):
        tensor = graph.tensors[index]
        name = text(tensor.name) or "tensor"
        named[name if name not in named else f"{name}#{index}"] = tensor
    return named


def _signature(name: str | None, inputs: dict[str, Any], outputs: dict[str, Any]) -> FileSignature:
    return FileSignature(
        name=name,
        inputs={key: _shape(tensor) for key, tensor in inputs.items()},
        outputs={key: _shape(tensor) for key, tensor in outputs.items()},
        types={
            key: "float32" if len(scales_of(tensor)) else dtype_name(tensor)
            for key, tensor in inputs.items()
        },
    )


def _shape(tensor: Any) -> Shape:
    signature = items(tensor.shapeSignature)
    declared = items(tensor.shape)
    return tuple(int(size) for size in (signature if len(signature) == len(declared) else declared))


def quantization_name(tflite: bytes) -> str:
    """The quantization of a file, determined from the types of its tensors.

    Returns:
        "int16x8" (no operator puts out 8 bits), "int8", "legacy uint8" (weights and activations of
        uint8, as converters wrote them before int8), "dynamic", "float16" or "none".

    Raises:
        InputError: the file is damaged.
    """
    model = read_model(tflite)
    computed, stored = set(), set()
    for graph in model.subgraphs:
        for operator in items(graph.operators):
            if operator_name(model, operator) in ("QUANTIZE", "DEQUANTIZE"):
                inputs = items(operator.inputs)
                stored |= {
                    dtype_name(graph.tensors[i]) for i in inputs if _constant(model, graph, i)
                }
                continue
            outputs = [graph.tensors[index] for index in items(operator.outputs)]
            # Without a scale, bytes are no reals: an image, say.
            computed |= {
                name
                for tensor in outputs
                if (name := dtype_name(tensor)) != "uint8" or len(scales_of(tensor))
            }
            stored |= {
                dtype_name(graph.tensors[index])
                for index in items(operator.inputs)
                if index >= 0 and _constant(model, graph, index)
            }
    if "int8" in computed:  # perhaps beside int16
        return "int8"
    if "int16" in computed:
        return "int16x8"
    if "uint8" in computed and ("uint8" in stored or "float32" not in computed):
        return LEGACY_UINT8
    if stored & {"int8", "int4", "int2", "uint8"}:
        return "dynamic"
    return "float16" if "float16" in stored else "none"


def _constant(model: Any, graph: Any, index: int) -> bool:
    buffer = model.buffers[graph.tensors[index].buffer]
    return bool(buffer.size) or (buffer.data is not None and len(buffer.data) > 0)


def matched_names(
    wanted: Mapping[str, tuple[int, ...]], present: Mapping[str, tuple[int, ...]], what: str
) -> dict[str, str]:
    """Maps the model's names to the file's names.

    Args:
        wanted: the model's names and the shapes of one example.
        present: the file's names and the shapes of one example, -1 where open.
        what: "input" or "output", for the message.

    Returns:
        The file's name by the model's: by equal names, else by shapes that occur once, else in
        order, where the numbers and shapes are equal.

    Raises:
        InputError: the file does not have such inputs or outputs.
    """
    if set(wanted) == set(present):
        return {name: name for name in wanted}
    if len(wanted) == len(present):
        matched: dict[str, str] = {}
        for name, shape in wanted.items():
            free = [other for other in present if other not in matched.values()]
            fitting = [other for other in free if _compatible(shape, present[other])]
            if fitting:
                matched[name] = fitting[0]
        if len(matched) == len(wanted):
            return matched
    raise InputError(
        f"the model's {what}s {dict(wanted)} do not match the file's {dict(present)}: verify the "
        f"file with the model that it came from"
    )


def _compatible(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    return len(shape) == len(other) and all(
        a == b or -1 in (a, b) for a, b in zip(shape, other, strict=True)
    )


_FLOATS = frozenset({"FLOAT16", "FLOAT32", "FLOAT64", "BFLOAT16"})


def float_operators(tflite: bytes) -> tuple[str, ...]:
    """The operators of a file with floating-point inputs or outputs.

    QUANTIZE at a real input and DEQUANTIZE at a real output are the file's interface and left
    out; anywhere else they are the border of a float region and named like the rest.

    Args:
        tflite: the file.

    Returns:
        "operator name → tensor that it computes" per operator found, in order of execution.

    Raises:
        InputError: the file is damaged.
    """
    model = read_model(tflite)
    found = []
    for subgraph, names in zip(model.subgraphs, operator_names(tflite), strict=True):
        ends = {int(index) for index in subgraph.inputs} | {int(i) for i in subgraph.outputs}
        for operator, name in zip(subgraph.operators or [], names, strict=True):
            inputs = [int(index) for index in _indices(operator.inputs) if index >= 0]
            outputs = [int(index) for index in _indices(operator.outputs)]
            if name == "QUANTIZE" and set(inputs) <= ends:
                continue
            if name == "DEQUANTIZE" and set(outputs) <= ends:
                continue
            if any(_is_real(subgraph.tensors[index]) for index in inputs + outputs):
                label = text(subgraph.tensors[outputs[0]].name) if outputs else ""
                found.append(f"{name} → {label}")
    return tuple(found)


def _indices(array: Any) -> Any:
    return [] if array is None else array


def _is_real(tensor: Any) -> bool:
    from ai_edge_litert.schema_py_generated import TensorType

    return any(tensor.type == getattr(TensorType, name, -1) for name in _FLOATS)
