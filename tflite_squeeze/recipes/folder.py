"""The folder of a run: what is finished is on disk, whole, so that a killed run can go on."""

import hashlib
import json
import re
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from pydantic import Field, ValidationError

from tflite_squeeze.data.data import Data, Part
from tflite_squeeze.errors import InputError, OutputError
from tflite_squeeze.files.files import UNFINISHED, is_file, read_file, write_atomically
from tflite_squeeze.frozen import Frozen
from tflite_squeeze.recipes.recipe import Recipe
from tflite_squeeze.recipes.report import Baseline, StepReport
from tflite_squeeze.version import __version__

STATE = "state.json"
_OF_A_RUN = re.compile(re.escape(UNFINISHED) + "[0-9a-f]{12}-")
# The model before any step, in float32 and as the recipe converts it: in a folder of their own, so
# that the only .tflite file beside the report is the result.
PLAIN, START = "before/float32.tflite", "before/converted.tflite"


class RunState(Frozen):
    """The progress of a run, and which files of its folder are its own.

    Attributes:
        package: version of this package.
        recipe: hash of the recipe; model: of the model; data: of the data.
        baseline: the model before any step; None where that is not measured yet.
        steps: the steps that are finished.
        seconds: how long the run has taken, all its parts together.
        unfinished: how the names begin that its files have while they are written.
        files: what the run wrote: hashes by name, the last one and the one before it. A file that
            has neither is not from the run.
    """

    package: str = __version__
    recipe: str
    model: str
    data: str
    baseline: Baseline | None = None
    steps: tuple[StepReport, ...] = ()
    seconds: float = 0.0
    unfinished: str = Field(default_factory=lambda: f"{UNFINISHED}{uuid.uuid4().hex[:12]}-")
    files: dict[str, tuple[str, ...]] = {}


class RunFolder:
    """Reads and writes the folder of one run; other files in it stay as they are.

    Args:
        folder: where; made if it is not there.
        fresh: the state of a run that has done nothing yet.
        names: every file that the run may write.
        inputs: files that the run reads.
        resume: go on where an earlier run of the same recipe, model and data ended.
        force: start again where there are files already.

    Raises:
        OutputError: the folder cannot be made; or it holds files, and neither `resume` nor `force`
            says what to do about them; or a run of something else; or an input, or a file
            that it did not write, has the name of a file that the run writes.
        InputError: the state in it, or a finished model, is damaged.
    """

    def __init__(
        self,
        folder: Path,
        fresh: RunState,
        *,
        names: Iterable[str],
        inputs: Iterable[Path],
        resume: bool,
        force: bool,
    ) -> None:
        self.folder, self._kind = folder, type(fresh)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if (resume or force) and not (folder / STATE).exists():
                _sweep_first_states(folder)
            found = any(folder.iterdir())
        except OSError as error:
            raise OutputError(
                f"cannot use folder {folder} ({error.strerror or error}): name another"
            ) from error
        earlier = self._earlier() if resume or force else None
        if found and not force and not (resume and earlier):
            remedy = (
                "it has no state.json to continue from" if resume else "pass --resume to continue"
            )
            raise OutputError(
                f"folder {folder} holds files ({remedy}): pass --force to start again, or name "
                f"another"
            )
        self.state = earlier or fresh
        self._refuse_others({*names, STATE, *self.state.files}, list(inputs))
        if earlier:
            self._sweep()
        if earlier and resume:
            self._go_on(fresh)
            return
        if earlier:
            self._clear()
        self.write(fresh)

    def _earlier(self) -> RunState | None:
        """The state of the run that the folder holds; None without one."""
        path = self.folder / STATE
        if not path.exists():
            return None
        try:
            return self._kind.model_validate_json(read_file(path, "state"))
        except ValidationError as error:
            raise InputError(
                f"{path} is not the state of a run of this version, so the run's files are not "
                f"known: empty the folder, or name another"
            ) from error

    def _refuse_others(self, names: Iterable[str], inputs: Sequence[Path]) -> None:
        """Refuses to write over what is read, and over what this run did not write."""
        for name in sorted(names):
            path = self.folder / name
            if not path.exists():
                continue
            if any(source.exists() and path.samefile(source) for source in inputs):
                raise OutputError(
                    f"{path} is an input, and the run would write over it: name another folder"
                )
            if not self._is_own(name):
                raise OutputError(
                    f"{path} was not written by this run, or was changed since: move it away, or "
                    f"name another folder"
                )

    def _is_own(self, name: str) -> bool:
        """Whether a file is as the run wrote it; the state itself has been read."""
        if name == STATE:
            return True
        known = self.state.files.get(name, ())
        return bool(known) and _sha256(self.read(name)) in known

    def _go_on(self, fresh: RunState) -> None:
        """Refuses to go on with another run, or from a model that is not as it was written."""
        for what in ("package", "recipe", "model", "data"):
            if getattr(self.state, what) != getattr(fresh, what):
                name = "version of this package" if what == "package" else what
                raise OutputError(
                    f"folder {self.folder} holds a run of another {name}: give the same {name} to "
                    f"continue, or pass --force to start again"
                )
        for step in self.state.steps:
            if step.model_file and not (self.folder / step.model_file).exists():
                raise InputError(
                    f"the model of step {step.number}, {self.folder / step.model_file}, is gone: "
                    f"pass --force to start again"
                )

    def _sweep(self) -> None:
        """Takes away what the run was writing when it was killed."""
        for place in {(self.folder / name).parent for name in (STATE, *self.state.files)}:
            for leftover in place.glob(f"{self.state.unfinished}*"):
                leftover.unlink()

    def _clear(self) -> None:
        """Takes the files of an earlier run away, so that none is taken for one of this run."""
        for name in [STATE, *self.state.files]:
            (self.folder / name).unlink(missing_ok=True)

    def write(self, state: RunState) -> None:
        """Makes a state the one from which a run goes on."""
        self.state = state
        content = (state.model_dump_json(indent=1) + "\n").encode()
        write_atomically(self.folder / STATE, content, force=True, prefix=state.unfinished)

    def put(self, name: str, content: bytes) -> None:
        """Writes a file of the folder, whole or not at all; its hash is known before it is there.

        Raises:
            OutputError: a file of that name is there that the run did not write.
        """
        known: tuple[str, ...] = ()
        if (self.folder / name).exists():
            self._refuse_others([name], [])
            known = (_sha256(self.read(name)),)
        self._make_parent(self.folder / name)
        files = {**self.state.files, name: tuple(dict.fromkeys((*known, _sha256(content))))}
        self.write(self.state.model_copy(update={"files": files}))
        write_atomically(self.folder / name, content, force=True, prefix=self.state.unfinished)

    def _make_parent(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"cannot make folder {path.parent} ({error.strerror or error}): move what has its "
                f"name away, or name another folder for the run"
            ) from error

    def remove(self, name: str) -> None:
        """Deletes a file that the run wrote, where it is there."""
        if name in self.state.files:
            self._refuse_others([name], [])
            (self.folder / name).unlink(missing_ok=True)

    def read(self, name: str) -> bytes:
        """Reads a file of the folder."""
        return read_file(self.folder / name, "file")

    @property
    def latest(self) -> Path | None:
        """The model after the last step that was kept; None where none was."""
        kept = [step.model_file for step in self.state.steps if step.model_file is not None]
        return self.folder / kept[-1] if kept else None


def _sweep_first_states(folder: Path) -> None:
    """Takes away what a run left that was killed before any state was there to name its files."""
    for leftover in folder.glob(f"{UNFINISHED}*"):
        if _OF_A_RUN.match(leftover.name):
            leftover.unlink()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


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
