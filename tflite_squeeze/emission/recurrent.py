"""Recurrent layers in the form that TFLite runs best, for as long as a model is traced.

An LSTM becomes the fused UNIDIRECTIONAL_SEQUENCE_LSTM only when it is traced through tf_keras's
layer, whose function carries the mark that the converter looks for; a layer of Keras 3 is
therefore traced through a twin with the same weights. All other recurrent layers become a WHILE
loop, which the calibrator of the integer modes cannot run; there they are unrolled.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tflite_squeeze.network import flavors
from tflite_squeeze.tflite.flatbuffer import operator_names, pack_model, read_model

# The longest sequence for which unrolling makes a file that can still be used.
UNROLL_LIMIT = 512


@dataclass
class Recurrence:
    """How the recurrent layers of one model are traced.

    Attributes:
        notes: lines for the report.
    """

    notes: list[str] = field(default_factory=list)


@contextmanager
def recurrence_for_tflite(model: Any, *, unroll: bool, fuse: bool = True) -> Iterator[Recurrence]:
    """Makes a model's recurrent layers traceable for TFLite inside the block.

    Args:
        model: a model of either version of Keras; it is restored when the block ends.
        unroll: whether layers that cannot be fused are unrolled over time.
        fuse: whether LSTM layers are fused where their form allows it.

    Yields:
        What was done.
    """
    done = Recurrence()
    keras3 = flavors.flavor_of(model) is flavors.Flavor.KERAS
    recurrent = [layer for layer in flavors.walk_layers(model) if is_recurrent(layer)]
    keeping = any(layer.stateful for layer in recurrent)
    with ExitStack() as undo:
        for layer in recurrent:
            reason = why_not_fusable(layer)
            if keeping and not layer.stateful:
                # reset_all_variables() between runs would restart the stateful layers as well.
                reason = (
                    reason
                    or "fused, it would keep its state between runs, as the stateful layers do"
                )
            fused = fuse and reason is None
            if fused:
                if keras3 or layer.stateful:
                    undo.enter_context(_through_twin(layer, done))
            elif unroll and not layer.unroll:
                undo.enter_context(_unrolled(layer))
                done.notes.append(
                    f"{layer.name} ({type(layer).__name__}) was unrolled over time, since the "
                    f"calibrator cannot run a loop: the file grows with the sequence length"
                )
            elif type(layer).__name__ == "LSTM" and fuse:
                if keeping:
                    undo.enter_context(_set(layer, **_plain_kernel(layer)))
                done.notes.append(f"{layer.name} stays a loop instead of a fused LSTM: {reason}")
            if layer.stateful and not fused:
                done.notes.append(_kept(layer, fused=False))
        yield done


def _kept(layer: Any, *, fused: bool) -> str:
    """What a report says of a layer whose state outlives a run."""
    anew = (
        "interpreter.reset_all_variables() restarts it"
        if fused
        else "only a new interpreter restarts it, reset_all_variables() does not"
    )
    return f"{layer.name} is stateful: the file continues where its last run ended; {anew}"


def is_recurrent(layer: Any) -> bool:
    """Whether a layer runs a cell over time."""
    return hasattr(layer, "unroll") and hasattr(layer, "return_sequences")


def why_not_fusable(layer: Any) -> str | None:
    """Why a recurrent layer has no fused operator in TFLite, or None when it has."""
    if type(layer).__name__ != "LSTM":
        return f"TFLite fuses LSTM only, not {type(layer).__name__}"
    if _name(layer.activation) != "tanh" or _name(layer.recurrent_activation) != "sigmoid":
        return "its activations are not tanh and sigmoid"
    if not layer.use_bias:
        return "it has no bias"
    if layer.unroll:
        return "it is set to unroll"
    if layer.recurrent_dropout:
        return "it has recurrent dropout"
    return None


def _name(activation: Any) -> str:
    return str(getattr(activation, "__name__", activation))


def _unrolled(layer: Any) -> AbstractContextManager[None]:
    """Sets `unroll`, and tf_keras's choice of kernel with it, for the block."""
    return _set(layer, unroll=True, **_plain_kernel(layer))


def _plain_kernel(layer: Any) -> dict[str, bool]:
    """What keeps tf_keras from the kernel that the converter knows as an LSTM."""
    return {"_could_use_gpu_kernel": False} if hasattr(layer, "_could_use_gpu_kernel") else {}


@contextmanager
def _set(layer: Any, **values: Any) -> Iterator[None]:
    """Sets attributes of a layer for the block."""
    saved = {name: getattr(layer, name) for name in values}
    try:
        for name, value in values.items():
            setattr(layer, name, value)
        yield
    finally:
        for name, value in saved.items():
            setattr(layer, name, value)


@contextmanager
def _through_twin(layer: Any, done: Recurrence) -> Iterator[None]:
    """Sends the calls of an LSTM through a tf_keras LSTM with the same weights.

    A stateful one needs it in tf_keras, too: the state of the fused operator stays by itself, and
    variables that are read and assigned around it would keep it from being fused.
    """
    import tensorflow as tf

    original: Callable[..., Any] = layer.call
    twin = None

    @tf.autograph.experimental.do_not_convert  # type: ignore[untyped-decorator]
    def call(
        sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        nonlocal twin
        if mask is not None or initial_state is not None:
            given = "a mask" if mask is not None else "an initial state"
            done.notes.append(
                f"{layer.name} stays a loop instead of a fused LSTM: it takes {given}"
            )
            if layer.stateful:
                done.notes.append(_kept(layer, fused=False))
            return original(sequences, initial_state=initial_state, mask=mask, training=training)
        if twin is None:
            twin = _twin_of(layer, sequences.shape)
            if layer.stateful:
                done.notes.append(_kept(layer, fused=True))
        return twin(sequences, training=False)

    # Keras 3 tracks attributes that are set; this one has to go again without a trace.
    object.__setattr__(layer, "call", call)
    try:
        yield
    finally:
        object.__delattr__(layer, "call")


def _twin_of(layer: Any, shape: Any) -> Any:
    """A tf_keras LSTM that computes what a Keras 3 LSTM does."""
    import tensorflow as tf

    twin = flavors.keras_of(flavors.Flavor.TF_KERAS).layers.LSTM(
        layer.units,
        return_sequences=layer.return_sequences,
        return_state=layer.return_state,
        go_backwards=layer.go_backwards,
        name=layer.name,
    )
    with tf.init_scope():
        twin.build(shape)
        twin.set_weights([weight.numpy() for weight in flavors.variables_of(layer)[:3]])
    return twin


# Of UNIDIRECTIONAL_SEQUENCE_LSTM: inputs, and the last of its intermediate tensors.
_PROJECTION, _HIDDEN_STATE, _CELL_STATE = 16, 18, 19


_HIDDEN = 4


# 16-bit numbers in [-1, 1). The kernel's tanh takes whole bits before the point, none at least;
# for a smaller range it does nothing at all.
_LEAST_CELL_SCALE = np.float32(2.0**-15)


def with_sound_lstm_scales(tflite: bytes) -> bytes:
    """Repairs the scales of fused LSTMs in an integer file.

    A cell state that never left [-0.5, 0.5] gets a scale of 2^-16, which the kernel cannot
    compute: it is widened. Where the operators after a layer made the converter change the scale
    of its output (a concatenation does), the hidden state keeps another, although, without a
    projection, the two are the same numbers: it gets the output's.

    Args:
        tflite: the file.

    Returns:
        The repaired file; the same bytes when nothing had to change.

    Raises:
        InputError: the file is damaged.
    """
    model = read_model(tflite)
    changed = False
    for graph, names in zip(model.subgraphs, operator_names(tflite), strict=True):
        for operator, name in zip(graph.operators or [], names, strict=True):
            if name == "UNIDIRECTIONAL_SEQUENCE_LSTM":
                changed |= _widened(graph.tensors[operator.inputs[_CELL_STATE]])
                changed |= _agreed(graph, operator)
    return pack_model(model) if changed else tflite


def _widened(cell_state: Any) -> bool:
    known = cell_state.quantization
    if known is None or known.scale is None or known.scale[0] >= _LEAST_CELL_SCALE:
        return False
    known.scale = np.full_like(known.scale, _LEAST_CELL_SCALE)
    return True


def _agreed(graph: Any, operator: Any) -> bool:
    if operator.intermediates is None or operator.inputs[_PROJECTION] >= 0:
        return False
    output = graph.tensors[operator.outputs[0]].quantization
    if _scale(output) is None:
        return False
    changed = False
    for index in (operator.inputs[_HIDDEN_STATE], operator.intermediates[_HIDDEN]):
        if _scale(graph.tensors[index].quantization) != _scale(output):
            graph.tensors[index].quantization = copy.deepcopy(output)
            changed = True
    return changed


def _scale(quantization: Any) -> tuple[float, int] | None:
    if quantization is None or quantization.scale is None:
        return None
    return float(quantization.scale[0]), int(quantization.zeroPoint[0])
