"""Weights in less than a byte each, where that pays off."""
