"""`pack` and `unpack`: the smallest form of a `.tflite` file for sending and storing."""
