"""Bytes of a `.tflite` file → files that an application project needs."""
