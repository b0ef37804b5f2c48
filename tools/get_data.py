"""Brings the full Fashion-MNIST onto this machine: Debian's package for root, else a download."""

import os
import shutil
import subprocess
import sys

import click

from tflite_squeeze.data.named_sets import load_named_set
from tflite_squeeze.errors import InputError

_PACKAGE = "dataset-fashion-mnist"


def _is_there() -> bool:
    try:
        load_named_set("fashion-mnist")
    except InputError:
        return False
    return True


def _install() -> bool:
    """Installs Debian's package; False when this is not root on Debian, or it fails."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["install", "-y", "-qq", _PACKAGE], ["update", "-qq"]):
        subprocess.run(["apt-get", *command], env=environment, stdout=subprocess.DEVNULL)
        if _is_there():
            return True
    subprocess.run(
        ["apt-get", "install", "-y", "-qq", _PACKAGE], env=environment, stdout=subprocess.DEVNULL
    )
    return _is_there()


def _download() -> bool:
    """Lets Keras download its copy."""
    import keras

    try:
        keras.datasets.fashion_mnist.load_data()
    except Exception as error:  # noqa: BLE001  # Keras raises bare Exception for a failed download
        click.echo(f"keras.datasets cannot download it: {str(error).splitlines()[0]}", err=True)
    return _is_there()


@click.command(help=__doc__)
def main() -> None:
    """The command line."""
    if _is_there():
        click.echo("Fashion-MNIST is here.")
    elif _install() or _download():
        click.echo("Fashion-MNIST was installed.")
    else:
        click.echo(
            f"Fashion-MNIST is not to be had: install the Debian package {_PACKAGE} as root, or "
            f"connect to the internet.",
            err=True,
        )
        sys.exit(1)


if __name__ == "__main__":
    main()
