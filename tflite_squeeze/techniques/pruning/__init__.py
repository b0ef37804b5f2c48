"""Magnitude pruning and its relatives (`prune`)."""
