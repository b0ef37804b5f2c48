"""Weights that share values: what becomes of them in the file."""
