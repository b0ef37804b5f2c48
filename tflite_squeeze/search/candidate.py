"""A candidate of the search: a few numbers that stand for one recipe."""

from typing import Any, Literal

from pydantic import Field

from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.frozen import Frozen
from tflite_squeeze.recipes.objective import Tune
from tflite_squeeze.recipes.recipe import Recipe
from tflite_squeeze.techniques.low_rank.config import Factorize
from tflite_squeeze.techniques.narrowing.config import Budget, Narrow

_BYTE = 8
# How many channels kernels compute at a time.
_AT_ONCE, _AT_ONCE_ON_MICRO = 8, 4
# Shares that are so near to one that nothing is left out.
_WHOLE = 0.97
_DENSE = 0.3
# Of the steps of a training: pruning takes most, since its zeros come one after the other.
_SHARING = 0.25
_PRUNE_RATE, _SHARE_RATE, _NARROW_RATE, _FACTOR_RATE, _PRICED_RATE = 3e-3, 3e-4, 2e-3, 1e-3, 1.5e-3


class Candidate(Frozen):
    """The numbers that a search varies.

    Example:
        >>> Candidate(keep=0.5, steps=600).trains
        True
    """

    quantize: Quantization = Field(description="Type of the file.")
    tidied: bool = Field(
        default=False, description="Whether channels that tell nothing are removed first."
    )
    keep: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="What narrowing leaves, as a share: of the measured time, of the bytes of "
        "weights, or of multiplications; where the narrowest layers leave much of these, of what "
        "they do not leave.",
    )
    factor: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="What factorizing leaves, as a share of the multiplications or of the bytes "
        "of weights.",
    )
    penalty: float = Field(
        default=0.0,
        ge=0,
        description="Price of the code of the weights in the loss, as the entropy step takes it; "
        "0 for none.",
    )
    sparsity: float = Field(default=0.0, ge=0, lt=1, description="Share of weights that are zero.")
    clusters: int = Field(default=0, ge=0, description="Values that a weight may have; 0 for any.")
    sparse: bool = Field(
        default=False, description="Whether weights are stored sparse where that is smaller."
    )
    weight_bits: int = Field(default=8, description="Bits of a weight in the file.")
    steps: int = Field(default=0, ge=0, description="Steps of all trainings together.")

    @property
    def narrows(self) -> bool:
        """Whether filters are removed."""
        return self.keep < _WHOLE

    @property
    def factorizes(self) -> bool:
        """Whether layers are split into low-rank factors."""
        return self.factor < _WHOLE

    @property
    def prunes(self) -> bool:
        """Whether weights become zero."""
        return self.sparsity >= _DENSE

    @property
    def prices(self) -> bool:
        """Whether the bytes of weights have a price."""
        return self.penalty > 0

    @property
    def trains(self) -> bool:
        """Whether anything is done to the model that needs training."""
        values = self.prices or self.prunes or self.clusters > 0
        return self.narrows or self.factorizes or values

    @property
    def changes(self) -> bool:
        """Whether anything is done to the model before it is converted."""
        return self.tidied or self.trains

    def text(self) -> str:
        """The candidate in a few words.

        Example:
            >>> Candidate(quantize="int8", keep=0.5, sparsity=0.9, clusters=16).text()
            'narrowed to 50%, 90% zeros, 16 values, int8'
        """
        parts = ["no dead channels"] if self.tidied and not self.narrows else []
        parts += [f"narrowed to {self.keep:.0%}"] if self.narrows else []
        parts += [f"factors of {self.factor:.0%}"] if self.factorizes else []
        parts += [f"bytes at a price of {self.penalty:.3g}"] if self.prices else []
        parts += [f"{100 * self.sparsity:.3g}% zeros"] if self.prunes else []
        parts += [f"{self.clusters} values"] if self.clusters else []
        kind = "float32" if self.quantize is Quantization.NONE else self.quantize.value
        parts += ["stored sparse"] if self.sparse else []
        parts.append(
            kind if self.weight_bits == _BYTE else f"{kind}, {self.weight_bits}-bit weights"
        )
        return ", ".join(parts)


def recipe_of(
    candidate: Candidate,
    asked: Tune,
    *,
    tidy: Narrow,
    narrow: Narrow | None = None,
    batch: int,
    name: str,
) -> Recipe:
    """The recipe that a candidate stands for; `squeeze` makes the same file of it.

    Args:
        candidate: its numbers.
        asked: what is searched for.
        tidy: the step that removes dead channels, where the candidate has one.
        narrow: the step that removes filters, where it has one.
        batch: examples a step of training.
        name: of the recipe.
    """
    steps: list[dict[str, Any]] = []
    known: dict[str, Any] = {"batch": batch, "teacher": "original", "warmup": 0.05}
    whole = candidate.narrows + candidate.factorizes + candidate.prices + candidate.prunes
    parts = whole + _SHARING * (candidate.clusters > 0)
    at_once = candidate.trains and not candidate.steps
    each = max(1, round(candidate.steps / parts)) if parts else 0

    def tuned(steps_of: float, rate: float, **more: Any) -> dict[str, Any] | Literal[False]:
        return not at_once and {
            **known,
            "steps": max(1, round(steps_of)),
            "learning_rate": rate,
            **more,
        }

    if candidate.tidied:
        steps.append({"narrow": _said(tidy), "finetune": False})
    if candidate.narrows:
        assert narrow is not None  # else there is no such candidate
        steps.append(
            {
                "narrow": _said(narrow),
                "finetune": tuned(each, _NARROW_RATE, distill={"temperature": 2.0}),
            }
        )
    if candidate.factorizes:
        factors = _said(factorizing(candidate.factor, asked))
        training = tuned(each, _FACTOR_RATE, distill={"temperature": 2.0})
        steps.append({"factorize": factors, "finetune": training})
    if candidate.prices:
        entropy = {"penalty": candidate.penalty, "protect": list(asked.protect)}
        steps.append({"entropy": entropy, "finetune": tuned(each, _PRICED_RATE, warmup=0.0)})
    if candidate.prunes:
        frequency = max(1, min(50, each // 40))
        prune = {
            "sparsity": round(candidate.sparsity, 4),
            "budget": "global",
            "schedule": {"kind": "polynomial", "frequency": frequency},
            "protect": list(asked.protect),
        }
        steps.append({"prune": prune, "finetune": tuned(each, _PRUNE_RATE, warmup=0.0)})
    if candidate.clusters:
        cluster = {"clusters": candidate.clusters, "protect": list(asked.protect)}
        share = each * _SHARING
        steps.append({"cluster": cluster, "finetune": tuned(share, _SHARE_RATE, warmup=0.0)})
    return Recipe.model_validate(
        {
            "name": name,
            "on_refusal": "stop",
            "description": candidate.text(),
            "seed": asked.seed,
            "set_aside": True,
            "steps": steps,
            "convert": _conversion(candidate, asked).model_dump(exclude_unset=True),
        }
    )


def stores_sparse(asked: Tune) -> bool:
    """Whether zeros make the file itself smaller; compressed, they do so however they are stored.

    Example:
        >>> stores_sparse(Tune(minimize="raw")), stores_sparse(Tune(minimize="download"))
        (True, False)
    """
    return asked.target == "cpu" and "raw" in asked.minimize and "download" not in asked.minimize


def zeros_pay(asked: Tune) -> bool:
    """Whether zeros are worth a training."""
    # The compiler for an NPU codes weights by how often their values occur.
    coded = asked.on_npu and not {"raw", "energy"}.isdisjoint(asked.minimize)
    return "download" in asked.minimize or stores_sparse(asked) or coded


def budget_of(asked: Tune) -> Budget:
    """What the structure of candidates is planned by.

    Example:
        >>> budget_of(Tune(minimize=("download", "latency"))), budget_of(Tune(minimize="raw"))
        ('latency', 'bytes')
    """
    if "latency" in asked.minimize and asked.target == "cpu":
        return "latency"
    return "macs" if {"raw", "download"}.isdisjoint(asked.minimize) else "bytes"


def channels_at_once(asked: Tune) -> int:
    """Widths are multiples of this: kernels take as long for fewer channels.

    Example:
        >>> channels_at_once(Tune()), channels_at_once(Tune(minimize="ram", target="micro"))
        (8, 4)
    """
    return _AT_ONCE_ON_MICRO if asked.target == "micro" else _AT_ONCE


def factorizing(keep: float, asked: Tune) -> Factorize:
    """Splits layers until a share of the cost is left.

    Args:
        keep: the share, of bytes where the file is to be small, else of multiplications.
        asked: what is searched for.
    """
    small = budget_of(asked) == "bytes"
    return Factorize(
        budget="bytes" if small else "macs",
        keep=keep,
        multiple=1 if small else channels_at_once(asked),
        protect=asked.protect,
    )


def _said(config: Frozen) -> dict[str, Any]:
    """The settings of a step that are not its defaults."""
    return config.model_dump(mode="json", exclude_unset=True)


def _conversion(candidate: Candidate, asked: Tune) -> Convert:
    """How a candidate becomes a file."""
    encoding = "smallest" if candidate.sparse else "dense"
    settings: dict[str, Any] = {"quantize": candidate.quantize, "sparsity": encoding}
    integer = candidate.quantize is Quantization.INT8
    if asked.target != "cpu" and integer:
        settings["io_dtype"] = "int8"
    # Scales of their own for each unit would be half of so small a file.
    if integer and zeros_pay(asked) and (candidate.prices or candidate.prunes):
        settings["per_channel_dense"] = False
    if candidate.weight_bits != _BYTE:
        settings["weight_bits"] = candidate.weight_bits
    return Convert(**settings)
