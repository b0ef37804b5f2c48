"""Bytes of a `.tflite` file → numbers."""
