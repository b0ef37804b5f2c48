"""What a run works on: the layers of a Keras model, or the weights of a `.tflite` file alone."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import keras
import tensorflow as tf

from tflite_squeeze.conversion.in_file import in_file
from tflite_squeeze.data.data import Data, load_data
from tflite_squeeze.emission.endpoints import inputs_of
from tflite_squeeze.emission.from_file.weights import widened
from tflite_squeeze.errors import UnsupportedError, UsageError
from tflite_squeeze.network.loading import LoadedModel, ModelKind, load_model
from tflite_squeeze.network.projections import zeros_held
from tflite_squeeze.network.rewriting import compile_alike, copy_of
from tflite_squeeze.network.save import saved_bytes
from tflite_squeeze.rebuilding.weights_alone import kernels_of, weights_model
from tflite_squeeze.recipes.claims import held_zeros
from tflite_squeeze.recipes.recipe import Step
from tflite_squeeze.techniques.claimed import Claimed
from tflite_squeeze.techniques.registry import technique, techniques
from tflite_squeeze.tflite.signatures import signatures_of
from tflite_squeeze.training.callback import TargetNotReached
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.fitted import check_class_ids, fitted
from tflite_squeeze.training.judging import Judge
from tflite_squeeze.training.objective import objective_of
from tflite_squeeze.training.quality import metric_name, validation_quality
from tflite_squeeze.training.step_run import RunContext, Told
from tflite_squeeze.verification.verify import verify


class Form(Protocol):
    """How a model is opened, changed, judged and kept.

    Attributes:
        suffix: of the files of steps.
        metric: what quality is measured by.
        typed: whether the type of each weight in the result is known from how it is converted.
    """

    suffix: str
    typed: bool

    @property
    def metric(self) -> str: ...  # noqa: D102  # an attribute, see above

    @property
    def output_shapes(self) -> list[tuple[Any, ...]]: ...  # noqa: D102  # batch first

    def opened(self, path: Path | None) -> Any:
        """The model of a step, or a copy of the one that was given."""

    def content(self, model: Any) -> bytes:
        """What is kept of a step."""

    def fitted(self, data: Any) -> Data:
        """Data as the model takes it; labels that are none of its classes are refused."""

    def weights(self, model: Any) -> Any:
        """A Keras model of the weights of which something may be claimed."""

    def quality(self, data: Data | None) -> float | None:
        """Of the model that was given; None without labels."""

    def labels(self, data: Data) -> Any:
        """The labels of the validation part."""

    def agreement(self, model: Any, data: Data) -> float | None:
        """How often the model that was given predicts the same class; None without classes."""

    def applied(
        self,
        step: Step,
        model: Any,
        data: Data | None,
        claims: Mapping[str, Claimed],
        told: Told | None,
    ) -> Any:
        """The technique's own (model, record); zeros of earlier steps stay."""


def form_of(source: LoadedModel, *, allow_unsafe: bool = False) -> Form:
    """How the model is handled that a run was given.

    Args:
        source: a Keras model, or a `.tflite` file.
        allow_unsafe: whether Lambda layers may bring Python code out of model files.
    """
    if source.kind is ModelKind.TFLITE:
        return _File(source)
    return _Layers(source, allow_unsafe=allow_unsafe)


class _Layers:
    """A Keras model."""

    suffix, typed = ".keras", True

    def __init__(self, source: LoadedModel, *, allow_unsafe: bool) -> None:
        self._given, self._allow_unsafe = source.model, allow_unsafe

    @property
    def metric(self) -> str:
        return metric_name(self._given)

    @property
    def output_shapes(self) -> list[tuple[Any, ...]]:
        return [tuple(one.shape) for one in self._given.outputs]

    def opened(self, path: Path | None) -> Any:
        if path is None:
            return copy_of(self._given)
        found = load_model(path, allow_unsafe=self._allow_unsafe).model
        compile_alike(self._given, found)
        return found

    def content(self, model: Any) -> bytes:
        return saved_bytes(model)

    def fitted(self, data: Any) -> Data:
        return fitted(self._given, data)

    def weights(self, model: Any) -> Any:
        return model

    def quality(self, data: Data | None) -> float | None:
        return validation_quality(self._given, data)

    def labels(self, data: Data) -> Any:
        (labels,) = objective_of(self._given).split(data.sample("validation", None).labels)
        return labels

    def agreement(self, model: Any, data: Data) -> float | None:
        return Judge(self._given, data).verdict(model).agreement

    def applied(
        self,
        step: Step,
        model: Any,
        data: Data | None,
        claims: Mapping[str, Claimed],
        told: Told | None,
    ) -> Any:
        applied = technique(step.technique)
        if applied.trains and data is None:
            raise UsageError(f"{applied.name} trains on samples: pass data")
        once = {"one_shot": True} if step.finetune is False else {}
        training: FineTune | None = step.finetune or None
        context = RunContext(original=self._given, told=told, owned=True)
        with zeros_held(held_zeros(claims, model)), warnings.catch_warnings():
            warnings.simplefilter("ignore", TargetNotReached)  # the reasons say so
            return applied.part("step")(model, step.config, data, training, context=context, **once)


class _File:
    """A `.tflite` file of floats, as bytes: its weights change at once, and nothing is trained."""

    suffix, metric = ".tflite", "accuracy"
    typed = False  # what a branch reads, for one, stays in float

    def __init__(self, source: LoadedModel) -> None:
        self._given = source

    @property
    def output_shapes(self) -> list[tuple[Any, ...]]:
        return list(signatures_of(self._given.model)[0].outputs.values())

    def opened(self, path: Path | None) -> bytes:
        content: bytes = self._given.model
        return content if path is None else path.read_bytes()

    def content(self, model: bytes) -> bytes:
        return model

    def fitted(self, data: Any) -> Data:
        samples = load_data(data).fitted_to(inputs_of(self._given))
        shapes = self.output_shapes
        if len(shapes) == 1 and len(shapes[0]) == 2 and shapes[0][1] > 1:
            check_class_ids(samples, shapes[0][1])
        return samples

    def weights(self, model: bytes) -> Any:
        kernels = kernels_of(widened(model)[0])
        return weights_model(kernels, self._given.name) if kernels else keras.Sequential()

    def quality(self, data: Data | None) -> float | None:
        if data is None or not data.labelled:
            return None
        found = verify(self._given, self._given.model, data).outputs[0].accuracy
        return None if found is None else found.reference

    def labels(self, data: Data) -> Any:
        return tf.nest.flatten(data.sample("validation", None).labels)[0]

    def agreement(self, model: bytes, data: Data) -> float | None:
        return verify(self._given, model, data).outputs[0].agreement

    def applied(
        self,
        step: Step,
        model: bytes,
        data: Data | None,
        claims: Mapping[str, Claimed],  # no weight that is zero moves untrained
        told: Told | None,  # nothing is trained
    ) -> Any:
        wanted = technique(step.technique)
        if not wanted.elementwise:
            known = " and ".join(one.name for one in techniques() if one.elementwise)
            raise UnsupportedError(
                f"{wanted.name} needs layers, and {self._given.name}.tflite stays a file, in which "
                f"{known} work"
            )
        return in_file(wanted.part("verb"), model, step.config, data)
