"""A toy technique outside the package: every weight becomes a multiple of a grid's step."""

from tflite_squeeze.techniques.technique import Technique

TECHNIQUE = Technique(
    name="round",
    summary="Round weights to multiples of a step.",
    package=__name__,
    config=".config:Round",
    verb=".rounding:round_weights",
    record=".record:RoundRecord",
    claims=".claims:claimed",
    command=".command:round_command",
    makes=("shared values",),
)
