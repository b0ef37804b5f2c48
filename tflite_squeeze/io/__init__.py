"""Model files and data: what comes in, and how it is read."""
