"""`export micro`: C and C++ for TensorFlow Lite for Microcontrollers."""
