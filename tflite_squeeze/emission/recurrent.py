"""Recurrent layers in the form that TFLite runs best, for as long as a model is traced.

An LSTM becomes the fused UNIDIRECTIONAL_SEQUENCE_LSTM only when it is traced through tf_keras's
layer, whose function carries the mark that the converter looks for; a layer of Keras 3 is
therefore traced through a twin with the same weights. All other recurrent layers become a WHILE
loop, which the calibrator of the integer modes cannot run; there they are unrolled.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from tflite_squeeze.network import flavors

# The longest sequence for which unrolling makes a file that can still be used.
UNROLL_LIMIT = 512


@dataclass
class Recurrence:
    """What was done about the recurrent layers of one model.

    Attributes:
        notes: lines for the report.
        variables: variables of the twins, which have to stay alive with the traced function.
    """

    notes: list[str] = field(default_factory=list)
    variables: list[Any] = field(default_factory=list)


@contextmanager
def recurrence_for_tflite(model: Any, *, unroll: bool, fuse: bool = True) -> Iterator[Recurrence]:
    """Makes a model's recurrent layers traceable for TFLite inside the block.

    Args:
        model: a Keras model of either flavour; it is as before when the block ends.
        unroll: whether layers that cannot be fused are unrolled over time.
        fuse: whether LSTM layers are fused where their form allows it.

    Yields:
        What was done.
    """
    done = Recurrence()
    keras3 = flavors.flavor_of(model) is flavors.Flavor.KERAS
    with ExitStack() as undo:
        for layer in flavors.walk_layers(model):
            if not is_recurrent(layer):
                continue
            if fuse and (reason := why_not_fusable(layer)) is None:
                if keras3:
                    undo.enter_context(_through_twin(layer, done))
            elif unroll and not layer.unroll:
                undo.enter_context(_unrolled(layer))
                done.notes.append(
                    f"{layer.name} ({type(layer).__name__}) was unrolled over time, since the "
                    f"calibrator cannot run a loop: the file grows with the sequence length"
                )
            elif type(layer).__name__ == "LSTM" and fuse:
                done.notes.append(f"{layer.name} stays a loop instead of a fused LSTM: {reason}")
        yield done


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
        return "it asks to be unrolled"
    if layer.stateful:
        return "it is stateful"
    if layer.recurrent_dropout:
        return "it has recurrent dropout"
    return None


def _name(activation: Any) -> str:
    return str(getattr(activation, "__name__", activation))


@contextmanager
def _unrolled(layer: Any) -> Iterator[None]:
    """Sets `unroll`, and tf_keras's choice of kernel with it, for the block."""
    saved = {
        name: getattr(layer, name)
        for name in ("unroll", "_could_use_gpu_kernel")
        if hasattr(layer, name)
    }
    try:
        layer.unroll = True
        if "_could_use_gpu_kernel" in saved:
            layer._could_use_gpu_kernel = False
        yield
    finally:
        for name, value in saved.items():
            setattr(layer, name, value)


@contextmanager
def _through_twin(layer: Any, done: Recurrence) -> Iterator[None]:
    """Sends the calls of a Keras 3 LSTM through a tf_keras LSTM with the same weights."""
    original: Callable[..., Any] = layer.call
    twin = None

    def call(
        sequences: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        nonlocal twin
        if mask is not None or initial_state is not None:
            given = "a mask" if mask is not None else "an initial state"
            done.notes.append(
                f"{layer.name} stays a loop instead of a fused LSTM: it takes {given}"
            )
            return original(sequences, initial_state=initial_state, mask=mask, training=training)
        if twin is None:
            twin = _twin_of(layer, sequences.shape)
            done.variables.extend(flavors.variables_of(twin))
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
