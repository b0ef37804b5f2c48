"""`python -m tflite_squeeze` is the command `tflite-squeeze`."""

from tflite_squeeze.cli import main

main()
