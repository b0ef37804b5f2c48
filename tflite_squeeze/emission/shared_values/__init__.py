"""Weights that share values: how the file stores them."""
