"""A candidate as a file: its recipe step by step, as `squeeze` runs it, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.data.data import Data
from tflite_squeeze.files.temporary import temporary_folder
from tflite_squeeze.network.loading import LoadedModel, ModelKind
from tflite_squeeze.recipes.chain import Chain
from tflite_squeeze.recipes.form import Form, form_of
from tflite_squeeze.recipes.recipe import Recipe
from tflite_squeeze.recipes.report import StepReport
from tflite_squeeze.recipes.step import Stepped

# (which step, epochs that are done, epochs in all)
Told = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class MadeFile:
    """What became of a recipe.

    Attributes:
        model: the `.keras` file of the model after the last step; empty without steps or layers.
        tflite: its file; None where a step could not be applied.
        failures: why it is no result: a step's reasons, or the check of the conversion.
    """

    model: bytes
    tflite: bytes | None
    failures: tuple[str, ...]


def made_by(
    recipe: Recipe,
    source: LoadedModel,
    data: Data | None,
    told: Told,
    *,
    allow_unsafe: bool,
) -> MadeFile:
    """Makes the file of a recipe, equal to that of `squeeze` byte for byte.

    Args:
        recipe: resolved.
        source: the model that was given, which stays as it is.
        data: what is trained and chosen on, fitted to the model.
        told: of the progress.
        allow_unsafe: whether Lambda layers may bring Python code out of model files.
    """
    with temporary_folder() as scratch:
        form = form_of(source)
        kept = _Scratch(scratch / f"step{form.suffix}", form)
        chain = Chain(
            recipe, source, data, kept, given=None, measure=False, allow_unsafe=allow_unsafe
        )
        stopped = chain.finish(lambda _number, name, done, of: told(name, done, of))
        model = chain.latest()
        content = kept.latest.read_bytes() if kept.latest is not None else b""
        if source.kind is ModelKind.TFLITE:
            content = b""
    if stopped:
        return MadeFile(model=content, tflite=None, failures=kept.steps[-1].reasons)
    converted = convert(model, chain.settings, data, verification=recipe.verify)
    check = converted.record.verification
    failures = () if check is None or check.passed else tuple(check.failures)
    return MadeFile(model=content, tflite=converted.tflite, failures=failures)


class _Scratch:
    """Keeps the model after a step in one file, as long as the candidate is made."""

    def __init__(self, path: Path, form: Form) -> None:
        self._path, self._form = path, form
        self.steps: tuple[StepReport, ...] = ()

    @property
    def latest(self) -> Path | None:
        """The model after the last step."""
        return self._path if self._path.exists() else None

    def keep(self, stepped: Stepped) -> None:
        """Keeps what came of a step."""
        if stepped.report.status == "done":
            self._path.write_bytes(self._form.content(stepped.model))
        self.steps = (*self.steps, stepped.report)
