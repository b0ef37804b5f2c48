"""`inspect`: what is inside a model or a file, and what could be better."""
