"""`squeeze`: steps of a recipe in order, their claims, the run's folder, the report."""
