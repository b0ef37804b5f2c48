"""Files whose quantization differs from layer to layer, chosen by what the answers lose."""
