"""Keras layers for what comes without them, so that every technique applies to it."""
