"""Seven techniques that train and change a model; none knows another."""
