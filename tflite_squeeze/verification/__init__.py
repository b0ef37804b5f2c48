"""`verify`: does a file answer as its model does?"""
