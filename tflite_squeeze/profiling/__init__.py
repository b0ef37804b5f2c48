"""`profile`: latency, operators, memory and bytes of a `.tflite` file."""
