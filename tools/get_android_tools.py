"""Brings what the tests of exports for Android need onto this machine.

Debian's packaging tools and JUnit when root, the Kotlin compiler from the npm registry and the
task libraries' own reader of metadata from PyPI; the latter two into .android-tools.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import click

_TOOLS = Path(__file__).resolve().parent.parent / ".android-tools"
_KOTLIN = "kotlin-compiler@2.4.20"
# Old libraries that the project itself must not get, hence a folder of their own.
_TASK_LIBRARY = ("tflite-support==0.4.4", "protobuf==3.20.3", "numpy==1.26.4")
_PACKAGES = {
    "aapt": "aapt",
    "zipalign": "zipalign",
    "apksigner": "apksigner",
    "/usr/share/android-framework-res/framework-res.apk": "android-framework-res",
    "javac": "default-jdk-headless",
    "npm": "npm",
    "/usr/share/java/junit4.jar": "junit4",
    "/usr/share/java/hamcrest-all.jar": "libhamcrest-java",
    "/usr/share/doc/libusb-1.0-0": "libusb-1.0-0",
    "/usr/share/doc/libportaudio2": "libportaudio2",
}


def _absent() -> list[str]:
    """Debian's packages that are not there."""
    return [
        package
        for proof, package in _PACKAGES.items()
        if not (Path(proof).exists() if proof.startswith("/") else shutil.which(proof))
    ]


def _install_packages() -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-qq"], ["install", "-y", "-qq", *_absent()]):
        subprocess.run(["apt-get", *command], env=environment, stdout=subprocess.DEVNULL)


def _fetch_kotlin() -> None:
    """Unpacks the compiler; the folder appears whole or not at all."""
    with tempfile.TemporaryDirectory(dir=_TOOLS) as folder:
        subprocess.run(
            ["npm", "pack", "--silent", "--pack-destination", folder, _KOTLIN],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        (Path(folder) / "package").rename(_TOOLS / "kotlin-compiler")


def _fetch_task_library() -> None:
    with tempfile.TemporaryDirectory(dir=_TOOLS) as folder:
        whole = Path(folder) / "whole"
        quiet = ["--quiet", "--disable-pip-version-check", "--no-warn-conflicts"]
        subprocess.run(
            [sys.executable, "-m", "pip", "install", *quiet, "--target", whole, *_TASK_LIBRARY],
            check=True,
        )
        whole.rename(_TOOLS / "task-library")


@click.command(help=__doc__)
def main() -> None:
    """The command line."""
    _TOOLS.mkdir(exist_ok=True)
    if _absent():
        _install_packages()
    failed = [f"Debian's package {name}" for name in _absent()]
    for name, fetch in (("kotlin-compiler", _fetch_kotlin), ("task-library", _fetch_task_library)):
        if (_TOOLS / name).is_dir():
            continue
        try:
            fetch()
        except (OSError, subprocess.CalledProcessError) as error:
            failed.append(f"{name} ({error})")
    if failed:
        click.echo(f"Not to be had: {'; '.join(failed)}.", err=True)
        sys.exit(1)
    click.echo("Android's tools are here.")


if __name__ == "__main__":
    main()
