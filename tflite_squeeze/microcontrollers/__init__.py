"""TensorFlow Lite for Microcontrollers and Ethos-U: profiles, limits, and export."""
