"""What a search is asked for."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

from pydantic import BeforeValidator, Field, model_validator

from tflite_squeeze.errors import UsageError
from tflite_squeeze.frozen import Frozen, ProtectPatterns
from tflite_squeeze.microcontrollers.ethos_u_record import ETHOS_U, EthosU

Cost = Literal["latency", "download", "raw", "ram", "macs", "energy"]
Searched = Literal["narrow", "factorize", "entropy", "prune", "cluster", "few-bits"]
SEARCHED: tuple[Searched, ...] = get_args(Searched)
_Data = TypeVar("_Data")


def _in_a_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


_Limit = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Tune(Frozen):
    """What the file should cost as little as possible of, and what it may not cost.

    Example:
        >>> Tune(minimize="download", max_drop=0.005, limits={"latency": 2.0}).trials
        24
        >>> Tune(minimize=("latency", "download")).minimize
        ('latency', 'download')
    """

    minimize: Annotated[tuple[Cost, ...], BeforeValidator(_in_a_tuple)] = Field(
        default=("latency",),
        description='What the file should cost as little of as possible: "latency" (a run on this '
        'machine, one thread), "download" (bytes after gzip -9), "raw" (bytes of the file, flash), '
        '"ram" (the arena of TensorFlow Lite Micro, or the memory that an Ethos-U needs), "macs" '
        '(multiply-accumulates) or "energy" (a proxy, of an Ethos-U). Of two, all files are kept '
        "that none other beats in both, and the best is that whose product of both is least.",
    )
    limits: dict[Cost, _Limit] = Field(
        default_factory=dict,
        description="The most that the file may cost of each: latency in milliseconds, energy in "
        "microjoules, the others in bytes, or in multiply-accumulates.",
    )
    max_drop: float = Field(
        default=0.01,
        ge=0,
        lt=1,
        description="Largest loss of accuracy against the given model, as a fraction; of a model "
        "that gives numbers, the largest rise of the mean absolute error, as a share of the "
        "labels' standard deviation.",
    )
    min_agreement: float = Field(
        default=0.98,
        ge=0,
        le=1,
        description="Without labels: least fraction of examples that get the same class as from "
        "the given model; where there are no classes, one minus the noise as a share of the "
        "answers, by default 0.9.",
    )
    logits: bool = Field(
        default=False,
        description="Whether the model answers with scores of classes without a softmax, of which "
        "nothing but the largest counts: without labels nobody can tell them from other numbers.",
    )
    target: Literal["cpu", "micro", EthosU] = Field(
        default="cpu",
        description='Where the file runs: "cpu" (phones and computers), "micro" (TensorFlow Lite '
        "Micro: int8 from end to end, no sparse weights), or an Ethos-U NPU by its name, such as "
        '"ethos-u55-128" (the same, and what its compiler Vela estimates: latency, energy, ram, '
        "and raw, the compiled file).",
    )
    seconds: float | None = Field(
        default=3600.0,
        gt=0,
        description="How long the search may take; trials that would end later are not begun. "
        "None for no limit.",
    )
    trials: int = Field(default=24, ge=0, description="How many candidates are trained at most.")
    only: tuple[Searched, ...] = Field(
        default=(), description="Techniques to search with; by default all that can help."
    )
    without: tuple[Searched, ...] = Field(
        default=(), description="Techniques that are not searched with."
    )
    protect: ProtectPatterns = ()
    seed: int = Field(default=0, ge=0, description="Seed of the search and of every training.")

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.only and self.without:
            raise ValueError("only and without contradict each other: pass one of them")
        if not 1 <= len(set(self.minimize)) == len(self.minimize) <= 2:
            said = ", ".join(self.minimize) or "nothing"
            raise ValueError(f"minimize is {said}: name one cost, or two that differ")
        asked = self.costs
        if "ram" in asked and self.target == "cpu":
            raise ValueError(
                "ram is what TensorFlow Lite Micro or an Ethos-U takes: set target to micro, or to "
                "the NPU's name"
            )
        if "energy" in asked and not self.on_npu:
            raise ValueError(
                f"energy is estimated for an Ethos-U: set target to one, such as {ETHOS_U[2]}"
            )
        if "latency" in asked and self.target == "micro":
            raise ValueError(
                "latency is measured on this machine, which is no microcontroller: minimize macs "
                "in its place, or set target to cpu"
            )
        return self

    def price(self, costs: Mapping[str, float]) -> float:
        """What is minimized as one number: the geometric mean of both where there are two.

        Args:
            costs: what a file costs, by name.

        Example:
            >>> Tune(minimize=("latency", "raw")).price({"latency": 2.0, "raw": 8.0})
            4.0
        """
        return math.prod(costs[name] for name in self.minimize) ** (1 / len(self.minimize))

    @property
    def costs(self) -> frozenset[str]:
        """What is minimized or limited."""
        return frozenset({*self.minimize, *self.limits})

    @property
    def is_timed(self) -> bool:
        """Whether files are chosen by the time of a run on this machine."""
        return self.target == "cpu" and "latency" in self.costs

    @property
    def on_npu(self) -> bool:
        """Whether the file is for an Ethos-U."""
        return self.target in ETHOS_U

    @property
    def techniques(self) -> frozenset[str]:
        """Which techniques may be used."""
        return frozenset(self.only or set(SEARCHED) - set(self.without))

    def text(self) -> str:
        """The search in a few words.

        Example:
            >>> Tune(minimize="download", max_drop=0.003, trials=8).text()
            'searches for the least download with at most 0.3 points lost, 60 min, 8 trials'
        """
        known = self.model_fields_set
        kept = f"at most {100 * self.max_drop:.3g} points lost"
        if "min_agreement" in known and "max_drop" not in known:
            kept = f"at least {self.min_agreement:.3g} of the answers the same"
        time = "" if self.seconds is None else f"{self.seconds / 60:.3g} min, "
        costs = " and ".join(self.minimize)
        return f"searches for the least {costs} with {kept}, {time}{self.trials} trials"


def searchable(data: _Data | None, argument: str = "data") -> _Data:
    """The data that a search is given.

    Args:
        data: what it was given.
        argument: how it is passed, for the message.

    Raises:
        UsageError: there is none.

    Example:
        >>> searchable("fashion-mnist")
        'fashion-mnist'
    """
    if data is None:
        raise UsageError(
            f"a search trains and judges on samples (labels are not needed): pass {argument}"
        )
    return data
