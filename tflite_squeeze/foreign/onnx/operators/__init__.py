"""How each ONNX operator becomes Keras layers, by subject."""
