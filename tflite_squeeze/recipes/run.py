"""One run of a recipe, from where its folder says that it is."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tflite_squeeze.conversion.convert import Converted, convert, rejected_path, source_of
from tflite_squeeze.data.data import Data
from tflite_squeeze.doctor.doctor import package_versions
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.errors import CheckFailed
from tflite_squeeze.network.loading import LoadedModel, load_model
from tflite_squeeze.network.variables import copy_of
from tflite_squeeze.packing.pack import pack
from tflite_squeeze.recipes.files import dump_recipe
from tflite_squeeze.recipes.folder import PLAIN, START, RunFolder
from tflite_squeeze.recipes.outcome import judged
from tflite_squeeze.recipes.plots import steps_plot, tensors_plot
from tflite_squeeze.recipes.recipe import Recipe
from tflite_squeeze.recipes.report import Baseline, Report
from tflite_squeeze.recipes.step import Before, run_step
from tflite_squeeze.recipes.tables import squeeze_tables
from tflite_squeeze.runtime.machine import this_machine
from tflite_squeeze.runtime.turns import in_turns
from tflite_squeeze.tables.markdown import to_markdown
from tflite_squeeze.tflite.footprint import footprint, tensor_bytes
from tflite_squeeze.training.quality import metric_name, validation_quality


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run is.

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
    """What a run made.

    Attributes:
        model: the Keras model after the last step that was kept.
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
        """Complains where the run does not meet what the recipe asks.

        Raises:
            CheckFailed: a step stopped it, or the file fails a check, a limit or a claim.
        """
        if not self.report.passed:
            where = f": see {self.folder / 'report.md'}" if self.folder else ""
            raise CheckFailed(f"the recipe is not met ({'; '.join(self.report.failures)}){where}")


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
        self._store, self._recipe, self._source, self._data = store, recipe, source, data
        self._told = told
        self._allow_unsafe = allow_unsafe
        self._started = time.perf_counter() - store.state.seconds
        store.put("recipe.yaml", dump_recipe(recipe).encode())

    def finished(self) -> Result:
        """Does what is left to do."""
        baseline = self._store.state.baseline or self._measured_baseline()
        if baseline.quantize is not None:
            self._recipe = self._recipe.converted_to(Quantization(baseline.quantize))
        steps = self._store.state.steps
        stopped = any(step.status == "stopped" for step in steps)
        for number in range(len(steps) + 1, len(self._recipe.steps) + 1):
            if stopped:
                break
            stopped = self._step(number, baseline)
        model = self._latest()
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
            kind.value: self._as_file(self._source.model, quantize=kind)
            for kind in self._recipe.types
        }
        times = in_turns(starts) if len(starts) > 1 else {}
        start = starts[min(starts, key=lambda kind: times.get(kind, 0.0))]
        self._store.put(PLAIN, plain)
        self._store.put(START, start)
        baseline = Baseline(
            metric=metric_name(self._source.model),
            quality=validation_quality(self._source.model, self._data),
            plain=footprint(plain),
            start=footprint(start),
            tensors=tensor_bytes(plain),
            choices_us=times,
        )
        self._write(baseline=baseline)
        return baseline

    def _as_file(self, model: Any, **changed: Any) -> bytes:
        settings = self._settings.model_copy(update=changed)
        return convert(model, settings, self._data, verification=None).tflite

    def _latest(self) -> Any:
        """The model so far, from its file: whether the run was interrupted makes no difference."""
        path = self._store.latest
        if path is None:
            return copy_of(self._source.model)
        found = load_model(path, allow_unsafe=self._allow_unsafe).model
        loss = getattr(self._source.model, "loss", None)
        if loss is not None:
            found.compile(loss=loss)
        return found

    def _step(self, number: int, baseline: Baseline) -> bool:
        """Runs a step and keeps what came of it; whether it stopped the run."""
        step = self._recipe.steps[number - 1]
        self._tell(number, step.technique)
        earlier = self._store.state.steps
        kept = [one for one in earlier if one.status == "done"]
        model = self._latest()
        before = Before(
            number=number,
            original=self._source.model,
            given=baseline.quality,
            quality=kept[-1].after if kept else baseline.quality,
            claims=kept[-1].claims if kept else {},
            tflite=self._as_file(model) if step.pays else b"",
        )
        stepped = run_step(
            step, model, self._data, self._settings, before,
            lambda epoch, epochs: self._tell(number, step.technique, epoch, epochs),
        )  # fmt: skip
        report = stepped.report
        if report.status == "done":
            name = f"step_{number}_{step.technique}.keras"
            sha256 = self._store.save(stepped.model, name)
            report = report.model_copy(update={"model_file": name, "model_sha256": sha256})
        self._write(steps=(*earlier, report))
        return report.status == "stopped"

    def _written(self, model: Any, converted: Converted | None, baseline: Baseline) -> Result:
        """The report and all that it tells of, on disk; the report last."""
        steps = self._store.state.steps
        outcome = None
        if converted is not None:
            packed = pack(converted.tflite) if self._recipe.pack else None
            files = {name: self._store.read(name) for name in (PLAIN, START)}
            outcome = judged(
                self._recipe, self._source, model, converted, self._data, steps, files, packed
            )
            self._write_file(converted, packed)
        report = Report(
            recipe=self._recipe.model_dump(mode="json"),
            model=source_of(self._source),
            data={} if self._data is None else self._data.describe(),
            machine=this_machine(),
            packages=package_versions(),
            baseline=baseline,
            steps=steps,
            outcome=outcome,
            seconds=time.perf_counter() - self._started,
        )
        if outcome is not None:
            self._store.put("tensors.png", tensors_plot(report))
        self._store.put("steps.png", steps_plot(report))
        self._store.put("report.md", to_markdown(squeeze_tables(report)).encode())
        self._store.put("report.json", (report.model_dump_json(indent=2) + "\n").encode())
        return Result(
            model=model,
            tflite=None if converted is None else converted.tflite,
            report=report,
            folder=self._store.folder,
        )

    def _write_file(self, converted: Converted, packed: bytes | None) -> None:
        """The file; under another name where it failed its check against the model."""
        path = self._store.folder / f"{self._source.name}.tflite"
        named, other = path, rejected_path(path)
        if not converted.record.passed:
            named, other = other, named
        self._store.put(named.name, converted.tflite)
        other.unlink(missing_ok=True)
        if packed is not None:
            self._store.put(f"{path.name}.sqz", packed)
