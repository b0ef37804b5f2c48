"""What a whole run is asked for: steps in order, the conversion, the check and the limits."""

from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.frozen import Frozen
from tflite_squeeze.recipes.recipe_order import order_problem
from tflite_squeeze.techniques.binarization.config import Binarize
from tflite_squeeze.techniques.l0.config import L0
from tflite_squeeze.techniques.low_rank.config import Factorize
from tflite_squeeze.techniques.narrowing.config import Narrow
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.sharing.config import Cluster
from tflite_squeeze.training.config import Distill, FineTune
from tflite_squeeze.verification.record import Verify

OnRefusal = Literal["skip", "stop"]
TECHNIQUES = ("prune", "l0", "cluster", "factorize", "narrow", "distill", "binarize")
_NEEDS_TRAINING = ("l0", "distill")


def _one_technique(schema: dict[str, Any]) -> None:
    """Says in the JSON Schema that a step has one technique."""
    schema["oneOf"] = [{"required": [name]} for name in TECHNIQUES]
    for name in TECHNIQUES:
        schema["properties"][name] = {
            **schema["properties"][name]["anyOf"][0],
            "description": schema["properties"][name].get("description", f"The step {name}."),
        }


class Step(Frozen):
    """One technique with its settings, and what becomes of a step that does not pay.

    Attributes:
        prune: zero weights.
        l0: zero weights by a price on each.
        cluster: let the weights of a kernel share few values.
        factorize: replace kernels by products of smaller ones.
        narrow: take whole filters out.
        distill: train on, taught by the model that was given; labels are not needed.
        binarize: weights of one or two bits.
        finetune: how to train while and after the technique works; without it, as the technique
            does by default where there are labels; false for no training at all.
        on_refusal: "skip" drops a step that does not pay, "stop" ends the run there; the
            recipe's own when None.
        max_drop: how much worse than the model that was given this step may leave it: a fraction
            of accuracy, or of the loss where there are no classes.
        pays: what has to be smaller after the step than before it, measured on the file.

    Example:
        >>> Step(prune=Prune(sparsity=0.9)).technique
        'prune'
    """

    model_config = ConfigDict(json_schema_extra=_one_technique)

    prune: Prune | None = None
    l0: L0 | None = None
    cluster: Cluster | None = None
    factorize: Factorize | None = None
    narrow: Narrow | None = None
    distill: Distill | None = None
    binarize: Binarize | None = None
    finetune: FineTune | Literal[False] | None = None
    on_refusal: OnRefusal | None = None
    max_drop: float | None = Field(default=None, ge=0, lt=1)
    pays: Literal["raw_bytes", "download_bytes", "macs", "latency"] | None = None

    @model_validator(mode="after")
    def _has_one_technique(self) -> "Step":
        given = [name for name in TECHNIQUES if getattr(self, name) is not None]
        if len(given) != 1:
            said = f"has {' and '.join(given)}" if given else "names no technique"
            raise ValueError(f"a step {said}: give exactly one of {', '.join(TECHNIQUES)}")
        if self.finetune is False and self.technique in _NEEDS_TRAINING:
            raise ValueError(f"{self.technique} is training: give it a finetune, not false")
        return self

    @property
    def technique(self) -> str:
        """The technique's name."""
        return next(name for name in TECHNIQUES if getattr(self, name) is not None)

    @property
    def config(self) -> Any:
        """The technique's settings."""
        return getattr(self, self.technique)


class Limits(Frozen):
    """What the result is held to; a limit that it does not meet makes the run fail.

    Attributes:
        max_drop: largest loss of accuracy of the file against the model that was given, as a
            fraction, on the same examples.
        raw_bytes: largest size of the file.
        download_bytes: largest size after gzip -9.
        packed_bytes: largest size of the packed file (.tflite.sqz); needs `pack`.
        latency_ms: longest median time of a run on this machine, one thread.
        min_agreement: least share of examples for which the file predicts the class that the model
            that was given predicts; needs no labels.

    Example:
        >>> Limits(max_drop=0.01, download_bytes=40_000)
    """

    max_drop: float | None = Field(default=None, ge=0, lt=1)
    raw_bytes: int | None = Field(default=None, ge=1)
    download_bytes: int | None = Field(default=None, ge=1)
    packed_bytes: int | None = Field(default=None, ge=1)
    latency_ms: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    min_agreement: float | None = Field(default=None, ge=0, le=1)


class Recipe(Frozen):
    """A whole run.

    Attributes:
        name: of the recipe.
        description: what it is for, in a line.
        seed: of every training that has no seed of its own.
        on_refusal: what becomes of a step that does not pay, where the step does not say.
        steps: what is done to the model, in order.
        convert: how it becomes a file.
        fastest_of: types to choose `convert.quantize` among: before any step the model is
            converted to each, and the one whose run is shortest on this machine is taken.
        pack: whether the packed form (.tflite.sqz) is written too, for sending and storing.
        verify: how the file is compared with the compressed model; on all examples by default.
        limits: what the result is held to.

    Example:
        >>> Recipe(name="half", steps=[{"prune": {"sparsity": 0.5}}]).steps[0].technique
        'prune'
    """

    name: str = Field(default="recipe", min_length=1, max_length=100, pattern=r"^[\w.-]+$")
    description: str = ""
    seed: int = Field(default=0, ge=0)
    on_refusal: OnRefusal = "stop"
    steps: tuple[Step, ...] = ()
    convert: Convert = Convert()
    fastest_of: tuple[Quantization, ...] = ()
    pack: bool = False
    verify: Verify = Verify(samples=None)
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _limits_can_be_measured(self) -> "Recipe":
        if self.limits.packed_bytes is not None and not self.pack:
            raise ValueError("limits.packed_bytes is of a packed file: say pack: true too")
        return self

    @model_validator(mode="after")
    def _types_can_be_compared(self) -> "Recipe":
        if not self.fastest_of:
            return self
        if len(set(self.fastest_of)) < max(2, len(self.fastest_of)):
            raise ValueError("fastest_of chooses: name two types or more, each once")
        if self.convert.quantize is not Quantization.NONE:
            raise ValueError("fastest_of chooses convert.quantize: leave one of the two out")
        for kind in self.fastest_of:
            try:
                Convert(**{**self.convert.model_dump(), "quantize": kind})
            except ValidationError as error:
                said = error.errors()[0]["msg"].removeprefix("Value error, ")
                raise ValueError(f"fastest_of {kind.value}: {said}") from error
        return self

    @model_validator(mode="after")
    def _order_is_possible(self) -> "Recipe":
        problem = order_problem(
            [
                (step.technique, step.config, (step.on_refusal or self.on_refusal) == "skip")
                for step in self.steps
            ]
        )
        if problem is not None:
            raise PydanticCustomError(
                "order", "{reason}", {"step": problem[0], "reason": problem[1]}
            )
        return self

    @property
    def types(self) -> tuple[Quantization, ...]:
        """The types that the file may come to have."""
        return self.fastest_of or (self.convert.quantize,)

    def converted_to(self, kind: Quantization) -> "Recipe":
        """The same with one type chosen."""
        convert = self.convert.model_copy(update={"quantize": kind})
        return self.model_copy(update={"convert": convert, "fastest_of": ()})

    def resolved(self, seed: int | None = None) -> "Recipe":
        """The same with everything said: the seed and the refusal of each step.

        Args:
            seed: takes the place of the recipe's own.
        """
        base = self.seed if seed is None else seed
        steps = tuple(self._resolved(step, base) for step in self.steps)
        return self.model_copy(update={"seed": base, "steps": steps})

    def _resolved(self, step: Step, seed: int) -> Step:
        update: dict[str, Any] = {"on_refusal": step.on_refusal or self.on_refusal}
        if step.finetune and "seed" not in step.finetune.model_fields_set:
            update["finetune"] = step.finetune.model_copy(update={"seed": seed})
        return step.model_copy(update=update)
