"""`verify`: compares a file's outputs with its model's."""
