"""Verbs that chain the rooms: convert and verify, inspect, and later whole recipes."""
