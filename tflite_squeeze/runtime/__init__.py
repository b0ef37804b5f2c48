"""Running `.tflite` files: sessions, child processes, times, operators, memory."""
