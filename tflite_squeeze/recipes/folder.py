"""The folder of a run: what is finished is on disk, whole, so that a killed run can go on."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from pydantic import ValidationError

from tflite_squeeze.data.data import Data, Part
from tflite_squeeze.errors import InputError, OutputError
from tflite_squeeze.files.files import is_file, read_file, write_atomically
from tflite_squeeze.frozen import Frozen
from tflite_squeeze.network.save import save_model
from tflite_squeeze.recipes.recipe import Recipe
from tflite_squeeze.recipes.report import Baseline, StepReport
from tflite_squeeze.version import __version__

STATE = "state.json"
# The model before any step: in float32, and as the recipe converts it.
PLAIN, START = "before_float32.tflite", "before.tflite"
_BESIDE = ".tflite-squeeze-"  # what `write_atomically` writes before it renames


class RunState(Frozen):
    """How far a run is.

    Attributes:
        package: version of this package.
        recipe: hash of the recipe; model: of the model; data: of the data.
        baseline: the model before any step; None where that is not measured yet.
        steps: the steps that are finished.
        seconds: how long the run has taken, all its parts together.
    """

    package: str = __version__
    recipe: str
    model: str
    data: str
    baseline: Baseline | None = None
    steps: tuple[StepReport, ...] = ()
    seconds: float = 0.0


class RunFolder:
    """Reads and writes the folder of one run.

    Args:
        folder: where; made if it is not there.
        fresh: the state of a run that has done nothing yet.
        resume: go on where an earlier run of the same recipe, model and data ended.
        force: begin anew where there are files already.

    Raises:
        OutputError: the folder cannot be made, or holds files, and neither `resume` nor `force`
            says what to do about them; or it holds a run of something else.
        InputError: the state in it, or a finished model, is damaged.
    """

    def __init__(self, folder: Path, fresh: RunState, *, resume: bool, force: bool) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for leftover in folder.glob(f"{_BESIDE}*"):
                leftover.unlink()
            empty = not any(folder.iterdir())
        except OSError as error:
            raise OutputError(
                f"cannot use folder {folder} ({error.strerror or error}): name another"
            ) from error
        if resume and (folder / STATE).exists():
            self.state = self._resumed(fresh)
            return
        if not empty and not force:
            remedy = "it has no state.json to go on from" if resume else "pass --resume to go on"
            raise OutputError(
                f"folder {folder} holds files ({remedy}): pass --force to begin anew, or name "
                f"another"
            )
        self._clear()
        self.write(fresh)

    def _resumed(self, fresh: RunState) -> RunState:
        path = self.folder / STATE
        try:
            found = RunState.model_validate_json(read_file(path, "state"))
        except ValidationError as error:
            raise InputError(
                f"{path} is not the state of a run: pass --force to begin anew"
            ) from error
        for what in ("package", "recipe", "model", "data"):
            if getattr(found, what) != getattr(fresh, what):
                name = "version of this package" if what == "package" else what
                raise OutputError(
                    f"folder {self.folder} holds a run of another {name}: give the same {name} to "
                    f"go on, or pass --force to begin anew"
                )
        for step in found.steps:
            self._check(step)
        return found

    def _check(self, step: StepReport) -> None:
        """Refuses a finished model that is not as it was written."""
        if step.model_file is None:
            return
        path = self.folder / step.model_file
        content = read_file(path, f"the model of step {step.number},")
        if hashlib.sha256(content).hexdigest() != step.model_sha256:
            raise InputError(
                f"{path} was changed since step {step.number} wrote it: pass --force to begin anew"
            )

    def _clear(self) -> None:
        """Takes the files of an earlier run away, so that none is taken for one of this run."""
        for path in [self.folder / STATE, *self.folder.glob("step_*.keras")]:
            path.unlink(missing_ok=True)

    def write(self, state: RunState) -> None:
        """Makes a state the one from which a run goes on."""
        self.state = state
        self.put(STATE, (state.model_dump_json(indent=1) + "\n").encode())

    def put(self, name: str, content: bytes) -> None:
        """Writes a file of the folder, whole or not at all."""
        write_atomically(self.folder / name, content, force=True)

    def read(self, name: str) -> bytes:
        """Reads a file of the folder."""
        return read_file(self.folder / name, "file")

    def save(self, model: Any, name: str) -> str:
        """Saves a model and returns the hash of its file."""
        path = self.folder / name
        save_model(model, path, force=True)
        return hashlib.sha256(path.read_bytes()).hexdigest()

    @property
    def latest(self) -> Path | None:
        """The model after the last step that was kept; None where none was."""
        kept = [step.model_file for step in self.state.steps if step.model_file is not None]
        return self.folder / kept[-1] if kept else None


_EXAMPLES = 1000


def recipe_sha256(recipe: Recipe) -> str:
    """The hash of everything that a recipe says."""
    return hashlib.sha256(recipe.model_dump_json().encode()).hexdigest()


def data_sha256(data: Data | None) -> str:
    """A hash by which changed data is noticed.

    A single file is hashed whole. Of everything else, up to 1,000 examples of each part, evenly
    spread, with their labels, the number of examples and the preprocessing.

    Args:
        data: data fitted to the model; None for none.
    """
    digest = hashlib.sha256()
    if data is None:
        return digest.hexdigest()
    about = data.describe()
    said = {name: about[name] for name in ("examples", "inputs", "labelled", "preprocessing")}
    digest.update(json.dumps(said, sort_keys=True).encode())
    path = Path(data.source)
    if is_file(path):
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    parts: tuple[Part, ...] = ("train", "validation", "calibration")
    for part in parts:
        if getattr(data.raw, part) is None:
            continue
        sample = data.sample(part, _EXAMPLES)
        for array in [*sample.inputs.values(), *tf.nest.flatten(sample.labels)]:
            if array is not None:
                digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
