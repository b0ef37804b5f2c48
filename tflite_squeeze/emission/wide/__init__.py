"""Activations of 16 bits beside those of 8 in one file."""
