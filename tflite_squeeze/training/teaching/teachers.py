"""Teachers of every form, as functions from a student's inputs to their own outputs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from tflite_squeeze.data.raw_data import shape_text
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.network import flavors
from tflite_squeeze.network.loading import LoadedModel, ModelKind, load_model
from tflite_squeeze.network.made_up import made_up
from tflite_squeeze.training.config import OutputKind, Stated
from tflite_squeeze.training.teaching.output_kinds import (
    SMALLEST,
    kind_by_values,
    kinds_by_graph,
    undecided,
)
from tflite_squeeze.training.teaching.tflite_teacher import TfliteRunner


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """A model that answers a student's inputs.

    Attributes:
        name: the model's name.
        form: what it is: a Keras model of either version, a SavedModel, functions, a `.tflite`.
        sha256: its hash.
        answer: the student's inputs, flat and in order → its outputs, flat and in order.
        kinds: what each output is.
        smallest: what the probabilities of each output are raised to.
        compilable: whether XLA can compile it.
        keeps: what has to stay alive while the teacher answers.
        model: the Keras model, or None.
        arrange: the student's inputs, flat → what the Keras model takes.
    """

    name: str
    form: ModelKind
    sha256: str
    answer: Callable[[Sequence[Any]], list[Any]]
    kinds: tuple[OutputKind, ...]
    smallest: tuple[float, ...]
    compilable: bool
    keeps: Any
    model: Any = None
    arrange: Callable[[Sequence[Any]], Any] | None = None


@dataclass(frozen=True, kw_only=True)
class _Source:
    """A teacher before anything is known about its outputs."""

    specs: list[tf.TensorSpec]
    run: Callable[[list[Any]], list[Any]]
    kinds: list[OutputKind | None] | None
    steps: list[float]
    compilable: bool
    pack: Callable[[list[Any]], Any] | None = None


def teachers_of(sources: Any, student: Any, stated: Stated = None) -> tuple[Teacher, ...]:
    """Makes teachers of models.

    Args:
        sources: whatever `load_model` takes, a teacher that is open already, or a list of them for
            an ensemble.
        student: the Keras model that is to learn.
        stated: the kind of the teachers' outputs, where it cannot be detected.

    Returns:
        One or more teachers.

    Raises:
        InputError: a teacher's inputs or outputs do not fit the student.
        UsageError: it cannot be determined whether a teacher outputs probabilities or logits.
    """
    many = list(sources) if isinstance(sources, list | tuple) else [sources]
    if not many:
        raise UsageError("the list of teachers is empty: give at least one")
    return tuple(
        source if isinstance(source, Teacher) else _teacher_of(load_model(source), student, stated)
        for source in many
    )


def _teacher_of(loaded: LoadedModel, student: Any, stated: Stated) -> Teacher:
    source = _opened(loaded)
    specs = tf.nest.flatten(flavors.input_structure(student))
    order = _matched([spec.name for spec in specs], [spec.name for spec in source.specs], loaded)
    for index, wanted in zip(order, source.specs, strict=True):
        _check_shape(specs[index], wanted, loaded)

    def arranged(inputs: Sequence[Any]) -> list[Any]:
        return [
            _fitted(inputs[index], wanted)
            for index, wanted in zip(order, source.specs, strict=True)
        ]

    def answer(inputs: Sequence[Any]) -> list[Any]:
        return [tf.cast(output, tf.float32) for output in source.run(arranged(inputs))]

    tried = [np.asarray(output) for output in answer(made_up(specs))]
    pack = source.pack
    teacher = Teacher(
        name=loaded.name,
        form=loaded.kind,
        sha256=loaded.sha256,
        answer=answer,
        kinds=(),
        smallest=tuple(max(SMALLEST, step / 2) for step in source.steps),
        compilable=source.compilable,
        keeps=loaded.model,
        model=loaded.model if pack is not None else None,
        arrange=None if pack is None else lambda inputs: pack(arranged(inputs)),
    )
    steps = source.steps
    kinds = decided_kinds("teacher", loaded.name, source.kinds, tried, stated, steps)
    return replace(teacher, kinds=kinds)


def decided_kinds(
    what: str,
    name: str,
    by_graph: Sequence[OutputKind | None] | None,
    tried: Sequence[Any],
    stated: Stated,
    steps: Sequence[float] = (),
) -> tuple[OutputKind, ...]:
    """What a model's outputs are: as stated, else by its graph, else by its answers.

    Args:
        what: "student" or "teacher".
        name: the model's name.
        by_graph: what the graph tells; None for a model without one.
        tried: its answers to made-up inputs: those of a softmax add up to 1 whatever goes in.
        stated: what the user says.
        steps: the smallest difference that each output can express.

    Raises:
        UsageError: they cannot be determined.
    """
    if isinstance(stated, str):
        return (stated,) * len(tried)
    if stated is not None:
        if len(stated) != len(tried):
            raise UsageError(
                f"{what}_outputs are {stated}, but {what} {name!r} has {len(tried)} outputs: give "
                f"one for each"
            )
        return stated
    known = list(by_graph or [])
    if len(known) != len(tried):
        known = [None] * len(tried)
    steps = list(steps) or [0.0] * len(tried)
    kinds = [
        kind or kind_by_values(values, step)
        for kind, values, step in zip(known, tried, steps, strict=True)
    ]
    if None in kinds:
        raise UsageError(undecided(what, name, kinds))
    return tuple(kind for kind in kinds if kind is not None)


def _opened(loaded: LoadedModel) -> _Source:
    if loaded.kind in (ModelKind.KERAS, ModelKind.TF_KERAS):
        return _keras_source(loaded.model)
    if loaded.kind is ModelKind.TFLITE:
        runner = TfliteRunner(loaded.model, loaded.name)
        return _Source(
            specs=runner.inputs,
            run=runner.run_in_graph,
            kinds=None,
            steps=runner.steps,
            compilable=False,
        )
    functions = loaded.model
    if loaded.kind is ModelKind.SAVED_MODEL:
        functions = loaded.model.signatures
    return _function_source(functions, loaded.name)


def _keras_source(model: Any) -> _Source:
    structure = flavors.input_structure(model)

    def pack(inputs: list[Any]) -> Any:
        return tf.nest.pack_sequence_as(structure, inputs)

    def run(inputs: list[Any]) -> list[Any]:
        return list(tf.nest.flatten(model(pack(inputs), training=False)))

    kinds = kinds_by_graph(model)
    return _Source(
        specs=tf.nest.flatten(structure),
        run=run,
        kinds=kinds,
        steps=[0.0] * len(kinds),
        compilable=True,
        pack=pack,
    )


def _function_source(functions: dict[str, Any], name: str) -> _Source:
    chosen = "serving_default" if "serving_default" in functions else sorted(functions)[0]
    if len(functions) > 1 and chosen != "serving_default":
        raise UsageError(
            f"teacher {name!r} has the signatures {sorted(functions)} and none is called "
            f"serving_default: pass the one that teaches as a concrete function"
        )
    function = functions[chosen]
    args, kwargs = function.structured_input_signature
    positional = [spec for spec in tf.nest.flatten(args) if isinstance(spec, tf.TensorSpec)]
    named = {key: spec for key, spec in kwargs.items() if isinstance(spec, tf.TensorSpec)}

    def run(inputs: list[Any]) -> list[Any]:
        given = tf.nest.pack_sequence_as(args, inputs[: len(positional)])
        keyed = dict(zip(named, inputs[len(positional) :], strict=True))
        return list(tf.nest.flatten(function(*given, **keyed)))

    outputs = len(tf.nest.flatten(function.structured_outputs))
    specs = [*positional, *(tf.TensorSpec(s.shape, s.dtype, key) for key, s in named.items())]
    return _Source(specs=specs, run=run, kinds=None, steps=[0.0] * outputs, compilable=True)


def _matched(given: list[str], wanted: list[str], loaded: LoadedModel) -> list[int]:
    """Which of the student's inputs each of the teacher's is."""
    if len(given) == len(wanted) == 1:
        return [0]
    if set(given) == set(wanted):
        return [given.index(name) for name in wanted]
    raise InputError(
        f"teacher {loaded.name!r} takes the inputs {wanted}, but the student {given}: give "
        f"them the same names"
    )


def _check_shape(given: tf.TensorSpec, wanted: tf.TensorSpec, loaded: LoadedModel) -> None:
    if wanted.shape.rank is None or given.shape[1:].is_compatible_with(wanted.shape[1:]):
        return
    sizes = given.shape[1:].num_elements(), wanted.shape[1:].num_elements()
    if None in sizes or sizes[0] != sizes[1]:
        raise InputError(
            f"teacher {loaded.name!r} takes examples of shape {shape_text(wanted.shape[1:])}, but "
            f"the student takes {shape_text(given.shape[1:])}: give a teacher of the same inputs"
        )


def _fitted(tensor: Any, wanted: tf.TensorSpec) -> Any:
    """An input with the dtype and, of as many numbers, the shape that the teacher takes."""
    tensor = tf.convert_to_tensor(tensor)
    if tensor.dtype != wanted.dtype:
        tensor = tf.cast(tensor, wanted.dtype)
    sizes = wanted.shape[1:] if wanted.shape.rank is not None else tf.TensorShape(None)
    if sizes.is_fully_defined() and not tensor.shape[1:].is_compatible_with(sizes):
        tensor = tf.reshape(tensor, [-1, *sizes])
    return tensor
