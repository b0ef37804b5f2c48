"""A candidate as a file: its recipe step by step, as `squeeze` runs it, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.data.data import Data
from tflite_squeeze.files.temporary import temporary_folder
from tflite_squeeze.network.loading import LoadedModel, load_model
from tflite_squeeze.network.rewriting import compile_alike, copy_of
from tflite_squeeze.network.save import save_model
from tflite_squeeze.recipes.recipe import Recipe
from tflite_squeeze.recipes.step import Before, run_step
from tflite_squeeze.techniques.claimed import Claimed

# (which step, epochs that are done, epochs in all)
Told = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class MadeFile:
    """What became of a recipe.

    Attributes:
        model: the Keras model after the last step.
        tflite: its file; None where a step could not be applied.
        failures: why it is no result: a step's reasons, or the check of the conversion.
    """

    model: Any
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
    settings = recipe.convert.model_copy(update={"name": recipe.convert.name or source.name})
    model, claims = copy_of(source.model), dict[str, Claimed]()
    for number, step in enumerate(recipe.steps, start=1):
        before = Before(
            number=number,
            original=source.model,
            given=None,
            quality=None,
            claims=claims,
            tflite=b"",
            verify=recipe.verify,
        )

        def tell(done: int, of: int, name: str = step.technique) -> None:
            told(name, done, of)

        stepped = run_step(step, model, data, settings, before, tell)
        if stepped.report.status != "done":
            return MadeFile(model=model, tflite=None, failures=stepped.report.reasons)
        claims = dict(stepped.report.claims)
        model = _through_a_file(stepped.model, source.model, allow_unsafe=allow_unsafe)
    converted = convert(model, settings, data, verification=recipe.verify)
    check = converted.record.verification
    failures = () if check is None or check.passed else tuple(check.failures)
    return MadeFile(model=model, tflite=converted.tflite, failures=failures)


def _through_a_file(model: Any, original: Any, *, allow_unsafe: bool) -> Any:
    """A model as it is after it was saved and loaded, as between the steps of a run."""
    with temporary_folder() as scratch:
        path = scratch / "step.keras"
        save_model(model, path)
        found = load_model(path, allow_unsafe=allow_unsafe).model
    compile_alike(original, found)
    return found
