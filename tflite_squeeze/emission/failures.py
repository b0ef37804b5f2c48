"""Explains the converter's errors in terms of the user's own layers."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from tflite_squeeze.errors import UnsupportedError, shortened

# Codes of tensorflow/compiler/mlir/lite/metrics/converter_error_data.proto.
_NEEDS_FLEX = 1
_NEEDS_CUSTOM = 2


@dataclass(frozen=True, kw_only=True)
class Missing:
    """An operator that TFLite lacks.

    Attributes:
        operator: TensorFlow's name of it.
        layer: where it comes from, "" when the converter does not say.
        flex: whether the Flex delegate supports it.
    """

    operator: str
    layer: str
    flex: bool


def missing_operators(error: Any, layers: Collection[str]) -> list[Missing]:
    """The operators that a ConverterError complains about, each once a layer.

    Args:
        error: what the converter raised.
        layers: the names of the model's layers, as far as they are known.
    """
    found = []
    for item in getattr(error, "errors", []):
        if item.error_code not in (_NEEDS_FLEX, _NEEDS_CUSTOM):
            continue
        calls = list(item.location.call)
        found.append(
            Missing(
                operator=item.operator.name.removeprefix("tf."),
                layer=layer_of(calls[0].name, layers) if calls else "",
                flex=item.error_code == _NEEDS_FLEX,
            )
        )
    return sorted(set(found), key=lambda item: (item.layer, item.operator))


def layer_of(location: str, layers: Collection[str]) -> str:
    """The layer in a location such as `sequential_1/odd_1/Erfc@__inference_serve_12`.

    Args:
        location: the converter's name of an operator.
        layers: the names of the model's layers; when none of them is in the location, the scope
            next to the operator is taken for one.

    Example:
        >>> layer_of("sequential_5_1/odd_1/erf/Erfc@__inference_serve_12", {"odd"})
        'odd'
    """
    scopes = location.split("@")[0].split("/")[:-1]
    # Keras numbers the scopes of a model that is called once more.
    names = [name for scope in scopes for name in (scope, re.sub(r"_\d+$", "", scope))]
    known = [name for name in names if name in layers]
    if known:
        return known[-1]
    return names[-1] if names else ""


def unsupported(
    error: Any,
    said: list[str],
    layers: Collection[str],
    *,
    open_batch: bool,
    cost_of_select_ops: Callable[[], str | None],
) -> UnsupportedError:
    """One line for a ConverterError.

    Args:
        error: what the converter raised.
        said: what it printed meanwhile.
        layers: the names of the model's layers.
        open_batch: whether the file was to take any batch.
        cost_of_select_ops: converts with select operators and says what that costs, None where
            the model does not convert with them either; called only when it could help.
    """
    missing = missing_operators(error, layers)
    text = f"{error}\n" + "\n".join(said)
    if open_batch and (("element_shape" in text and "static" in text) or "TensorList" in text):
        return UnsupportedError(
            "a recurrent layer needs a fixed batch, since TFLite has no lists of unknown shape: "
            "convert with --batch 1, or give --input-shape"
        )
    if not missing:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = shortened(lines[0], 300) if lines else "no reason given"
        return UnsupportedError(
            f"the TFLite converter refused this model ({reason}): "
            f"run with -v to see its full output, and replace the layer that it names"
        )
    named = ", ".join(
        item.operator + (f" (layer {item.layer})" if item.layer else "") for item in missing
    )
    if any(not item.flex for item in missing):
        return UnsupportedError(
            f"TFLite has no operator for {named}, nor has its Flex delegate: replace the "
            f"layer with built-in operations"
        )
    cost = cost_of_select_ops()
    if cost is None:
        return UnsupportedError(
            f"TFLite has no operator for {named}, and the model does not convert with TensorFlow's "
            f"own either: replace the layer with built-in operations"
        )
    return UnsupportedError(
        f"TFLite has no operator for {named}: replace the layer, or pass --allow-select-ops "
        f"({cost})"
    )
