"""ONNX graphs as Keras 3 models of plain layers, channels last, with a free batch size.

`reading` takes a file without running anything of it, `graph` puts it in plain terms, `tracing`
runs it once to learn shapes and constants, `building` hands each operator to its handler in
`operators`, and `checking` compares the result with ONNX's own evaluator.
"""
