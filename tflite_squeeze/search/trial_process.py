"""Trials in a process of their own: converters and trainings never give back all of their memory.

The child opens the model and the data by itself, and makes sure that they are the same; where that
cannot be, as with layers that only the program knows, trials run in the program's own process. A
trial that crashes, or that memory runs out in, costs that trial alone.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from tflite_squeeze.data.data import Data, load_data
from tflite_squeeze.data.dividing import set_aside
from tflite_squeeze.data.preprocessing import Preprocessing
from tflite_squeeze.emission.endpoints import inputs_of
from tflite_squeeze.errors import InputError, RuntimeFailure, SqueezeError, shortened
from tflite_squeeze.files.files import is_file
from tflite_squeeze.network.loading import LoadedModel, ModelKind, load_model
from tflite_squeeze.network.save import MODEL_SUFFIXES, quietly, save_model
from tflite_squeeze.recipes.files import dump_recipe, parse_recipe
from tflite_squeeze.recipes.folder import data_sha256
from tflite_squeeze.recipes.recipe import Recipe
from tflite_squeeze.runtime.child import die_with_parent
from tflite_squeeze.runtime.process import environment_of_children, raised
from tflite_squeeze.search.trial import MadeFile, Told, made_by

_TRIALS = 10  # of one child, which then makes room for the next


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a child opens.

    Attributes:
        model: a path.
        model_sha256: of the file; empty for one that was written for the child.
        name: of the model.
        data: as `load_data` takes it.
        preprocessing: of the data, as JSON.
        source: what the data is called.
        data_sha256: of the data, fitted to the model.
        allow_unsafe: whether Lambda layers may bring Python code out of model files.
    """

    model: str
    model_sha256: str
    name: str
    data: str
    preprocessing: str
    source: str
    data_sha256: str
    allow_unsafe: bool


class Trials:
    """Makes the files of recipes, in a child process where the inputs can be opened there.

    Args:
        source: the model that was given.
        data: as it was given, fitted to the model.
        inputs: what a child opens; None where the data is in this process alone.
        scratch: a folder for what a child prints.
        allow_unsafe: whether Lambda layers may bring Python code out of model files.

    Attributes:
        notes: why trials run in this process, where they do.
    """

    def __init__(
        self,
        source: LoadedModel,
        data: Data,
        inputs: Inputs | None,
        scratch: Path,
        *,
        allow_unsafe: bool,
    ) -> None:
        self._source, self._data, self._inputs = source, data, inputs
        self._scratch, self._allow_unsafe = scratch, allow_unsafe
        self.notes: list[str] = []
        if inputs is None:
            self._stay("the data is in its memory alone")
        self._child: _Child | None = None
        self._count = 0

    def __enter__(self) -> "Trials":
        return self

    def __exit__(self, *_error: object) -> None:
        self._end()

    def made(self, recipe: Recipe, told: Told) -> MadeFile:
        """Makes the file of a recipe, see `made_by`.

        Args:
            recipe: resolved.
            told: of the progress.

        Raises:
            SqueezeError: of the trial.
            RuntimeFailure: the child crashed.
        """
        child = self._ready()
        if child is None:
            data = set_aside(self._data).choosing
            return made_by(recipe, self._source, data, told, allow_unsafe=self._allow_unsafe)
        self._count += 1
        try:
            found: MadeFile = child.asked(dump_recipe(recipe), told)
        except EOFError:
            why = child.why()
            self._end()
            raise RuntimeFailure(f"the process of the trial ended early: {why}") from None
        return found

    def _ready(self) -> "_Child | None":
        """A child that has opened its inputs; None where it cannot."""
        if self._count >= _TRIALS:
            self._end()
        if self._child is None and self._inputs is not None:
            self._child, self._count = _Child(self._inputs, self._scratch), 0
            try:
                self._child.asked(None, lambda *_: None)
            except (SqueezeError, EOFError) as error:
                self._stay(str(error) or self._child.why())
                self._end()
                self._inputs = None
        return self._child

    def _stay(self, why: str) -> None:
        self.notes.append(f"all trials run in the program's own process: {why}")

    def _end(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None


class _Child:
    """The parent's side of a child process."""

    def __init__(self, inputs: Inputs, scratch: Path) -> None:
        (reading, answering), (asking, sending) = os.pipe(), os.pipe()
        self._chatter = scratch / "chatter"
        command = [sys.executable, "-P", "-m", __name__, str(asking), str(answering)]
        with self._chatter.open("wb") as chatter:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=chatter,
                stderr=chatter,
                env=environment_of_children(),
                pass_fds=(asking, answering),
                start_new_session=True,  # an interruption reaches the parent, which ends it
            )
        os.close(asking)
        os.close(answering)
        self._from, self._to = Connection(reading), Connection(sending)
        self._to.send(inputs)

    def asked(self, recipe: str | None, told: Told) -> Any:
        """What came of a recipe; of None, once the inputs are open."""
        if recipe is not None:
            try:
                self._to.send(recipe)
            except OSError:  # its end is closed
                raise EOFError from None
        while True:
            kind, value = self._from.recv()
            if kind == "told":
                told(*value)
            elif kind == "error":
                raise raised(value)
            else:
                return value

    def why(self) -> str:
        """One line on why it ended."""
        code = self._process.wait()
        if code == -signal.SIGKILL:
            return "it was killed, most likely because memory ran out"
        lines = self._chatter.read_bytes().decode(errors="replace").splitlines()
        last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
        return f"{signal.Signals(-code).name}; {shortened(last)}" if code < 0 else shortened(last)

    def end(self) -> None:
        """Kills it, with all that it started."""
        self._from.close()
        self._to.close()
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def inputs_for(
    given: Any, source: LoadedModel, data: Data, sha256: str, scratch: Path, *, allow_unsafe: bool
) -> Inputs | None:
    """What a child has to open, written into a folder where it is no file; None where it cannot.

    Args:
        given: the data as the caller gave it.
        source: the model.
        data: the same, fitted to the model.
        sha256: its hash.
        scratch: a folder.
        allow_unsafe: whether Lambda layers may bring Python code out of model files.
    """
    opened = _data_for(given, data, scratch)
    if opened is None:
        return None
    path, file = source.path, source.kind is ModelKind.TFLITE
    # What is no file of Keras would be rebuilt anew by each child.
    if file and path is None:
        path = scratch / "given.tflite"
        path.write_bytes(source.model)
    elif path is None or (not file and is_file(path) and path.suffix not in MODEL_SUFFIXES):
        path = scratch / "given.keras"
        save_model(source.model, path)
    return Inputs(
        model=str(path),
        model_sha256=source.sha256 if path == source.path else "",
        name=source.name,
        data=opened,
        preprocessing=data.preprocessing.model_dump_json(),
        source=data.source,
        data_sha256=sha256,
        allow_unsafe=allow_unsafe,
    )


def _data_for(given: Any, data: Data, scratch: Path) -> str | None:
    """A path or a name; arrays in memory are written as a file, and all else has none."""
    if isinstance(given, np.ndarray):
        given = {"x": given}
    if isinstance(given, tuple) and len(given) == 2:
        given = dict(zip("xy", given, strict=True))
    if isinstance(given, Mapping) and all(isinstance(one, np.ndarray) for one in given.values()):
        np.savez(scratch / "given.npz", **given)
        return str(scratch / "given.npz")
    return None if data.source.startswith("(") else data.source


def _opened(inputs: Inputs) -> tuple[LoadedModel, Data]:
    """The child's model and data: the same as the parent's.

    Raises:
        InputError: they cannot be opened, or are not the same.
    """
    found = load_model(inputs.model, allow_unsafe=inputs.allow_unsafe)
    source = replace(found, name=inputs.name)
    if inputs.model_sha256 and source.sha256 != inputs.model_sha256:
        raise InputError(f"{inputs.model} has changed: start the search again")
    preprocessing = Preprocessing.model_validate_json(inputs.preprocessing)
    data = load_data(inputs.data, preprocessing=preprocessing)
    data = data.fitted_to(inputs_of(source))
    named = replace(data.raw, source=inputs.source)
    data = replace(data, source=inputs.source, raw=named)
    if data_sha256(data) != inputs.data_sha256:
        raise InputError(f"{inputs.data} opened by itself is not the data that was given")
    return source, set_aside(data).choosing


def main(asking: int, answering: int) -> None:
    """The child's side: recipes in, files out, until it is killed."""
    die_with_parent()
    given, answer = Connection(asking), Connection(answering)

    def told(step: str, done: int, of: int) -> None:
        answer.send(("told", (step, done, of)))

    def tried(work: Callable[[], Any]) -> Any:
        try:
            answer.send(("done", work()))
        except SqueezeError as error:
            answer.send(("error", {"kind": type(error).__name__, "message": str(error)}))

    inputs: Inputs = given.recv()
    opened: list[tuple[LoadedModel, Data]] = []
    with quietly():
        tried(lambda: opened.append(_opened(inputs)))
        while opened:
            recipe = parse_recipe(given.recv().encode(), "recipe.yaml")
            unsafe = inputs.allow_unsafe
            tried(lambda: made_by(recipe, *opened[0], told, allow_unsafe=unsafe))  # noqa: B023


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
