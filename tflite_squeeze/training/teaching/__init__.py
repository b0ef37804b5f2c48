"""Distillation losses, teachers and their answers."""
