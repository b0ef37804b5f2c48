"""The configuration of training: epochs, learning rate, optimizer and teacher."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from tflite_squeeze.frozen import Frozen
from tflite_squeeze.training.named_functions import Named, path_of

# What a model puts out: probabilities that add up to 1, logits of such, one probability (or one
# per label), the logits of those, or plain numbers.
OutputKind = Literal["softmax", "logits", "sigmoid", "sigmoid-logits", "values"]


Stated = OutputKind | tuple[OutputKind, ...] | None


DISTANCES = ("kl", "mse", "cosine", "dkd", "dist")


_DISTANCE = Named("distance", DISTANCES)
_Distance = Annotated[str | Callable[[Any, Any], Any], _DISTANCE]


# What `training.augment` can do to a batch.
AUGMENTATIONS = ("shift", "flip", "mixup", "noise", "time-shift")


class Hint(Frozen):
    """A pair of hidden layers; the student's is trained to match the teacher's.

    Example:
        >>> Hint(student="conv_1", teacher="conv_2").compare
        'features'
    """

    student: str = Field(description="Name of the student's layer.")
    teacher: str = Field(description="Name of the teacher's layer.")
    compare: Literal["features", "attention"] = Field(
        default="features",
        description='"features" compares activations through a learned projection of the '
        'student\'s channels, "attention" maps of where each layer looks.',
    )
    weight: float = Field(
        default=1.0,
        gt=0,
        allow_inf_nan=False,
        description="Weight of the distance between the two layers in the loss.",
    )


class Distill(Frozen):
    """The objective `label_weight` L(y, z) + `lam` D(teacher, student) + hints.

    L is the student's own loss on the labels, D the distance of what both answer. Without labels
    L is left out. The distance compares logits, or values where the models output plain numbers;
    there "kl" is the divergence of normal distributions around them, half the squared error.

    Reference: Hinton et al. 2015, arXiv:1503.02531; see `distill_losses` for each distance.

    Example:
        >>> Distill(temperature=8.0).distance
        'kl'
    """

    distance: _Distance = Field(
        default="kl",
        description='Distance between student and teacher: "kl", "mse", "cosine", "dkd" '
        '(decoupled), "dist" (correlations), or a function of (teacher, student) '
        "that returns a distance per example, also as package.module:function.",
    )
    temperature: float = Field(
        default=4.0,
        gt=0,
        allow_inf_nan=False,
        description="Temperature that logits are divided by before they are compared, for kl, "
        "dkd and dist.",
    )
    lam: float = Field(
        default=1.0,
        ge=0,
        allow_inf_nan=False,
        description="λ, the weight of the distance in the loss.",
    )
    label_weight: float = Field(
        default=1.0,
        ge=0,
        allow_inf_nan=False,
        description="Weight of the loss on labels; 0 ignores them.",
    )
    dkd_alpha: float = Field(
        default=1.0, ge=0, allow_inf_nan=False, description="Weight of the target class in dkd."
    )
    dkd_beta: float = Field(
        default=8.0, ge=0, allow_inf_nan=False, description="Weight of the other classes in dkd."
    )
    dist_inter: float = Field(
        default=1.0,
        ge=0,
        allow_inf_nan=False,
        description="Weight of the relation between classes in dist.",
    )
    dist_intra: float = Field(
        default=1.0,
        ge=0,
        allow_inf_nan=False,
        description="Weight of the relation between examples in dist.",
    )
    hints: tuple[Hint, ...] = Field(
        default=(), description="Pairs of hidden layers that are compared too."
    )
    student_outputs: Stated = Field(
        default=None,
        description="What the student's outputs are, where that cannot be detected: one kind for "
        "all outputs, or one for each.",
    )
    teacher_outputs: Stated = Field(
        default=None,
        description="What the teachers' outputs are, where that cannot be detected: one kind for "
        "all outputs, or one for each.",
    )
    cache: bool | None = Field(
        default=None,
        description="Whether the teachers' answers are computed once and then read from disk; by "
        "default where that is valid (no augmentation, no hints) and saves time.",
    )
    cache_dir: str | None = Field(
        default=None,
        description="Folder of the cached answers, kept for later training; the user's cache "
        "folder by default.",
    )

    @model_validator(mode="after")
    def _something_to_learn(self) -> Self:
        if self.lam == 0 and not self.hints:
            raise ValueError("lam is 0 and there are no hints: nothing is learned from the teacher")
        return self

    @property
    def distance_name(self) -> str:
        """The distance as text."""
        return str(path_of(self.distance))


def custom_distance(config: Distill) -> Callable[[Any, Any], Any] | None:
    """The user's own function, or None where the distance is built in.

    Raises:
        UsageError: it cannot be imported.
    """
    if config.distance in DISTANCES:
        return None
    return _DISTANCE.function(config.distance, {})


class FineTune(Frozen):
    """How a model is fine-tuned after it was changed.

    Numbers that are left out are chosen from the size of the data, the model and the technique;
    see `plan.planned`.

    Example:
        >>> FineTune(steps=2_000, learning_rate=1e-3).batch is None
        True
        >>> FineTune(epochs=50, teacher="original", distill=Distill(distance="mse")).teacher
        'original'
    """

    epochs: int | None = Field(
        default=None,
        ge=1,
        description="Passes over the training data; with steps, the equal parts after which "
        "progress is recorded. By default at least 3, and enough for 600 steps.",
    )
    steps: int | None = Field(
        default=None,
        ge=1,
        description="Training steps in all, in place of passes over the data; a multiple of epochs "
        "where both are given.",
    )
    batch: int | None = Field(
        default=None,
        ge=1,
        description="Examples per training step; by default 32 for fewer than 2,000 examples, 64 "
        "for fewer than 20,000, else 128.",
    )
    learning_rate: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Peak learning rate of the cosine schedule; by default 0.001 with adam and "
        "0.01 with sgd, times what the technique needs.",
    )
    warmup: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="Fraction of the training steps over which the learning rate rises to its "
        "peak; 0.05 by default.",
    )
    batchnorm_momentum: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="Momentum of the moving statistics of batch normalizations during the "
        "training; by default low enough for them to follow the weights within it. Afterwards "
        "each layer has its own again.",
    )
    optimizer: Literal["adam", "sgd"] = Field(
        default="adam", description='Optimizer: "adam", or "sgd" with momentum 0.9.'
    )
    seed: int = Field(default=0, ge=0, description="Seed of the order of the examples.")
    jit: bool | Literal["auto"] = Field(
        default=False,
        description='Whether XLA compiles the training step; "auto" where that is likely to save '
        "time.",
    )
    augment: tuple[str, ...] | None = Field(
        default=None,
        description="Random changes of the training examples, with a comma between two: shift and "
        "flip (images), time-shift (signals), noise, mixup; KIND:INPUT names the input. By default "
        "what the technique needs where there are few examples.",
    )
    reestimate: bool = Field(
        default=True,
        description="Estimate the statistics of batch normalizations again after the weights "
        "changed, trained or not, and keep those that are better on held-back samples.",
    )
    teacher: Literal["original"] | None = Field(
        default=None,
        description='"original" recovers by distillation: the model as it was before the step '
        "teaches the changed one, with labels or without; no teacher by default.",
    )
    distill: Distill | None = Field(
        default=None,
        description="What is learned from the teacher; the defaults of distillation if left out.",
    )

    @field_validator("augment", mode="before")
    @classmethod
    def _listed(cls, given: Any) -> Any:
        return [each.strip() for each in given.split(",")] if isinstance(given, str) else given

    @field_validator("augment")
    @classmethod
    def _known(cls, given: tuple[str, ...] | None) -> tuple[str, ...] | None:
        kinds = [each.partition(":")[0] for each in given or ()]
        for kind in kinds:
            if kind not in AUGMENTATIONS:
                raise ValueError(f"{kind!r} is unknown: use some of {', '.join(AUGMENTATIONS)}")
        return given

    @model_validator(mode="after")
    def _whole_epochs(self) -> Self:
        if self.epochs is not None and self.steps is not None and self.steps % self.epochs:
            raise ValueError(
                f"steps is {self.steps} and epochs {self.epochs}: leave one out, or make steps a "
                f"multiple of epochs"
            )
        return self

    @model_validator(mode="after")
    def _taught(self) -> Self:
        if self.distill is not None and self.teacher is None:
            raise ValueError('distill is given without a teacher: pass teacher="original" too')
        return self
