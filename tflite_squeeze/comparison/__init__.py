"""`compare`: files side by side, on any runtime, with intervals and limits."""
