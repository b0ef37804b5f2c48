"""The one training loop, the data that it takes, and the quality before and after."""
