"""`tflite-squeeze export`: a .tflite file as what an application on a target needs."""

import click

from tflite_squeeze.cli.lazy_group import LazyGroup

# Target → (module with <target>_command, what it does).
_TARGETS: dict[str, tuple[str, str]] = {
    "android": ("export_android", "Write assets, a Kotlin class and a test for Android."),
    "micro": ("export_micro", "Write C and C++ for TFLM on a microcontroller."),
}


@click.group(
    cls=LazyGroup,
    commands_by_name=_TARGETS,
    epilog="Example: tflite-squeeze export android lenet_5.tflite -o lenet_5_android",
)
def export_command() -> None:
    """Write what an application on a target needs to run a .tflite file, ready to copy."""
