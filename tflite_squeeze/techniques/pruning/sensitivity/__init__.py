"""`sensitivity`: what pruning costs, weight by weight."""
