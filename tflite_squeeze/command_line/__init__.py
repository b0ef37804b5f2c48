"""What commands share: options, output, progress, the lazy group."""
