"""PyTorch networks to Keras 3 models, by way of ONNX; torch itself is in another process."""
