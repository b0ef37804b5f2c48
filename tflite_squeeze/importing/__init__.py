"""Models of other frameworks as Keras models, with a record of how well they agree."""
