"""Data for calibration, training and checks: arrays, folders, records, named sets, functions."""
