"""Models as ONNX files, with a record of how well they agree."""
