"""Advice about how a file is quantized."""

from collections.abc import Iterator, Mapping
from typing import Any

from tflite_squeeze.emission.low_bit.float_forms import INTEGERS, TimedForm
from tflite_squeeze.inspection.record import Advice, AdviceKind
from tflite_squeeze.tables.table import listed
from tflite_squeeze.tflite.fields import integers, operator_name, scales_of, text
from tflite_squeeze.tflite.links import Links
from tflite_squeeze.tflite.signatures import LEGACY_UINT8, quantization_name

_INTEGERS = frozenset({"int8", "uint8", "int16"})
_MATRIX_OPERATORS = frozenset({
    "BATCH_MATMUL", "CONV_2D", "CONV_3D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV",
})  # fmt: skip
_CLEARLY_FASTER = 0.9  # of the time; less may be chance
_CONVERSIONS = frozenset({"QUANTIZE", "DEQUANTIZE"})
# What scales and zero points per channel may take of a file before they are worth a line.
_OVERHEAD_SHARE = 0.05
_FIELD_BYTES = {"scale": 4, "zeroPoint": 8, "min": 4, "max": 4}


def float_islands(links: Links) -> Iterator[Advice]:
    """Float operators inside a graph of integers, and the conversions around them.

    Args:
        links: the subgraph.
    """
    if not any(
        name in _MATRIX_OPERATORS and _first_dtype(links, operator) in _INTEGERS
        for operator, name in enumerate(links.names)
    ):
        return
    islands = [
        operator
        for operator, name in enumerate(links.names)
        if _first_dtype(links, operator).startswith("float")
        and name not in _CONVERSIONS
        and not all(links.is_constant(tensor) for tensor in links.inputs(operator))
    ]
    bridges = [operator for operator in range(len(links.names)) if _is_bridge(links, operator)]
    if not islands or not bridges:
        return
    moved = sum(
        links.run_bytes(tensor)
        for operator in bridges
        for tensor in (*links.computed(operator), *links.outputs(operator))
    )
    yield Advice(
        kind=AdviceKind.FLOAT_ISLAND,
        text=f"{len(islands)} operators compute in float inside an integer graph "
        f"({listed(links.places(islands))}); {len(bridges)} QUANTIZE and DEQUANTIZE operators "
        f"around them move {moved:,} bytes in every run: use layers that have integer kernels",
        where=links.places(islands),
        cost_bytes=moved,
        cost_elements=sum(links.elements(links.outputs(operator)[0]) for operator in islands),
    )


def _first_dtype(links: Links, operator: int) -> str:
    outputs = links.outputs(operator)
    return links.dtype(outputs[0]) if outputs else ""


def _is_bridge(links: Links, operator: int) -> bool:
    """Whether a conversion between float and integers is inside the graph, not at its edge."""
    inputs, outputs = links.computed(operator), links.outputs(operator)
    if links.names[operator] not in _CONVERSIONS or not inputs or not outputs:
        return False
    changes = links.dtype(inputs[0]).startswith("float") != links.dtype(outputs[0]).startswith(
        "float"
    )
    return changes and inputs[0] not in links.starts and outputs[0] not in links.ends


def legacy_uint8(tflite: bytes) -> Iterator[Advice]:
    """The form of quantization before int8.

    Args:
        tflite: the file's content.
    """
    if quantization_name(tflite) == LEGACY_UINT8:
        yield Advice(
            kind=AdviceKind.LEGACY_UINT8,
            text="the file has legacy uint8 quantization, with one scale for each weight tensor, "
            "which TensorFlow Lite for Microcontrollers cannot run: convert the model that it came "
            "from with --quantize int8",
            where=(),
        )


def slow_dynamic(forms: Mapping[str, TimedForm]) -> Iterator[Advice]:
    """8-bit weights that are multiplied as integers where floats are faster.

    Args:
        forms: what `timed_forms` found of the file.
    """
    if not forms:
        return
    best = min(forms, key=lambda name: forms[name].us)
    own, fastest = forms[INTEGERS].us, forms[best].us
    if fastest > _CLEARLY_FASTER * own:
        return
    yield Advice(
        kind=AdviceKind.SLOW_DYNAMIC,
        text=f"operators quantize their inputs on each run and multiply 8-bit weights as integers: "
        f"measured {own:.1f} µs a run on this machine, and {fastest:.1f} µs with {best}: convert "
        f"with --quantize dynamic --minimize latency",
        where=(),
    )


def per_channel_overhead(model: Any, raw_bytes: int) -> Iterator[Advice]:
    """Per-channel scales and zero points that take a notable part of a small file.

    Args:
        model: what `read_model` returned.
        raw_bytes: the file's size.
    """
    tensors = [
        tensor
        for graph in model.subgraphs
        for tensor in graph.tensors
        if len(scales_of(tensor)) > 1
    ]
    per_channel = sum(_parameter_bytes(tensor) for tensor in tensors)
    saved = sum(_saved_bytes(tensor) for tensor in tensors)
    if saved < _OVERHEAD_SHARE * raw_bytes:
        return
    dense = sum(_saved_bytes(tensor) for tensor in _dense_parameters(model))
    remedy = (
        f"quantize the Dense layers per tensor, which saves {dense:,}, and check the accuracy"
        if dense >= saved / 2
        else "most are convolutions', which lose accuracy per tensor: fewer channels help"
    )
    yield Advice(
        kind=AdviceKind.PER_CHANNEL_OVERHEAD,
        text=f"scales and zero points per channel take {per_channel:,} of {raw_bytes:,} bytes "
        f"({per_channel / raw_bytes:.0%}); per tensor they would take {per_channel - saved:,}: "
        f"{remedy}",
        where=tuple(
            text(tensor.name) for tensor in sorted(tensors, key=_parameter_bytes, reverse=True)
        ),
        cost_bytes=saved,
    )


def _dense_parameters(model: Any) -> list[Any]:
    """The tensors with per-channel scales that FULLY_CONNECTED operators read."""
    found: dict[int, Any] = {}
    for graph in model.subgraphs:
        for operator in graph.operators:
            if operator_name(model, operator) == "FULLY_CONNECTED":
                tensors = [graph.tensors[at] for at in integers(operator.inputs) if at >= 0]
                found.update({id(one): one for one in tensors if len(scales_of(one)) > 1})
    return list(found.values())


def _saved_bytes(tensor: Any) -> int:
    """What one scale and zero point in place of one per channel would save."""
    size = _parameter_bytes(tensor)
    return size - size // len(scales_of(tensor))


def _parameter_bytes(tensor: Any) -> int:
    """The bytes of a tensor's scales, zero points and ranges."""
    lengths = {field: getattr(tensor.quantization, field) for field in _FIELD_BYTES}
    return sum(
        size * len(lengths[field])
        for field, size in _FIELD_BYTES.items()
        if lengths[field] is not None
    )
