"""Runs a recipe: a Keras model in, a folder with the small file and all the evidence out."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tflite_squeeze import flavors
from tflite_squeeze.compress.keras_variables import copy_of
from tflite_squeeze.compress.quality import metric_name, validation_quality
from tflite_squeeze.convert.config import Convert
from tflite_squeeze.errors import CheckFailed, UsageError
from tflite_squeeze.io.data import Data, load_data
from tflite_squeeze.io.models import LoadedModel, ModelKind, load_model
from tflite_squeeze.io.save import quietly
from tflite_squeeze.measure.doctor import package_versions
from tflite_squeeze.measure.footprint import footprint, tensor_bytes
from tflite_squeeze.measure.machine import this_machine
from tflite_squeeze.pipeline.convert import Converted, convert, rejected_path, source_of
from tflite_squeeze.pipeline.fingerprint import data_sha256, recipe_sha256
from tflite_squeeze.pipeline.outcome import judged
from tflite_squeeze.pipeline.recipe import Recipe
from tflite_squeeze.pipeline.recipe_file import dump_recipe, load_recipe
from tflite_squeeze.pipeline.run_folder import PLAIN, START, RunFolder, RunState
from tflite_squeeze.pipeline.run_step import Before, run_step
from tflite_squeeze.report.markdown import to_markdown
from tflite_squeeze.report.squeeze_plots import steps_plot, tensors_plot
from tflite_squeeze.report.squeeze_report import Baseline, Report
from tflite_squeeze.report.squeeze_tables import squeeze_tables


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

    def check(self) -> None:
        """Complains where the run does not meet what the recipe asks.

        Raises:
            CheckFailed: a step stopped it, or the file fails a check, a limit or a claim.
        """
        if not self.report.passed:
            where = f": see {self.folder / 'report.md'}" if self.folder else ""
            raise CheckFailed(f"the recipe is not met ({'; '.join(self.report.failures)}){where}")


def squeeze(
    model: Any,
    recipe: Any,
    data: Any = None,
    folder: str | Path | None = None,
    *,
    seed: int | None = None,
    resume: bool = False,
    force: bool = False,
    allow_unsafe: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> Result:
    """Runs a recipe on a model.

    Args:
        model: a Keras model of either flavour, or a path to one.
        recipe: a `Recipe`, a YAML file, or the name of one that ships.
        data: `Data` or anything that `load_data` takes.
        folder: where the models, the file, the report and the plots go; None keeps none of them.
        seed: takes the place of the recipe's.
        resume: go on where an interrupted run of the same recipe, model and data ended. What it
            makes equals, byte for byte, what it would have made uninterrupted.
        force: begin anew where the folder holds files.
        allow_unsafe: whether Lambda layers may bring Python code out of model files.
        on_progress: told how far the run is.

    Returns:
        The model, the file and the report, whether the limits are met or not: see `Result.check`.

    Raises:
        UsageError: the model, the recipe and the data do not go together.
        InputError: one of them cannot be read.
        OutputError: the folder cannot be used.

    Example:
        >>> result = squeeze("models/lenet_5.keras", "small-download", "fashion-mnist", "small")
        >>> result.report.outcome.file.download_bytes
        23441
    """
    chosen = load_recipe(recipe).resolved(seed)
    source = load_model(model, allow_unsafe=allow_unsafe)
    if source.kind not in (ModelKind.KERAS, ModelKind.TF_KERAS):
        raise UsageError(f"a recipe needs a Keras model; {source.name} is a {source.kind.value}")
    samples = None
    if data is not None:
        samples = load_data(data).fitted_to(flavors.input_specs(source.model))
    _refuse(chosen, samples)
    if folder is None and resume:
        raise UsageError("resume needs the folder of the run that was interrupted: pass folder")
    with tempfile.TemporaryDirectory(prefix="tflite_squeeze_") as scratch, quietly():
        fresh = RunState(
            recipe=recipe_sha256(chosen), model=source.sha256, data=data_sha256(samples)
        )
        where = Path(scratch) / "run" if folder is None else Path(folder)
        store = RunFolder(where, fresh, resume=resume, force=force)
        run = _Run(store, chosen, source, samples, on_progress, allow_unsafe=allow_unsafe)
        result = run.finished()
    return result if folder is not None else Result(**{**vars(result), "folder": None})


def _refuse(recipe: Recipe, data: Data | None) -> None:
    """Refuses what cannot end well, before anything runs."""
    calibrates = recipe.convert.quantize.calibrates
    if data is None and calibrates:
        raise UsageError(
            f"recipe {recipe.name} quantizes to {recipe.convert.quantize.value}, which is "
            f"calibrated on real samples: pass data"
        )
    if recipe.limits.max_drop is not None and (data is None or not data.labelled):
        raise UsageError(
            f"recipe {recipe.name} limits the loss of accuracy: pass labelled data, or take "
            f"limits.max_drop out"
        )


class _Run:
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
        start = self._as_file(self._source.model)
        self._store.put(PLAIN, plain)
        self._store.put(START, start)
        baseline = Baseline(
            metric=metric_name(self._source.model),
            quality=validation_quality(self._source.model, self._data),
            plain=footprint(plain),
            start=footprint(start),
            tensors=tensor_bytes(plain),
        )
        self._write(baseline=baseline)
        return baseline

    def _as_file(self, model: Any) -> bytes:
        return convert(model, self._settings, self._data, verification=None).tflite

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
        """The report and all that it tells of, on disk."""
        steps = self._store.state.steps
        outcome = None
        if converted is not None:
            files = {name: self._store.read(name) for name in (PLAIN, START)}
            outcome = judged(self._recipe, self._source, model, converted, self._data, steps, files)
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
        if converted is not None:
            path = self._store.folder / f"{self._source.name}.tflite"
            passed, failed = (path, rejected_path(path))
            if not converted.record.passed:
                passed, failed = failed, passed
            self._store.put(passed.name, converted.tflite)
            failed.unlink(missing_ok=True)
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
