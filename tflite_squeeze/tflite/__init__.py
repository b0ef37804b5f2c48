"""The `.tflite` file format: reading, editing, counting."""
