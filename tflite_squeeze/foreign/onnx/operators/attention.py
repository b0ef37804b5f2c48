"""Attention, recognised as the layer."""
