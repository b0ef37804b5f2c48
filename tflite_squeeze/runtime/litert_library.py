"""Calls into LiteRT's C library: handles that are made and destroyed, statuses that are checked."""

import ctypes
from contextlib import ExitStack
from ctypes import byref, c_size_t, c_void_p
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tflite_squeeze.errors import RuntimeFailure

# LiteRtStatus, as far as these calls return it.
_STATUSES = {
    1: "invalid argument", 2: "out of memory", 3: "runtime failure", 4: "missing input",
    5: "unsupported", 6: "not found", 9: "unknown error", 500: "unreadable file",
    501: "invalid flatbuffer", 504: "compilation failed",
}  # fmt: skip


class LiteRtLibrary:
    """The C library in the ai-edge-litert wheel.

    Functions are named without their prefix `LiteRt`.

    Raises:
        RuntimeFailure: the wheel is missing, or has no such library.
    """

    def __init__(self) -> None:
        package = find_spec("ai_edge_litert")
        if package is None or package.origin is None:
            raise RuntimeFailure("ai-edge-litert is not installed: pip install ai-edge-litert")
        path = Path(package.origin).parent / "libLiteRt.so"
        try:
            self._library = ctypes.CDLL(str(path))
        except OSError as error:
            raise RuntimeFailure(
                f"this ai-edge-litert has no C library that can be loaded ({error}): install "
                f"the version that this package asks for"
            ) from error

    def function(self, name: str) -> Any:
        """A function by name.

        Raises:
            RuntimeFailure: the library has no such function.
        """
        try:
            return getattr(self._library, f"LiteRt{name}")
        except AttributeError as error:
            raise RuntimeFailure(
                f"this ai-edge-litert has no LiteRt{name}: install the version that this "
                f"package asks for"
            ) from error

    def call(self, name: str, *arguments: Any) -> None:
        """Calls a function and checks the status that it returns.

        Raises:
            RuntimeFailure: it is not "ok".
        """
        status = self.function(name)(*arguments)
        if status != 0:
            said = _STATUSES.get(status, f"status {status}")
            raise RuntimeFailure(f"LiteRT's C interface answered {said!r} to LiteRt{name}")

    def get(self, name: str, *arguments: Any) -> c_void_p:
        """Calls a function whose last argument receives a handle or a pointer; returns that."""
        handle = c_void_p()
        self.call(name, *arguments, byref(handle))
        return handle

    def count(self, name: str, *arguments: Any) -> int:
        """Calls a function whose last argument receives a number; returns that."""
        number = c_size_t()
        self.call(name, *arguments, byref(number))
        return number.value

    def make(
        self, what: str, undo: ExitStack, *arguments: Any, destroy: str | None = None
    ) -> c_void_p:
        """Calls `Create…` and leaves the `Destroy…` that undoes it on the stack."""
        handle = self.get(f"Create{what}", *arguments)
        undo.callback(self.function(f"Destroy{destroy or what}"), handle)
        return handle
