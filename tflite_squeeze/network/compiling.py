"""The loss that a model was compiled with, taken from its file."""

from collections.abc import Mapping
from typing import Any

from tflite_squeeze.network.flavors import Flavor, keras_of
from tflite_squeeze.network.trust import first_distrust

_TAKEN = ("loss", "loss_weights")


def compiled_as_saved(
    model: Any, settings: Any, flavor: Flavor, *, allow_unsafe: bool = False
) -> str | None:
    """Compiles a loaded model with the loss that its file tells; optimiser and metrics stay out.

    Args:
        model: the Keras model.
        settings: what the file says of `compile`, as JSON holds it; None for nothing.
        flavor: the model's Keras.
        allow_unsafe: whether the loss may be any class or function that the file names.

    Returns:
        Why the loss in the file is not used; None where it is, or where there is none.
    """
    wanted = {key: settings.get(key) for key in _TAKEN} if isinstance(settings, dict) else {}
    if not wanted.get("loss"):
        return None
    distrust = None if allow_unsafe else first_distrust(wanted, flavor, {})
    if distrust is not None:
        return _left_out(distrust.what)
    keras = keras_of(flavor)
    try:
        loss = _made(keras, wanted["loss"])
        model.compile(loss=loss, loss_weights=wanted["loss_weights"])
    except (ValueError, TypeError, KeyError, AttributeError, ImportError) as error:
        return _left_out((str(error).splitlines() or [type(error).__name__])[0])
    return None


def _left_out(reason: str) -> str:
    return (
        f"the loss in the file is not used ({reason}): losses are chosen by the outputs; compile "
        f"the model in Python to train with your own"
    )


def _made(keras: Any, saved: Any) -> Any:
    """Losses in the structure that they were saved in; names are looked up to refuse unknown ones.

    Raises:
        ValueError: a name is not known.
    """
    if isinstance(saved, Mapping) and "class_name" in saved:
        return keras.losses.deserialize(dict(saved))
    if isinstance(saved, Mapping):
        return {name: _made(keras, loss) for name, loss in saved.items()}
    if isinstance(saved, list | tuple):
        return [_made(keras, loss) for loss in saved]
    if isinstance(saved, str):
        keras.losses.get(saved)
    return saved
