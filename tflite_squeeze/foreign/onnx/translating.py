"""From TensorFlow graphs and `.tflite` files to ONNX, by tf2onnx."""

import logging
import math
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tflite_squeeze.errors import UnsupportedError, UsageError, reason_of

if TYPE_CHECKING:
    from onnx import ModelProto

# What it raises of operators in a form that it does not know.
_FAILURES = (
    ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError,
)  # fmt: skip
# The opset of all but what ONNX itself has.
_OWN_DOMAINS = ("", "ai.onnx")


def from_file(path: Path, *, opset: int, name: str, remedy: str) -> "ModelProto":
    """A `.tflite` file as ONNX; integers become QuantizeLinear and DequantizeLinear.

    Args:
        path: the file, without signatures: its graph then has the tensors' own names.
        opset: the version of ONNX's operators.
        name: what to call it in messages.
        remedy: what to do where it has no ONNX form.

    Raises:
        UsageError: tf2onnx is not installed.
        UnsupportedError: it has operators that ONNX does not have.
    """
    return _translated(
        lambda convert: convert.from_tflite(
            str(path), opset=opset, custom_op_handlers={"TFL_GELU": (_gelu, [])}
        ),
        name=name,
        remedy=remedy,
    )


def from_graph(
    graph: Any, inputs: Mapping[str, str], outputs: Mapping[str, str], *, opset: int, name: str
) -> "ModelProto":
    """A frozen TensorFlow graph as ONNX.

    Args:
        graph: a GraphDef without variables.
        inputs: the name that each input gets, by its tensor's.
        outputs: the same for outputs.
        opset: the version of ONNX's operators.
        name: what to call it in messages.

    Raises:
        UsageError: tf2onnx is not installed.
        UnsupportedError: it has operators that ONNX does not have.
    """
    return _translated(
        lambda convert: convert.from_graph_def(
            graph,
            name=name,
            input_names=list(inputs),
            output_names=list(outputs),
            tensors_to_rename={**inputs, **outputs},
            opset=opset,
            custom_op_handlers={"Erfc": (_complement, [])},
        ),
        name=name,
        remedy="replace the layers that they come from",
    )


def _complement(context: Any, node: Any, _name: str, _args: Any) -> None:
    """1 - erf(x), which tf2onnx has no operator for: Keras's exact GELU has it."""
    add = _Adder(context, node)
    add("Sub", [add.number(1.0), add("Erf", node.input)], outputs=node.output)


def _gelu(context: Any, node: Any, _name: str, _args: Any) -> None:
    """The operator of `.tflite` files, x / 2 · (1 + erf(x / √2)) or its form with tanh.

    Reference: Hendrycks and Gimpel 2016, arXiv:1606.08415, section 2.
    """
    add, (x,), tanh = _Adder(context, node), node.input, node.get_attr_int("approximate")
    if tanh:
        cube = add("Mul", [add("Mul", [add("Mul", [x, x]), x]), add.number(0.044715)])
        inside = add("Mul", [add("Add", [x, cube]), add.number(math.sqrt(2 / math.pi))])
    else:
        inside = add("Mul", [x, add.number(math.sqrt(0.5))])
    share = add("Add", [add("Tanh" if tanh else "Erf", [inside]), add.number(1.0)])
    add("Mul", [add("Mul", [x, share]), add.number(0.5)], outputs=node.output)


class _Adder:
    """Adds nodes of one shape and type in the place of another, which it takes out.

    Args:
        context: tf2onnx's graph.
        node: what they stand for.
    """

    def __init__(self, context: Any, node: Any) -> None:
        self._context, self._name = context, node.name
        self._shape, self._type = (
            context.get_shape(node.output[0]),
            context.get_dtype(node.output[0]),
        )
        context.remove_node(node.name)

    def __call__(self, kind: str, inputs: Any, **more: Any) -> str:
        made = self._context.make_node(
            kind, list(inputs), shapes=[self._shape], dtypes=[self._type], **more
        )
        return str(made.output[0])

    def number(self, value: float) -> str:
        """A constant."""
        import numpy as np

        made = self._context.make_const(f"{self._name}_{value:.6g}", np.array(value, np.float32))
        return str(made.output[0])


def _translated(
    translate: Callable[[Any], tuple["ModelProto", Any]], *, name: str, remedy: str
) -> "ModelProto":
    try:
        from tf2onnx import convert
    except ImportError as error:
        raise UsageError(
            "translating to ONNX needs tf2onnx, which is not installed: "
            "pip install 'tflite_squeeze[onnx]'"
        ) from error
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    try:
        model, _ = translate(convert)
    except _FAILURES as error:
        raise UnsupportedError(
            f"{name} cannot be translated to ONNX ({reason_of(error)}): {remedy}"
        ) from error
    _refuse_unknown(model, name, remedy)
    return model


def _refuse_unknown(model: "ModelProto", name: str, remedy: str) -> None:
    """Refuses operators that were left as they were, all in one line."""
    import onnx

    opset = max(one.version for one in model.opset_import if one.domain in _OWN_DOMAINS)
    unknown = Counter(
        node.op_type.removeprefix("TFL_")
        for node in model.graph.node
        if node.domain not in _OWN_DOMAINS
        or not onnx.defs.has(node.op_type, max_inclusive_version=opset)
    )
    if unknown:
        listed = ", ".join(f"{kind} x {count}" for kind, count in unknown.most_common())
        raise UnsupportedError(f"{name} has operators that ONNX does not have: {listed}; {remedy}")
