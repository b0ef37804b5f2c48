"""What training is asked for: how long, at which rate, and who teaches."""

import re
from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PlainSerializer, WithJsonSchema, field_validator, model_validator

from tflite_squeeze.errors import UsageError
from tflite_squeeze.frozen import Frozen

# What a model puts out: probabilities that add up to 1, logits of such, one probability (or one
# per label), the logits of those, or plain numbers.
OutputKind = Literal["softmax", "logits", "sigmoid", "sigmoid-logits", "values"]


Stated = OutputKind | tuple[OutputKind, ...] | None


DISTANCES = ("kl", "mse", "cosine", "dkd", "dist")


_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def _path_of(distance: Any) -> Any:
    """A function as the text by which it is found again."""
    if not callable(distance):
        return distance
    return f"{distance.__module__}:{distance.__qualname__}"


_Distance = Annotated[
    str | Callable[[Any, Any], Any],
    PlainSerializer(_path_of),
    WithJsonSchema({"type": "string", "examples": [*DISTANCES, "package.module:function"]}),
]


class Hint(Frozen):
    """A pair of hidden layers of which the student's is to look like the teacher's.

    Attributes:
        student: name of the student's layer.
        teacher: name of the teacher's layer.
        compare: "features" through a learned projection of the student's channels, or "attention",
            the map of where each layer looks, without any.
        weight: what the distance is multiplied by.

    Example:
        >>> Hint(student="conv_1", teacher="conv_2").compare
        'features'
    """

    student: str
    teacher: str
    compare: Literal["features", "attention"] = "features"
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)


class Distill(Frozen):
    """The objective `label_weight` L(y, z) + `lam` D(teacher, student) + hints.

    L is the student's own loss on the labels, D the distance of what both answer. Without labels
    L is left out.

    Attributes:
        distance: "kl" at a temperature, "mse" of logits or values, "cosine", "dkd" (decoupled),
            "dist" (correlations), or a function of (teacher, student) that returns a distance per
            example, also as "package.module:function". It is given logits, or values where the
            models put out plain numbers.
        temperature: T of "kl", "dkd" and "dist".
        lam: λ, the weight of the distance.
        label_weight: the weight of the loss on labels.
        dkd_alpha: weight of the target class in "dkd".
        dkd_beta: weight of the other classes in "dkd".
        dist_inter: weight of the relation between classes in "dist".
        dist_intra: weight of the relation between examples in "dist".
        hints: pairs of hidden layers.
        student_outputs: what the student puts out, where that cannot be told; of several outputs,
            one for all or a tuple.
        teacher_outputs: the same of the teacher.
        cache: whether the teacher's answers are computed once and read from disk afterwards; None
            does so where it is valid and pays. Not with augmentation: the teacher would have to
            see each changed example. Not with hints: hidden layers are too large.
        cache_dir: folder of the answers, kept for later trainings; None for the user's cache.

    Reference: Hinton et al. 2015, arXiv:1503.02531; see `distill_losses` for each distance.

    Example:
        >>> Distill(temperature=8.0).distance
        'kl'
    """

    distance: _Distance = "kl"
    temperature: float = Field(default=4.0, gt=0, allow_inf_nan=False)
    lam: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    label_weight: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    dkd_alpha: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    dkd_beta: float = Field(default=8.0, ge=0, allow_inf_nan=False)
    dist_inter: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    dist_intra: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    hints: tuple[Hint, ...] = ()
    student_outputs: Stated = None
    teacher_outputs: Stated = None
    cache: bool | None = None
    cache_dir: str | None = None

    @field_validator("distance")
    @classmethod
    def _known_distance(cls, distance: Any) -> Any:
        known = not isinstance(distance, str) or distance in DISTANCES
        if not known and not _FUNCTION.fullmatch(distance):
            raise ValueError(f"give one of {', '.join(DISTANCES)}, or package.module:function")
        return distance

    @model_validator(mode="after")
    def _something_to_learn(self) -> Self:
        if self.lam == 0 and not self.hints:
            raise ValueError("lam is 0 and there are no hints: nothing is learnt of the teacher")
        return self

    @property
    def distance_name(self) -> str:
        """The distance as text."""
        return str(_path_of(self.distance))


def custom_distance(config: Distill) -> Callable[[Any, Any], Any] | None:
    """The user's own function, or None where the distance is one of ours.

    Raises:
        UsageError: it cannot be imported.
    """
    if callable(config.distance):
        return config.distance
    if config.distance in DISTANCES:
        return None
    module, _, name = config.distance.partition(":")
    try:
        function: Any = import_module(module)
        for part in name.split("."):
            function = getattr(function, part)
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"distance {config.distance!r} cannot be imported ({error}): name a function that "
            f"Python finds"
        ) from error
    if not callable(function):
        raise UsageError(f"distance {config.distance!r} is not callable: name a function")
    return function  # type: ignore[no-any-return]


class FineTune(Frozen):
    """How a model is trained on after it was changed.

    Attributes:
        epochs: passes over the training part.
        batch: examples per step.
        learning_rate: peak of the cosine schedule.
        warmup: share of the steps over which the rate rises to its peak.
        optimizer: "adam" or "sgd" (with momentum 0.9).
        seed: of the order of the examples.
        jit: whether XLA compiles the training step; "auto" where that is likely to pay.
        teacher: "original" for recovery by distillation: the model as it was before the step
            teaches what the step makes of it. Labels are then not needed, and a few thousand
            examples may do; with labels, it learns from both.
        distill: what is learnt from the teacher; None for the defaults of `Distill`.

    Example:
        >>> FineTune(epochs=2).batch
        128
        >>> FineTune(epochs=50, teacher="original", distill=Distill(distance="mse")).teacher
        'original'
    """

    epochs: int = Field(default=3, ge=1)
    batch: int = Field(default=128, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0, allow_inf_nan=False)
    warmup: float = Field(default=0.0, ge=0, lt=1)
    optimizer: Literal["adam", "sgd"] = "adam"
    seed: int = Field(default=0, ge=0)
    jit: bool | Literal["auto"] = False
    teacher: Literal["original"] | None = None
    distill: Distill | None = None

    @model_validator(mode="after")
    def _taught(self) -> Self:
        if self.distill is not None and self.teacher is None:
            raise ValueError('distill is given without a teacher: pass teacher="original" too')
        return self
