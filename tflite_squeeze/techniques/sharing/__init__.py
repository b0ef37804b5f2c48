"""Weight clustering: the weights of a kernel share few values (`cluster`)."""
