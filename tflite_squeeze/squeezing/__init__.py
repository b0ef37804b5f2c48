"""`squeeze`: one way in, to the steps of a recipe and to the search for them."""
