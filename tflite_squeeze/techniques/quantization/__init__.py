"""Quantization-aware training: the network computes with the integers that its file will have.

Each kernel and each activation is rounded to b bits in every training step, and the gradient
passes the rounding unchanged where the value is within the range (straight-through):

    x → s (clip(round(x / s) + z, 0, 2ᵇ - 1) - z)

Ranges are calibrated on samples first and then follow the batches, or are trained. Normalisation
is folded into the layers before it at the start, as it is in the file. What is trained is the
twin of the network: an ordinary Keras model, whose file has exactly its integers.

Reference: Jacob et al. 2018, arXiv:1712.05877; Esser et al. 2020, arXiv:1902.08153 (learned steps).

Files:
    config.py: `QuantizationAware`, its configuration.
    quantize.py: the verb `quantize`.
    aware.py: `quantization_aware`, for your own `model.fit`.
    record.py, tables.py, claims.py, command.py: what was done, how it is shown, what the file
        has to show, and `tflite-squeeze quantize`.

It pays where calibration alone loses accuracy: with 4-bit weights, in small networks and those
with depthwise convolutions. Zeros, shared values, ranks and widths that earlier steps made stay.
"""

from tflite_squeeze.techniques.technique import Technique

TECHNIQUE = Technique(
    name="quantize",
    summary="Train with the integers that the file will have (quantization-aware training).",
    package=__name__,
    config=".config:QuantizationAware",
    verb=".quantize:quantize",
    record=".record:QuantizeRecord",
    claims=".claims:claimed",
    command=".command:quantize_command",
    undoes={"integers": "it trains weights on steps of its own"},
    last=True,
    quantizes=True,
    softer={"weights": "count"},
    aliases=("quantization-aware training", "QAT"),
)
