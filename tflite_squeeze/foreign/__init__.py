"""Networks of other frameworks as Keras models; it knows nothing of what is done with them."""
