"""`doctor`: versions, and which optional parts work here."""
