"""Keras models of both versions: loading, graph, weights, projections, saving."""
