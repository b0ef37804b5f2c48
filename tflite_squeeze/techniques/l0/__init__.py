"""L0 regularization with hard-concrete gates (`l0_prune`)."""
