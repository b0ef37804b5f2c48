"""Data in one form for the whole package: preprocessed tf.data by part, whatever its source."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from tflite_squeeze.data.fitting import fitted_plans
from tflite_squeeze.data.prepare import InputPlan, prepared
from tflite_squeeze.data.preprocessing import Preprocessing
from tflite_squeeze.data.raw_data import RawData, RawPart, reading
from tflite_squeeze.data.sources import open_source
from tflite_squeeze.errors import InputError, UsageError

Part = Literal["train", "validation", "calibration"]
_BATCH = 256


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Some preprocessed examples in memory.

    Attributes:
        inputs: by input name, each of shape (examples, ...).
        labels: shape (examples, ...), by output name for several outputs, None without labels.
    """

    inputs: dict[str, NDArray[Any]]
    labels: NDArray[Any] | dict[str, NDArray[Any]] | None

    @property
    def count(self) -> int:
        """How many examples there are."""
        return len(next(iter(self.inputs.values())))


@dataclass(frozen=True, kw_only=True)
class Data:
    """A data set that is preprocessed and, after `fitted_to`, as one model takes it.

    Attributes:
        train: unbatched dicts of inputs by name, or (dict, labels); None without such a part.
        validation: what accuracy is measured on, in the same form.
        calibration: what activation ranges are calibrated on, in the same form.
        labelled: whether the examples (but for `calibration`) carry labels.
        class_names: a name per class id, or empty.
        spec: one example's inputs by name, without a batch axis.
        preprocessing: what was done to the raw values, once.
        source: what the user gave.
        notes: what was decided on the way.
        raw: the source before preprocessing.
        plans: what happens to each input.
    """

    train: tf.data.Dataset | None
    validation: tf.data.Dataset | None
    calibration: tf.data.Dataset
    labelled: bool
    class_names: tuple[str, ...]
    spec: dict[str, tf.TensorSpec]
    preprocessing: Preprocessing
    source: str
    notes: tuple[str, ...]
    raw: RawData = field(repr=False)
    plans: tuple[InputPlan, ...] = field(repr=False)

    def describe(self) -> dict[str, Any]:
        """What a report says about the data; plain values that JSON can hold."""
        parts = {"train": self.raw.train, "validation": self.raw.validation}
        return {
            "source": self.source,
            "examples": {name: part.count for name, part in parts.items() if part is not None},
            "inputs": {
                name: {"shape": list(spec.shape), "dtype": spec.dtype.name}
                for name, spec in self.spec.items()
            },
            "labelled": self.labelled,
            "class_names": list(self.class_names),
            "preprocessing": self.preprocessing.model_dump(mode="json", exclude_defaults=True),
            "notes": list(self.notes),
        }

    def sample(self, part: Part, count: int | None) -> Sample:
        """Reads examples into memory.

        Args:
            part: from which part.
            count: how many; evenly spread over a part that can be read in any order, the first
                ones of a stream. None means all; fewer come where there are fewer.

        Raises:
            UsageError: the part is not there, or has no end and no count was given.
            InputError: an example cannot be read, or holds NaN.

        Example:
            >>> load_data(np.zeros((4, 2))).sample("train", 3).inputs["x"].shape
            (3, 2)
        """
        batches = list(self._batches(part, count, _BATCH))
        inputs = {
            name: np.concatenate([batch.inputs[name] for batch in batches]) for name in self.spec
        }
        labels = [batch.labels for batch in batches]
        if labels[0] is None:
            return Sample(inputs=inputs, labels=None)
        joined = tf.nest.map_structure(lambda *arrays: np.concatenate(arrays), *labels)
        return Sample(inputs=inputs, labels=joined)

    def calibration_batches(self, count: int, batch: int) -> Iterator[dict[str, NDArray[Any]]]:
        """Reads inputs to calibrate on, batch by batch; the last batch may be smaller.

        Args:
            count: how many examples at most.
            batch: how many at a time.

        Yields:
            Inputs by name, each of shape (batch, ...).

        Raises:
            InputError: an example cannot be read, or holds NaN.
        """
        for some in self._batches("calibration", count, batch):
            yield some.inputs

    def fitted_to(self, inputs: Mapping[str, tf.TensorSpec]) -> "Data":
        """The same data under a model's input names, shapes and dtypes.

        Args:
            inputs: the model's inputs by name, batch axis first.

        Returns:
            Data whose images are decoded to the model's size and channels, whose single input
            has the model's name, and whose integers are cast to the model's float dtype. A
            channel axis of size 1 is added or dropped where that alone differs.

        Raises:
            InputError: the data does not fit; the message names both shapes.
        """
        plans, notes = fitted_plans(self.raw, self.preprocessing, inputs)
        # Notes of an earlier fit are not carried over: this one starts from the raw data again.
        notes = (*self.raw.notes, *notes)
        if (plans, notes) == (self.plans, self.notes):
            return self
        return _built(self.raw, plans, self.preprocessing, notes)

    def with_parts(
        self, *, validation: RawPart, calibration: RawPart, train: RawPart | None = None
    ) -> "Data":
        """The same data with other examples as its parts, in the form of those that it has.

        Args:
            validation: what accuracy is measured on.
            calibration: what ranges are calibrated on.
            train: what is trained on; None for what it was.
        """
        raw = replace(
            self.raw,
            validation=validation,
            calibration=calibration,
            train=self.raw.train if train is None else train,
        )
        return _built(raw, self.plans, self.preprocessing, self.notes)

    def _batches(self, part: Part, count: int | None, batch: int) -> Iterator[Sample]:
        raw: RawPart | None = getattr(self.raw, part)
        if raw is None:
            raise UsageError(f"data {self.source} has no {part} part: give one that has it")
        if count is not None and count < 1:
            raise UsageError(f"count is {count}: ask for at least one example")
        if count is None and getattr(self, part).cardinality() == tf.data.INFINITE_CARDINALITY:
            raise UsageError(f"data {self.source} has no end: say how many examples to read")
        dataset = prepared(raw.spread(count), self.plans, self.preprocessing)
        empty = True
        with reading(self.source, raw):
            for element in _batched(dataset, batch):
                empty = False
                inputs, labels = element if raw.labelled else (element, None)
                _refuse_nan(inputs, self.source)
                yield Sample(inputs=inputs, labels=labels)
        if empty:
            raise InputError(f"data {self.source} is empty: give at least one example")


def load_data(
    source: Any,
    *,
    preprocessing: Preprocessing | None = None,
    features: str | Path | None = None,
) -> Data:
    """Opens data of any kind and preprocesses it.

    Args:
        source: a path to an .npz file, a TFRecord file, folder or glob, a folder of images by
            class; `fashion-mnist`, `mnist` or `watch`; `package.module:function`; or a Python
            object: arrays, (x, y), a dict of arrays, an unbatched `tf.data.Dataset`, a generator
            function, `Data` itself.
        preprocessing: what the model was trained with; the data's own by default.
        features: for TFRecord, the specification: a YAML or JSON file, or inline text such as
            `image:bytes:png,label:int64`.

    Returns:
        The data. Files of up to 256 MiB of arrays are held in memory, larger ones mapped; other
        files are streamed.

    Raises:
        InputError: it cannot be read, is empty, or contradicts itself.

    Example:
        >>> load_data((np.zeros((4, 2)), np.arange(4))).labelled
        True
    """
    if isinstance(source, Data):
        if preprocessing is None:
            return source
        raw, known = source.raw, source.raw.preprocessing
    else:
        raw = open_source(source, features)
        known = raw.preprocessing
    if preprocessing is not None and known not in (None, preprocessing):
        note = "the preprocessing that was passed replaces the data's own"
        raw = replace(raw, notes=tuple(dict.fromkeys((*raw.notes, note))))
    chosen = preprocessing or known or Preprocessing()
    _refuse_unknown_inputs(chosen, raw)
    data = _built(raw, _unfitted_plans(raw, chosen), chosen, raw.notes)
    _check_first(data)
    return data


def _unfitted_plans(raw: RawData, preprocessing: Preprocessing) -> tuple[InputPlan, ...]:
    """Each input under its own name, before any model is known."""
    return tuple(
        InputPlan(
            source=name,
            name=name,
            encoded=name in raw.images,
            image_size=preprocessing.image_size if name in raw.images else None,
            color=preprocessing.color if name in raw.images else None,
        )
        for name in raw.validation.input_specs
    )


def _refuse_unknown_inputs(preprocessing: Preprocessing, raw: RawData) -> None:
    unknown = sorted(set(preprocessing.inputs) - set(raw.validation.input_specs))
    if unknown:
        raise InputError(
            f"preprocessing is for input {unknown[0]!r}, but data {raw.source} has "
            f"{sorted(raw.validation.input_specs)}: use one of these names"
        )


def _built(
    raw: RawData, plans: tuple[InputPlan, ...], preprocessing: Preprocessing, notes: tuple[str, ...]
) -> Data:
    def ready(part: RawPart) -> tf.data.Dataset:
        return prepared(part.dataset, plans, preprocessing)

    validation = ready(raw.validation)
    spec = validation.element_spec
    return Data(
        train=None if raw.train is None else ready(raw.train),
        validation=validation,
        calibration=ready(raw.calibration),
        labelled=raw.validation.labelled,
        class_names=raw.class_names,
        spec=dict(spec[0] if isinstance(spec, tuple) else spec),
        preprocessing=preprocessing,
        source=raw.source,
        notes=notes,
        raw=raw,
        plans=plans,
    )


def _check_first(data: Data) -> None:
    """Reads one example of each part, so that unusable data is refused before any work."""
    names: tuple[Part, ...] = ("calibration", "validation", "train")
    parts = {id(getattr(data.raw, name)): name for name in names if getattr(data.raw, name)}
    for part in parts.values():
        data.sample(part, 1)


def _batched(dataset: tf.data.Dataset, batch: int) -> Iterator[Any]:
    """NumPy batches; examples of different shapes are refused by name."""
    try:
        yield from dataset.batch(batch).as_numpy_iterator()
    except tf.errors.InvalidArgumentError as error:
        if "batch" not in error.message or "hapes" not in error.message:
            raise
        raise InputError(
            "examples have different shapes: resize images with --image-size HxW, or give "
            "examples of one shape"
        ) from error


def _refuse_nan(inputs: dict[str, NDArray[Any]], source: str) -> None:
    for name, values in inputs.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise InputError(
                f"data {source}: input {name!r} has NaN or infinite values: remove or repair those "
                f"examples"
            )
