"""Sensitivity curves of a model, kept in a folder so that a stopped run goes on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tflite_squeeze.arguments import checked_arguments
from tflite_squeeze.errors import InputError, OutputError, UsageError
from tflite_squeeze.files.files import read_file, write_atomically
from tflite_squeeze.network.loading import LoadedModel, load_model
from tflite_squeeze.network.weights import Target, select
from tflite_squeeze.rebuilding.layers import with_layers
from tflite_squeeze.tables.markdown import to_markdown
from tflite_squeeze.techniques.pruning.masks import parse_granularity
from tflite_squeeze.techniques.pruning.sensitivity.curves import SPARSITIES, measure_curves
from tflite_squeeze.techniques.pruning.sensitivity.record import Curve, SensitivityRecord
from tflite_squeeze.techniques.pruning.sensitivity.tables import (
    sensitivity_plot,
    sensitivity_tables,
)
from tflite_squeeze.training.fitted import fitted
from tflite_squeeze.training.quality import metric_name, quality

Progress = Callable[[int, int], None]


@checked_arguments
def sensitivity(
    model: Any,
    data: Any,
    folder: str | Path,
    *,
    granularity: str = "element",
    samples: int | None = 1000,
    force: bool = False,
    on_progress: Progress | None = None,
) -> SensitivityRecord:
    """Measures quality against sparsity, weight by weight, without training.

    Args:
        model: a Keras model of either version, a path to one, or a `LoadedModel`.
        data: labelled data: `Data` or anything that `load_data` takes.
        folder: where sensitivity.json, .md and .png go. Points that are in it already, of the same
            model, samples and granularity, are not measured again.
        granularity: what is zeroed as one.
        samples: examples of the validation part per point; None for all.
        force: whether results of another model in the folder may be replaced.
        on_progress: called with the number of points done and of all.

    Returns:
        The curves.

    Raises:
        OutputError: the folder holds results of something else.
        UsageError: it is no Keras model, has no weights to prune, or the data has no labels.

    Example:
        >>> sensitivity("models/lenet_5.keras", "fashion-mnist", "curves").metric
        'accuracy'
    """
    _check_granularity(granularity)
    source = with_layers(load_model(model))
    selection = select(source.model)
    if not selection.targets:
        raise UsageError(f"model {source.name} has no weight that can be pruned")
    data = fitted(source.model, data)
    if not data.labelled:
        raise UsageError(f"data {data.source} has no labels to measure quality by: pass labels")
    sample = data.sample("validation", samples)
    empty = SensitivityRecord(
        model=source.name,
        sha256=source.sha256,
        metric=metric_name(source.model),
        whole=quality(source.model, sample.inputs, sample.labels),
        granularity=granularity,
        samples=sample.count,
        data=data.source,
        sizes={target.name: target.size for target in selection.targets},
        points={},
        complete=False,
    )
    store = _Store(Path(folder), empty, force=force, on_progress=on_progress)
    measure_curves(
        source.model,
        data,
        selection,
        granularity=granularity,
        samples=samples,
        known={name: dict(points) for name, points in store.record.points.items()},
        on_point=store.add,
    )
    return store.finished()


def _check_granularity(text: str) -> None:
    try:
        parse_granularity(text)
    except ValueError as error:
        raise UsageError(str(error)) from error


class _Store:
    """The points so far, in memory and on disk."""

    def __init__(
        self,
        folder: Path,
        empty: SensitivityRecord,
        *,
        force: bool,
        on_progress: Progress | None,
    ) -> None:
        self._folder = folder
        self._told = on_progress
        self._total = len(empty.sizes) * len(SPARSITIES)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"cannot make folder {folder} ({error.strerror}): name another"
            ) from error
        self.record = self._resumed(empty, force=force)
        self._tell()

    def _resumed(self, empty: SensitivityRecord, *, force: bool) -> SensitivityRecord:
        path = self._folder / "sensitivity.json"
        if not path.exists() or force:
            return empty
        try:
            found = SensitivityRecord.model_validate_json(read_file(path, "record"))
        except ValidationError as error:
            raise InputError(
                f"{path} is not a record of sensitivity: pass --force, or name another folder"
            ) from error
        same = {"points", "complete", "whole"}
        if found.model_dump(exclude=same) != empty.model_dump(exclude=same):
            raise OutputError(
                f"{path} holds results of another model, data or granularity: pass --force to "
                f"replace them, or name another folder"
            )
        return found

    def _tell(self) -> None:
        if self._told is not None:
            done = sum(len(points) for points in self.record.points.values())
            self._told(done, self._total)

    def add(self, target: Target, sparsity: float, value: float) -> None:
        """Keeps a point; what was measured is on disk when the run is stopped."""
        points = dict(self.record.points)
        points[target.name] = (*points.get(target.name, ()), (sparsity, value))
        self._write(self.record.model_copy(update={"points": points}))
        self._tell()

    def finished(self) -> SensitivityRecord:
        """Marks the record as complete and draws it."""
        self._write(self.record.model_copy(update={"complete": True}))
        text = to_markdown(sensitivity_tables(self.record))
        write_atomically(self._folder / "sensitivity.md", text.encode(), force=True)
        plot = sensitivity_plot(self.record)
        write_atomically(self._folder / "sensitivity.png", plot, force=True)
        return self.record

    def _write(self, record: SensitivityRecord) -> None:
        self.record = record
        text = record.model_dump_json(indent=2) + "\n"
        write_atomically(self._folder / "sensitivity.json", text.encode(), force=True)


def load_curves(
    source: LoadedModel, path: Path, *, granularity: str = "element"
) -> dict[str, Curve]:
    """Reads measured curves of a model for the budget "sensitivity".

    Args:
        source: the model that they must be of.
        path: a sensitivity.json.
        granularity: what will be zeroed as one; it must be what was.

    Returns:
        (sparsity, loss of quality) by weight.

    Raises:
        InputError: it is not such a file, of another model or granularity, or not complete.

    Example:
        >>> curves = load_curves(load_model("net.keras"), Path("curves/sensitivity.json"))
        >>> prune(model, Prune(sparsity=0.9, budget="sensitivity"), curves=curves)
    """
    content = read_file(path, "curves")
    try:
        record = SensitivityRecord.model_validate_json(content)
    except ValidationError as error:
        raise InputError(
            f"{path} is not a record of sensitivity: make one with tflite-squeeze sensitivity"
        ) from error
    if record.sha256 != source.sha256:
        raise InputError(
            f"{path} belongs to another model than {source.name}: run sensitivity for this one"
        )
    if not record.complete:
        raise InputError(
            f"{path} is not complete: run sensitivity again, which continues from there"
        )
    if record.granularity != granularity:
        raise InputError(
            f"{path} was measured with granularity {record.granularity}, not {granularity}: run "
            f"sensitivity with --granularity {granularity}"
        )
    return record.losses()
