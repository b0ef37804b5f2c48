"""Keras model → bytes of a `.tflite` file."""
