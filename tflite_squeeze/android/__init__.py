"""`export android`: assets with metadata, a Kotlin class and a test of a `.tflite` file."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
