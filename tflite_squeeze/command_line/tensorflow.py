"""TensorFlow for commands."""

from tflite_squeeze.emission.chatter import caught_chatter


def import_tensorflow() -> None:
    """Imports TensorFlow without its greetings, which come whatever its log level is."""
    with caught_chatter():
        import tensorflow  # noqa: F401
