"""A `.tflite` file as what an Android application needs: assets with metadata, a Kotlin class, a test."""
