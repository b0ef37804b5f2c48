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
    """A recurrent layer: the whole sequence and the last states."""
    kind = call.node.kind
    if call.attribute("layout", 0):
        raise Unsupported("with the batch first")
    if call.attribute("clip"):
        raise Unsupported("with clipping")
    if call.given(7) is not None:
        raise Unsupported("with peepholes")
    value = call.value()
    _check_lengths(call, value.shape[_TIME])
    direction, size = call.attribute("direction", "forward"), call.attribute("hidden_size")
    directions = 2 if direction == "bidirectional" else 1
    states = _initial_states(call, kind, directions)
    layers = [
        _layer(call, kind, index, size, backwards=direction == "reverse" or index == 1)
        for index in range(directions)
    ]
    tensor = stored(value, (_TIME, _FEATURES))
    whole, lasts = _run(call, layers, tensor, states)
    made = [_sequence(call, whole, directions, size)]
    for index, last in enumerate(lasts, start=1):
        shape = call.shapes[index] if index < len(call.shapes) else None
        if shape is not None:
            made.append(_last(last, shape, directions, size))
    return made[: len(call.shapes)]


def _check_lengths(call: Call, steps: int) -> None:
    lengths = call.given(4)
    if lengths is None:
        return
    if isinstance(lengths, Value) or any(int(each) != steps for each in np.ravel(lengths)):
        raise Unsupported("with sequences of different lengths")


def _initial_states(call: Call, kind: str, directions: int) -> list[list[Any]] | None:
    """For each direction its first states; None if all are zero."""
    given = [call.given(index) for index in ((5, 6) if kind == "LSTM" else (5,))]
    arrays = [one for one in given if one is not None and not isinstance(one, Value)]
    if all(one is None for one in given) or (
        len(arrays) == sum(one is not None for one in given)
        and all(not np.any(one) for one in arrays)
    ):
        return None
    values = [call.either(index) for index in ((5, 6) if kind == "LSTM" else (5,))]
    tensors = [stored(value, (0, 2)) for value in values]
    return [[tensor[:, index] for tensor in tensors] for index in range(directions)]


def _layer(call: Call, kind: str, index: int, size: int, *, backwards: bool) -> Any:
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
        return_sequences=True,
        return_state=True,
        go_backwards=backwards,
        name=call.free_name(),
        **config,
    )


def _run(call: Call, layers: list[Any], tensor: Any, states: Any) -> tuple[Any, list[list[Any]]]:
    """The sequence of all directions side by side, and by state that of each direction."""
    sequences, lasts = [], []
    for index, layer in enumerate(layers):
        extra = {} if states is None else {"initial_state": states[index]}
        sequence, *state = layer(tensor, **extra)
        layer.set_weights(_weights(call, index, layer))
        sequences.append(keras.ops.flip(sequence, axis=1) if layer.go_backwards else sequence)
        lasts.append(state)
    whole = sequences[0] if len(layers) == 1 else keras.layers.Concatenate()(sequences)
    return whole, [list(each) for each in zip(*lasts, strict=True)]


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


def _last(states: list[Any], shape: tuple[int, ...], directions: int, size: int) -> Value:
    """Y_h or Y_c, of shape (directions, 1, size)."""
    if directions == 1:
        return Value(tensor=states[0], axes=(2,), shape=shape)
    joined = keras.layers.Concatenate()(states)
    return Value(tensor=reshape(joined, (directions, size)), axes=(0, 2), shape=shape)
