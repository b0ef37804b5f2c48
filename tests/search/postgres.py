"""A PostgreSQL server of the tests' own, where its programs are installed."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def programs() -> Path | None:
    """The folder of initdb and postgres; Debian keeps them off the path."""
    found = shutil.which("initdb")
    there = [Path(found).resolve().parent] if found else []
    there += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((one for one in there if (one / "postgres").exists()), None)


@contextmanager
def server() -> Iterator[str]:
    """Starts a server that listens on a socket in a folder, and stops it; yields its URL."""
    bin_ = programs()
    if bin_ is None:
        pytest.skip("PostgreSQL is not installed: make postgresql")
    pytest.importorskip("psycopg", reason="the driver of PostgreSQL is not installed: psycopg")
    # It refuses to run as root, and others may not look into the folders of pytest.
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        if user:
            shutil.chown(name, user)
        with _running(bin_, user, Path(name)):
            yield f"postgresql://tests@/postgres?host={name}"


@contextmanager
def _running(bin_: Path, user: str | None, folder: Path) -> Iterator[None]:
    data = folder / "data"
    _run(user, bin_ / "initdb", "-D", data, "-U", "tests", "--auth=trust", "--no-sync")
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    _run(user, bin_ / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start")
    try:
        yield
    finally:
        _run(user, bin_ / "pg_ctl", "-D", data, "-m", "immediate", "stop")


def _run(user: str | None, *command: object) -> None:
    done = subprocess.run(
        [str(one) for one in command], user=user, cwd="/", capture_output=True, text=True,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
