"""Keras model → Keras model: one technique a module."""
