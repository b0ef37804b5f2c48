"""Networks that compute as their quantized files do, and the plans that say how."""
