"""Ranges, scales, biases and roundings of quantized networks, from samples without labels."""
