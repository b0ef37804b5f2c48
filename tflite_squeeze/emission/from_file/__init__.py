"""A `.tflite` file of floats → the same file quantized."""
