"""`export android`: assets with metadata, a Kotlin class and a test of a `.tflite` file."""
