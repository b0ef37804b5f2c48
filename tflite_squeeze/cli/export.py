"""`tflite-squeeze export`: a file or a model as what an application on a target needs."""

import click

from tflite_squeeze.command_line.lazy_group import LazyGroup, commands_in

_TARGETS = commands_in(
    {
        "android": ("android.command", "Write assets, a Kotlin class and a test for Android."),
        "onnx": ("exporting.command", "Write an ONNX file, in float or with the scales of int8."),
        "micro": (
            "microcontrollers.export.command",
            "Write C and C++ for TFLM on a microcontroller.",
        ),
    }
)


@click.group(
    cls=LazyGroup,
    listed=lambda: _TARGETS,
    epilog="Example: tflite-squeeze export android lenet_5.tflite -o lenet_5_android",
)
def export_command() -> None:
    """Write what an application on a target needs to run a model, ready to copy."""
