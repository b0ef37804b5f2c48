"""Filter pruning: whole filters are removed (`narrow`)."""
