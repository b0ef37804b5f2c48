"""LSTM, GRU and plain recurrent layers, in one or two directions."""

from typing import Any

import keras
import numpy as np

from tflite_squeeze.foreign.onnx.registry import Array, Call, Unsupported, handles
from tflite_squeeze.foreign.onnx.values import Value, reshape, stored

_FUNCTIONS = {"Sigmoid": "sigmoid", "Tanh": "tanh", "Relu": "relu", "HardSigmoid": "hard_sigmoid"}
_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
_KINDS = {
    "LSTM": keras.layers.LSTM, "GRU": keras.layers.GRU, "RNN": keras.layers.SimpleRNN,
}  # fmt: skip
_TIME, _FEATURES = 0, 2


@handles(*_GATES)
def recurrent(call: Call) -> list[Value]:
    """A recurrent layer, or one in both directions: the whole sequence and the last states."""
    kind, direction = call.node.kind, call.attribute("direction", "forward")
    _refuse_options(call)
    value = call.value()
    _check_lengths(call, value.shape[_TIME])
    both, size = direction == "bidirectional", call.attribute("hidden_size")
    states = _initial_states(call, kind, 2 if both else 1)
    sequence, last, cells = [*call.used, False, False][:3]
    # Without the sequence Keras returns the last step, which is the last state.
    shown = {"return_sequences": sequence, "return_state": cells or (sequence and last)}
    layer = _layer(call, kind, 0, size, backwards=direction == "reverse", **shown)
    parts = [layer]
    if both:
        parts.append(_layer(call, kind, 1, size, backwards=True, **shown))
        layer = keras.layers.Bidirectional(parts[0], backward_layer=parts[1], name=call.free_name())
        parts = [layer.forward_layer, layer.backward_layer]
    extra = {} if states is None else {"initial_state": states}
    answer = layer(stored(value, (_TIME, _FEATURES)), **extra)
    for index, part in enumerate(parts):
        part.set_weights(_weights(call, index, part))
    whole, *ends = answer if shown["return_state"] else [answer]
    if sequence and direction == "reverse":
        whole = keras.ops.flip(whole, axis=1)  # Keras has the last step first
    made = [_sequence(call, whole, len(parts), size)] if sequence else []
    count = len(ends) // len(parts)
    for number, shape in enumerate(call.shapes[1:]):
        own = ends[number::count] if count else [whole]
        tensor = own[0] if len(own) == 1 else keras.layers.Concatenate()(own)
        if count or not sequence:
            made.append(_joined(tensor, len(parts), size, shape))
    return [*([] if sequence else made[:1]), *made][: len(call.shapes)]


def _refuse_options(call: Call) -> None:
    if call.attribute("layout", 0):
        raise Unsupported("with the batch first")
    if call.attribute("clip"):
        raise Unsupported("with clipping")
    if call.given(7) is not None:
        raise Unsupported("with peepholes")


def _check_lengths(call: Call, steps: int) -> None:
    lengths = call.given(4)
    if lengths is None:
        return
    if isinstance(lengths, Value) or any(int(each) != steps for each in np.ravel(lengths)):
        raise Unsupported("with sequences of different lengths")


def _initial_states(call: Call, kind: str, directions: int) -> list[Any] | None:
    """The first states, those of one direction after the other; None if all are zero."""
    given = [call.given(index) for index in ((5, 6) if kind == "LSTM" else (5,))]
    arrays = [one for one in given if one is not None and not isinstance(one, Value)]
    if all(one is None for one in given) or (
        len(arrays) == sum(one is not None for one in given)
        and all(not np.any(one) for one in arrays)
    ):
        return None
    values = [call.either(index) for index in ((5, 6) if kind == "LSTM" else (5,))]
    tensors = [stored(value, (0, 2)) for value in values]
    return [tensor[:, index] for index in range(directions) for tensor in tensors]


def _layer(call: Call, kind: str, index: int, size: int, *, backwards: bool, **shown: bool) -> Any:
    """One direction, and its weights in Keras's order."""
    count = {"LSTM": 3, "GRU": 2, "RNN": 1}[kind]
    names = call.attribute("activations") or []
    names = [each.decode() if isinstance(each, bytes) else each for each in names]
    names = names[index * count : (index + 1) * count]
    config: dict[str, Any] = {}
    default = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}
    names = names or default[kind]
    if any(each not in _FUNCTIONS for each in names) or (kind == "LSTM" and names[1] != names[2]):
        raise Unsupported(f"with the activations {names}")
    if kind != "RNN":
        config["recurrent_activation"] = _FUNCTIONS[names[0]]
    config["activation"] = _FUNCTIONS[names[-1]]
    if kind == "GRU":
        config["reset_after"] = bool(call.attribute("linear_before_reset", 0))
    return _KINDS[kind](
        size,
        **shown,
        go_backwards=backwards,
        name=call.free_name(),
        **config,
    )


def _weights(call: Call, index: int, layer: Any) -> list[Array]:
    kernel, recurrent_kernel, bias = call.array(1), call.array(2), call.array(3)
    if kernel is None or recurrent_kernel is None:
        raise Unsupported("without weights")
    size, gates = layer.units, _GATES[call.node.kind]
    biases = np.zeros(2 * gates * size, np.float32) if bias is None else bias[index]
    own, recurrent_own = biases[: gates * size], biases[gates * size :]

    def ordered(array: Array) -> Array:
        if gates < 4:
            return array
        inputs, outputs, forgets, cells = np.split(array, 4)
        return np.concatenate([inputs, forgets, cells, outputs])

    both = getattr(layer, "reset_after", False)
    return [
        ordered(kernel[index]).T,
        ordered(recurrent_kernel[index]).T,
        np.stack([own, recurrent_own]) if both else ordered(own + recurrent_own),
    ]


def _sequence(call: Call, whole: Any, directions: int, size: int) -> Value:
    """Y, of shape (steps, directions, 1, size)."""
    shape = call.shapes[0] or (whole.shape[1], directions, 1, size)
    if directions == 1:
        return Value(tensor=whole, axes=(0, 3), shape=shape)
    apart = reshape(whole, (whole.shape[1], directions, size))
    return Value(tensor=apart, axes=(0, 1, 3), shape=shape)


def _joined(tensor: Any, directions: int, size: int, shape: tuple[int, ...] | None) -> Value:
    """Y_h or Y_c, of shape (directions, 1, size), from the states of all directions in a row."""
    shape = shape or (directions, 1, size)
    if directions == 1:
        return Value(tensor=tensor, axes=(2,), shape=shape)
    return Value(tensor=reshape(tensor, (directions, size)), axes=(0, 2), shape=shape)
