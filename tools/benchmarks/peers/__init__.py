"""This project beside its peers: what `suite.py` runs, how it is judged, and how it is shown."""
