"""One run of a recipe, from where its folder says that it is."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tflite_squeeze.conversion.convert import Converted, convert, rejected_path, source_of
from tflite_squeeze.data.data import Data
from tflite_squeeze.data.dividing import set_aside
from tflite_squeeze.doctor.doctor import package_versions
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.errors import CheckFailed, RuntimeFailure
from tflite_squeeze.network.loading import LoadedModel
from tflite_squeeze.packing.pack import pack
from tflite_squeeze.page.render import report_page
from tflite_squeeze.recipes.chain import Chain
from tflite_squeeze.recipes.files import dump_recipe
from tflite_squeeze.recipes.folder import PLAIN, START, RunFolder
from tflite_squeeze.recipes.form import form_of
from tflite_squeeze.recipes.outcome import judged
from tflite_squeeze.recipes.page import squeeze_contents
from tflite_squeeze.recipes.recipe import Recipe
from tflite_squeeze.recipes.report import Baseline, Report, StepReport
from tflite_squeeze.recipes.step import Stepped, intermediate_file
from tflite_squeeze.recipes.tables import squeeze_tables
from tflite_squeeze.runtime.machine import this_machine
from tflite_squeeze.runtime.turns import in_turns
from tflite_squeeze.tables.markdown import to_markdown
from tflite_squeeze.tflite.footprint import footprint, tensor_bytes
from tflite_squeeze.verification.verify import verify, why_unverifiable

RECIPE, REPORT, RECORD, PAGE = "recipe.yaml", "report.md", "report.json", "report.html"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The progress of a run.

    Attributes:
        done: parts that are finished: the baseline, each step, the file.
        parts: how many there are.
        what: the part that runs now.
        epoch: epochs of its training that are done.
        epochs: how many there are; 0 where nothing is trained.
    """

    done: int
    parts: int
    what: str
    epoch: int = 0
    epochs: int = 0


@dataclass(frozen=True, kw_only=True)
class Result:
    """The results of a run.

    Attributes:
        model: the Keras model after the last step that was kept; the bytes of a `.tflite` file
            where one without layers was given.
        tflite: the file; None where a step stopped the run.
        report: the evidence.
        folder: where all of it is; None for a run without a folder.
    """

    model: Any
    tflite: bytes | None
    report: Report
    folder: Path | None

    def _repr_html_(self) -> str:
        return self.report._repr_html_()

    def check(self) -> None:
        """Raises an error where the run does not meet the recipe.

        Raises:
            CheckFailed: a step stopped it, or the file fails a check, a limit or a claim.
        """
        if not self.report.passed:
            where = f": see {self.folder / PAGE}" if self.folder else ""
            raise CheckFailed(
                f"the recipe is not met ({'; '.join(self.report.failures)}){where}{self._passing}"
            )

    @property
    def _passing(self) -> str:
        """Which file may be used all the same."""
        if self.folder is None:
            return ""
        if self.report.passing is None:
            return "; no file of the unchanged model passes its check either"
        path = self.folder / self.report.passing
        return f"; {path}, the unchanged model, passes its check"


class Run:
    """One run, from where its folder says that it is."""

    def __init__(
        self,
        store: RunFolder,
        recipe: Recipe,
        source: LoadedModel,
        data: Data | None,
        told: Callable[[Progress], None] | None,
        *,
        allow_unsafe: bool,
    ) -> None:
        self._store, self._recipe, self._source = store, recipe, source
        self._given = self._data = self._judging = data
        if recipe.set_aside and data is not None:
            parts = set_aside(data)
            self._data, self._judging = parts.choosing, parts.judging
        self._told = told
        self._allow_unsafe = allow_unsafe
        self._form = form_of(source, allow_unsafe=allow_unsafe)
        self._started = time.perf_counter() - store.state.seconds
        store.put(RECIPE, dump_recipe(recipe).encode())

    def finished(self) -> Result:
        """Runs the remaining parts."""
        baseline = self._store.state.baseline or self._measured_baseline()
        if baseline.quantize is not None:
            self._recipe = self._recipe.converted_to(Quantization(baseline.quantize))
        chain = Chain(
            self._recipe, self._source, self._data, self,
            given=baseline.quality, allow_unsafe=self._allow_unsafe,
        )  # fmt: skip
        stopped = chain.finish(self._tell)
        model = chain.latest()
        self._tell(len(self._recipe.steps) + 1, "the file")
        converted = None if stopped else convert(
            model, self._settings, self._data, verification=self._recipe.verify
        )  # fmt: skip
        return self._written(model, converted, baseline)

    @property
    def _settings(self) -> Convert:
        """How the recipe converts; the file has the model's name, not that of a step."""
        settings = self._recipe.convert
        return settings.model_copy(update={"name": settings.name or self._source.name})

    def _tell(self, done: int, what: str, epoch: int = 0, epochs: int = 0) -> None:
        if self._told is not None:
            parts = len(self._recipe.steps) + 2
            self._told(Progress(done=done, parts=parts, what=what, epoch=epoch, epochs=epochs))

    def _write(self, **update: Any) -> None:
        update["seconds"] = time.perf_counter() - self._started
        self._store.write(self._store.state.model_copy(update=update))

    def _measured_baseline(self) -> Baseline:
        self._tell(0, "the model as it is")
        plain = convert(self._source, Convert(name=self._source.name,
                        input_shapes=self._settings.input_shapes), self._data,
                        verification=None).tflite  # fmt: skip
        starts = {
            kind.value: self._as_file(self._source.model, self._recipe.settings_for(kind))
            for kind in self._recipe.types
        }
        times = in_turns(starts) if len(starts) > 1 else {}
        start = starts[min(starts, key=lambda kind: times.get(kind, 0.0))]
        self._store.put(PLAIN, plain)
        self._store.put(START, start)
        baseline = Baseline(
            metric=self._form.metric,
            quality=self._form.quality(self._data),
            plain=footprint(plain),
            start=footprint(start),
            tensors=tensor_bytes(plain),
            choices_us=times,
        )
        self._write(baseline=baseline)
        return baseline

    def _as_file(self, model: Any, settings: Convert) -> bytes:
        settings = settings.model_copy(update={"name": settings.name or self._source.name})
        return intermediate_file(model, settings, self._data, self._recipe.verify)

    @property
    def steps(self) -> tuple[StepReport, ...]:
        """Of the steps that are finished."""
        return self._store.state.steps

    @property
    def latest(self) -> Path | None:
        """The model after the last step that was kept; None where none was."""
        return self._store.latest

    def keep(self, stepped: Stepped) -> None:
        """Keeps what came of a step."""
        report = stepped.report
        if report.status == "done":
            name = step_name(report.number, report.technique, self._form.suffix)
            content = self._form.content(stepped.model)
            self._store.put(name, content)
            sha256 = hashlib.sha256(content).hexdigest()
            report = report.model_copy(update={"model_file": name, "model_sha256": sha256})
        self._write(steps=(*self.steps, report))

    def _written(self, model: Any, converted: Converted | None, baseline: Baseline) -> Result:
        """The report and all that it tells of, on disk; the report last."""
        outcome, packed = None, None
        if converted is not None:
            packed = pack(converted.tflite) if self._recipe.pack else None
            files = {name: self._store.read(name) for name in (PLAIN, START)}
            steps = self._store.state.steps
            outcome = judged(
                self._recipe, self._source, self._form, model, converted, self._judging, steps,
                files, packed,
            )  # fmt: skip
        report = Report(
            recipe=self._recipe.model_dump(mode="json"),
            model=source_of(self._source),
            data={} if self._given is None else self._given.describe(),
            notes=self._source.notes,
            machine=this_machine(),
            packages=package_versions(),
            baseline=baseline,
            steps=self._store.state.steps,
            outcome=outcome,
            seconds=time.perf_counter() - self._started,
        )
        if not report.passed:
            report = report.model_copy(update={"passing": self._passing()})
        if converted is not None:
            self._write_file(converted.tflite, packed, passed=report.passed)
        self._store.put(REPORT, to_markdown(squeeze_tables(report)).encode())
        self._store.put(PAGE, report_page(squeeze_contents(report)))
        self._store.put(RECORD, (report.model_dump_json(indent=2) + "\n").encode())
        return Result(
            model=model,
            tflite=None if converted is None else converted.tflite,
            report=report,
            folder=self._store.folder,
        )

    def _passing(self) -> str | None:
        """The file of the unchanged model that passes its check: as converted, or in float32."""
        for name, kind in ((START, self._recipe.convert.quantize), (PLAIN, Quantization.NONE)):
            tflite = self._store.read(name)
            if why_unverifiable(tflite):
                continue
            try:
                found = verify(
                    self._source, tflite, self._data, self._recipe.verify, quantization=kind
                )
            except RuntimeFailure:
                continue
            if found.passed:
                return name
        return None

    def _write_file(self, tflite: bytes, packed: bytes | None, *, passed: bool) -> None:
        """The file; by the names of a rejected one where anything was not met."""
        good, rejected = file_names(self._source.name)
        for name, content in zip(good if passed else rejected, (tflite, packed), strict=True):
            if content is not None:
                self._store.put(name, content)
        for name in rejected if passed else good:
            self._store.remove(name)


def file_names(name: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """What the file and its packed form are called: where all is met, and where it is not.

    Example:
        >>> file_names("net")[1]
        ('net.rejected.tflite', 'net.rejected.tflite.sqz')
    """
    good = f"{name}.tflite"
    rejected = rejected_path(Path(good)).name
    return (good, f"{good}.sqz"), (rejected, f"{rejected}.sqz")


def written_names(recipe: Recipe, name: str, suffix: str) -> list[str]:
    """Every file that a run of a recipe may write into its folder.

    Args:
        recipe: the resolved recipe.
        name: of the model.
        suffix: of the files of steps.
    """
    steps = [step_name(at, step.technique, suffix) for at, step in enumerate(recipe.steps, start=1)]
    good, rejected = file_names(name)
    fixed = (RECIPE, PLAIN, START, REPORT, PAGE, RECORD)
    return [*fixed, *steps, *good, *rejected]


def step_name(number: int, technique: str, suffix: str) -> str:
    """What the model after a step is called."""
    return f"step_{number}_{technique}{suffix}"
