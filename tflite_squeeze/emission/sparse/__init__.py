"""Weights stored sparsely, where that pays off."""
