"""The steps of a recipe one after the other, each from the file of the one before."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from tflite_squeeze.data.data import Data
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.network.loading import LoadedModel
from tflite_squeeze.recipes.form import form_of
from tflite_squeeze.recipes.recipe import Recipe, Step
from tflite_squeeze.recipes.report import StepReport
from tflite_squeeze.recipes.step import Before, Stepped, intermediate_file, run_step
from tflite_squeeze.techniques.registry import technique
from tflite_squeeze.techniques.softening import changes, softer

# (number of the step, what it does, epochs that are done, epochs in all)
Told = Callable[[int, str, int, int], None]
_MOST_SOFTENED = 3


class Kept(Protocol):
    """Where the models and the reports of steps are kept."""

    @property
    def steps(self) -> tuple[StepReport, ...]:
        """Of the steps that are finished."""

    @property
    def latest(self) -> Path | None:
        """The model after the last step that was kept; None where none was."""

    def keep(self, stepped: Stepped) -> None:
        """Keeps what came of a step."""


class Chain:
    """A model on its way through the steps of a recipe.

    Args:
        recipe: resolved.
        source: the model that was given, which stays as it is.
        data: what is trained on, fitted to the model.
        kept: where models and reports are kept.
        given: quality of the model that was given; None where it is not measured.
        measure: whether the file after each step is measured, though it decides nothing.
        allow_unsafe: whether Lambda layers may bring Python code out of model files.
    """

    def __init__(
        self,
        recipe: Recipe,
        source: LoadedModel,
        data: Data | None,
        kept: Kept,
        *,
        given: float | None,
        measure: bool = True,
        allow_unsafe: bool,
    ) -> None:
        self._recipe, self._source, self._data = recipe, source, data
        self._kept, self._given, self._measure = kept, given, measure
        self._form = form_of(source, allow_unsafe=allow_unsafe)

    @property
    def settings(self) -> Convert:
        """How the recipe converts; the file has the model's name, not that of a step."""
        settings = self._recipe.convert
        return settings.model_copy(update={"name": settings.name or self._source.name})

    def latest(self) -> Any:
        """The model so far, from its file: whether a run was interrupted makes no difference."""
        return self._form.opened(self._kept.latest)

    def finish(self, told: Told) -> bool:
        """Runs the steps that are not finished yet.

        Args:
            told: of the progress.

        Returns:
            Whether a step stopped the run.
        """
        for number in range(len(self._kept.steps) + 1, len(self._recipe.steps) + 1):
            if self._stopped:
                break
            self._kept.keep(self._softened(number, told))
        return self._stopped

    @property
    def _stopped(self) -> bool:
        return any(step.status == "stopped" for step in self._kept.steps)

    def _softened(self, number: int, told: Told) -> Stepped:
        """A step, and where it loses too much the same again, asking for less."""
        step, tried = self._recipe.steps[number - 1], list[str]()
        while True:
            stepped = self._run(number, step, told, "; ".join(tried[-1:]))
            less = self._less(step) if stepped.lossy and len(tried) < _MOST_SOFTENED else None
            if less is None:
                break
            said = changes(step.config, less.config)
            tried.append(f"{said}: {'; '.join(stepped.report.reasons)}")
            step = less
        return replace(stepped, report=stepped.report.model_copy(update={"softened": tuple(tried)}))

    @staticmethod
    def _less(step: Step) -> Step | None:
        """The step asking for less; None where it is not to, or cannot."""
        if step.on_refusal != "soften":
            return None
        config = softer(step.config, technique(step.technique).softer)
        return None if config is None else step.model_copy(update={step.technique: config})

    def _run(self, number: int, step: Step, told: Told, softened: str) -> Stepped:
        what = f"{step.technique}, softened ({softened.partition(': ')[0]})" if softened else (
            step.technique
        )  # fmt: skip
        told(number, what, 0, 0)
        model = self.latest()
        done = [one for one in self._kept.steps if one.status == "done"]
        before = Before(
            number=number,
            form=self._form,
            given=self._given,
            quality=done[-1].after if done else self._given,
            claims=done[-1].claims if done else {},
            tflite=self._as_file(model) if step.pays else b"",
            verify=self._recipe.verify,
        )
        return run_step(
            step, model, self._data, self.settings, before,
            lambda epoch, epochs: told(number, what, epoch, epochs), measure=self._measure,
        )  # fmt: skip

    def _as_file(self, model: Any) -> bytes:
        return intermediate_file(model, self.settings, self._data, self._recipe.verify)
