"""What names a PyTorch network: a `.pt2` file, or a function in a Python file that builds one."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.files.files import is_file

SUFFIX = ".pt2"
_WEIGHTS = (".pt", ".pth")
_FACTORY = re.compile(r"(?P<file>.+\.py):(?P<function>[A-Za-z_]\w*)")
_INPUT = re.compile(r"(?:(?P<name>[A-Za-z_]\w*)=)?(?P<shape>\d+(?:x\d+)*)(?::(?P<dtype>\w+))?")
_DTYPES = ("float32", "int64", "int32", "bool")


@dataclass(frozen=True, kw_only=True)
class Factory:
    """A function of the user's that builds a network.

    Attributes:
        path: the Python file, which is run.
        function: takes nothing, returns a `torch.nn.Module`.
        weights: a state dict, or a checkpoint with one.
        inputs: (name or None, shape, dtype) of each input of the network, in order.
    """

    path: Path
    function: str
    weights: Path | None = None
    inputs: tuple[tuple[str | None, tuple[int, ...], str], ...] = ()

    def __str__(self) -> str:
        return f"{self.path}:{self.function}"


def is_program(path: Path) -> bool:
    """Whether a path names a `.pt2` file."""
    return path.suffix == SUFFIX


def is_factory(source: Any) -> bool:
    """Whether a source is `FILE.py:FUNCTION`.

    Example:
        >>> is_factory("model.py:build"), is_factory("model.keras")
        (True, False)
    """
    return _FACTORY.fullmatch(str(source)) is not None


def factory_of(source: Any, weights: str | Path | None, inputs: Iterable[str]) -> Factory:
    """Reads `FILE.py:FUNCTION` with what belongs to it.

    Args:
        source: what `is_factory` says yes to.
        weights: the file of its weights.
        inputs: `[NAME=]1x3x224x224[:int64]` for each input.

    Raises:
        InputError: a file is missing.
        UsageError: an input is not of this form.
    """
    found = _FACTORY.fullmatch(str(source))
    assert found is not None
    path = Path(found["file"])
    for what, file in (("model", path), ("weights", None if weights is None else Path(weights))):
        if file is not None and not is_file(file):
            raise InputError(f"{what} {file} does not exist: check the path")
    return Factory(
        path=path,
        function=found["function"],
        weights=None if weights is None else Path(weights),
        inputs=tuple(map(read_input, inputs)),
    )


def read_input(text: str) -> tuple[str | None, tuple[int, ...], str]:
    """An input's name, shape and dtype.

    Raises:
        UsageError: the text is not of this form, or has no batch of 1.

    Example:
        >>> read_input("tokens=1x12:int64")
        ('tokens', (1, 12), 'int64')
    """
    found = _INPUT.fullmatch(text)
    dtype = (found and found["dtype"]) or "float32"
    if found is None or dtype not in _DTYPES:
        raise UsageError(
            f"--input is {text!r}: write [NAME=]1x3x224x224, with :int64, :int32 or :bool behind "
            f"it where it is not float32"
        )
    shape = tuple(map(int, found["shape"].split("x")))
    if 1 not in shape or 0 in shape:
        raise UsageError(f"--input is {text!r}: write the whole shape, with 1 for the batch")
    return found["name"], shape, dtype


def refuse_unused(source: Any, weights: Any, inputs: Iterable[str]) -> None:
    """Refuses options of a factory beside another kind of model, and weights without a network.

    Raises:
        UsageError: there is one.
    """
    if isinstance(source, str | Path) and Path(source).suffix in _WEIGHTS:
        raise UsageError(
            f"{source} has PyTorch's weights without the network: give the function that builds "
            f"it, model.py:build with --state-dict {source}, or a .pt2 file of torch.export"
        )
    for name, given in (("--state-dict", weights), ("--input", tuple(inputs))):
        if given:
            raise UsageError(
                f"{name} belongs to a function that builds a PyTorch network, such as "
                f"model.py:build, but the model is {source}"
            )
