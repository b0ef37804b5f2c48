"""The configuration of a whole run: steps in order, the conversion, the check and the limits."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.frozen import Frozen
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.techniques.order import order_problem
from tflite_squeeze.techniques.registry import on_change, technique, techniques
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.verification.record import Verify

OnRefusal = Literal["soften", "skip", "stop"]


def _one_technique(schema: dict[str, Any]) -> None:
    """Says in the JSON Schema that a step has one technique."""
    schema["oneOf"] = [{"required": [one.name]} for one in techniques()]
    for one in techniques():
        config = schema["properties"][one.name]["anyOf"][0]
        schema["properties"][one.name] = {**config, "description": one.summary}


class Step(Frozen):
    """One technique with its settings, and what becomes of a step that does not pay.

    The technique's settings stand under its name: there is a field for each one in the registry
    (`prune`, `cluster`, …), of the type of its config.

    Example:
        >>> Step(prune=Prune(sparsity=0.9)).technique
        'prune'
    """

    model_config = ConfigDict(json_schema_extra=_one_technique)

    if TYPE_CHECKING:

        def __init__(self, **values: Any) -> None: ...
        def __getattr__(self, name: str) -> Any: ...

    finetune: FineTune | Literal[False] | None = Field(
        default=None,
        description="How to train while and after the technique works; by default as the "
        "technique does where there are labels, and false for no training.",
    )
    on_refusal: OnRefusal | None = Field(
        default=None,
        description='"soften" repeats a step that loses too much, asking for less each time, up to '
        'three times, and then drops it; "skip" drops a step that does not pay at once, "stop" '
        'ends the run there, which is what "soften" does where a step fails for another reason; '
        "the recipe's own setting by default.",
    )
    max_drop: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="Largest loss of quality after this step, against the given model: a "
        "fraction of accuracy, or of the loss where there are no classes; by default that of the "
        "recipe's limits.",
    )
    min_agreement: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Least fraction of examples for which the model after this step predicts the "
        "same class as the given one, where there are no labels; by default that of the recipe's "
        "limits.",
    )
    pays: Literal["raw_bytes", "download_bytes", "macs", "latency"] | None = Field(
        default=None,
        description="What must be smaller after the step than before it, measured on the file; "
        "nothing by default.",
    )

    @model_validator(mode="after")
    def _has_one_technique(self) -> "Step":
        names = [one.name for one in techniques()]
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) != 1:
            said = f"has {' and '.join(given)}" if given else "names no technique"
            raise ValueError(f"a step {said}: give exactly one of {', '.join(names)}")
        if self.finetune is False and technique(self.technique).trains:
            raise ValueError(f"{self.technique} is training: give it a finetune, not false")
        return self

    @property
    def technique(self) -> str:
        """The technique's name."""
        return next(one.name for one in techniques() if getattr(self, one.name) is not None)

    @property
    def config(self) -> Any:
        """The technique's settings."""
        return getattr(self, self.technique)


class Limits(Frozen):
    """Limits on the result; the run fails when one of them is not met.

    Example:
        >>> Limits(max_drop=0.01, download_bytes=40_000)
    """

    max_drop: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="Largest loss of accuracy of the file against the given model on the same "
        "examples, as a fraction.",
    )
    raw_bytes: int | None = Field(
        default=None, ge=1, description="Largest size of the file, in bytes."
    )
    download_bytes: int | None = Field(
        default=None, ge=1, description="Largest size after gzip -9, in bytes."
    )
    packed_bytes: int | None = Field(
        default=None,
        ge=1,
        description="Largest size of the packed file (.tflite.sqz), in bytes; needs pack.",
    )
    latency_ms: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Longest median time of a run on this machine with one thread, in "
        "milliseconds.",
    )
    min_agreement: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Least fraction of examples for which the file predicts the same class as "
        "the given model; needs no labels.",
    )


class Recipe(Frozen):
    """A whole run: steps whose numbers are given, or a search for them.

    Example:
        >>> Recipe(name="half", steps=[{"prune": {"sparsity": 0.5}}]).steps[0].technique
        'prune'
    """

    name: str = Field(
        default="recipe",
        min_length=1,
        max_length=100,
        pattern=r"^[\w.-]+$",
        description="Name of the recipe.",
    )
    description: str = Field(default="", description="What the recipe is for, in one line.")
    tune: Tune | None = Field(
        default=None,
        description="What is searched for, in place of steps with given numbers and of every "
        "other setting but name and description.",
    )
    seed: int = Field(
        default=0, ge=0, description="Seed of every training that has no seed of its own."
    )
    on_refusal: OnRefusal = Field(
        default="soften",
        description='What happens to a step that does not pay, if the step does not say: "soften", '
        '"skip" or "stop".',
    )
    steps: tuple[Step, ...] = Field(
        default=(), description="Techniques to apply to the model, in order."
    )
    convert: Convert = Field(default=Convert(), description="How the model becomes a file.")
    set_aside: bool = Field(
        default=False,
        description="Whether trained states are chosen on examples of their own, half of a large "
        "validation part or a tenth of the training part, so that others do nothing but judge the "
        "file; as in `tune`.",
    )
    fastest_of: tuple[Quantization, ...] = Field(
        default=(),
        description="Candidates for convert.quantize: before any step the model is converted "
        "with each, and the fastest on this machine is used.",
    )
    pack: bool = Field(
        default=False,
        description="Whether the packed form (.tflite.sqz) is written too, for sending and "
        "storing.",
    )
    verify: Verify = Field(
        default=Verify(samples=None),
        description="How the file is compared with the compressed model, on all examples by "
        "default.",
    )
    limits: Limits = Field(
        default=Limits(),
        description="Limits that the result must meet; the run fails when one of them is not met.",
    )

    @model_validator(mode="after")
    def _searches_or_has_numbers(self) -> "Recipe":
        if self.tune is None:
            return self
        fields = type(self).model_fields
        given = [
            name
            for name in fields.keys() - {"name", "description", "tune"}
            if getattr(self, name) != fields[name].default
        ]
        if given:
            raise ValueError(
                f"tune searches for what {', '.join(sorted(given))} would say: leave either out"
            )
        return self

    @model_validator(mode="after")
    def _limits_can_be_measured(self) -> "Recipe":
        if self.limits.packed_bytes is not None and not self.pack:
            raise ValueError("limits.packed_bytes needs a packed file: set pack: true too")
        return self

    @model_validator(mode="after")
    def _types_can_be_compared(self) -> "Recipe":
        if not self.fastest_of:
            return self
        if len(set(self.fastest_of)) < max(2, len(self.fastest_of)):
            raise ValueError("fastest_of needs two or more types, each named once")
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
    def _integers_are_kept(self) -> "Recipe":
        own = [step.technique for step in self.steps if technique(step.technique).quantizes]
        other = [one for one in self.types if one not in (Quantization.NONE, Quantization.INT8)]
        if own and other:
            raise ValueError(
                f"the file of a model after {own[0]} is int8, not {other[0].value}: set "
                f"convert.quantize to int8, or leave it out"
            )
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
                "order", "{reason}", {"at": ("steps", problem[0]), "reason": problem[1]}
            )
        return self

    @property
    def types(self) -> tuple[Quantization, ...]:
        """The types that the file may have."""
        return self.fastest_of or (self.convert.quantize,)

    def converted_to(self, kind: Quantization) -> "Recipe":
        """The same with one type chosen."""
        return self.model_copy(update={"convert": self.settings_for(kind), "fastest_of": ()})

    def settings_for(self, kind: Quantization) -> Convert:
        """How the model becomes a file of a type, in its fastest form where types are timed."""
        update: dict[str, Any] = {"quantize": kind}
        if self.fastest_of and kind is Quantization.DYNAMIC:
            update["minimize"] = "latency"
        return self.convert.model_copy(update=update)

    def resolved(self, seed: int | None = None) -> "Recipe":
        """The same with every setting written out: seed, refusal and limits of each step.

        Args:
            seed: takes the place of the recipe's own.
        """
        if self.tune is not None:
            own = self.tune.seed if seed is None else seed
            return self.model_copy(update={"tune": self.tune.model_copy(update={"seed": own})})
        base = self.seed if seed is None else seed
        steps = tuple(self._resolved(step, base) for step in self.steps)
        return self.model_copy(update={"seed": base, "steps": steps})

    def _resolved(self, step: Step, seed: int) -> Step:
        update: dict[str, Any] = {"on_refusal": step.on_refusal or self.on_refusal}
        for name in ("max_drop", "min_agreement"):
            own, whole = getattr(step, name), getattr(self.limits, name)
            update[name] = whole if own is None else own
        if step.finetune and "seed" not in step.finetune.model_fields_set:
            update["finetune"] = step.finetune.model_copy(update={"seed": seed})
        return step.model_copy(update=update)


def _give_steps_a_field_a_technique() -> None:
    """Makes the fields of `Step` anew, those of techniques before its own."""
    fields = {
        one.name: FieldInfo.from_annotated_attribute(
            one.part("config") | None, Field(default=None, description=one.summary)
        )
        for one in techniques()
    }
    own = Step.__pydantic_fields__
    Step.__pydantic_fields__ = {**fields, **{name: own[name] for name in Step.__annotations__}}
    Step.model_rebuild(force=True)
    Recipe.model_rebuild(force=True)


on_change(_give_steps_a_field_a_technique)
