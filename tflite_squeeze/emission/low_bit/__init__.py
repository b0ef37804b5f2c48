"""Weights of less than a byte in the file, where that pays."""
