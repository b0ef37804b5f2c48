"""Widths for any budget, from one measurement of each group of channels alone."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tflite_squeeze.data.data import Data
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.running import answers_of
from tflite_squeeze.network.weights import select
from tflite_squeeze.techniques.narrowing.allocation import Singles
from tflite_squeeze.techniques.narrowing.channels import Group, channels_of
from tflite_squeeze.techniques.narrowing.config import Narrow
from tflite_squeeze.techniques.narrowing.narrow import (
    allowed,
    samples_for,
    score_of,
    search_of,
)
from tflite_squeeze.techniques.narrowing.scores import channel_scores, rank
from tflite_squeeze.training.step_run import Told

_LITTLE = 0.3  # of a cost


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One choice of widths.

    Attributes:
        config: narrows to these widths, without a search.
        cost: what is left of what the budget counts, as a share.
        divergence: of the repaired model's answers from the original's, before any training.
        predicted: the cost by what each group saves alone, before it was measured.
    """

    config: Narrow
    cost: float
    divergence: float
    predicted: float


class Plans:
    """Measures each group of channels alone, and plans widths for budgets from that.

    Args:
        model: a functional or sequential Keras model of either version; stays as it is.
        config: with a budget; its `keep` does not matter.
        data: fitted to the model; no labels are needed.
        told: of the progress of the measurement.
        seconds: about how long the measurement may take; None for as long as it takes.
        before: what has been measured of the same model with the same settings and data.
        keep: is given what is measured, each time that there is more of it.

    Raises:
        UsageError: none of the model's layers can get narrower.

    Example:
        >>> plans = Plans(model, Narrow(budget="macs", keep=0.5), data)
        >>> plans.at(0.3).config.layers
        {'conv_1': 0.5, 'dense': 0.75}
    """

    def __init__(
        self,
        model: Any,
        config: Narrow,
        data: Data,
        told: Told | None = None,
        seconds: float | None = None,
        *,
        before: Singles | None = None,
        keep: Callable[[Singles], None] = lambda _: None,
    ) -> None:
        self._config = config
        selection = select(model, only=config.only, protect=config.protect)
        channels = channels_of(model)
        asked = {id(target.layer) for target in selection.targets}
        groups, refused = allowed(channels, config, asked)
        if not groups:
            reasons = "; ".join(f"{', '.join(one.layers)}: {one.reason}" for one in refused)
            raise UsageError(f"nothing to narrow in model {model.name!r} ({reasons})")
        samples = samples_for(data, channels, config)
        assert samples is not None  # there is data
        norms = [channel_scores(channels, group) for group in groups]
        score = score_of(config, samples)
        rankings = rank(model, channels, groups, score, samples.own, norms)
        self._held = samples.held
        self._planned: dict[float, Plan] = {}
        self._groups: list[Group] = groups
        search = search_of(model, channels, groups, rankings, samples, config, told, {})
        self._search = replace(search, seconds=seconds, before=before, keep=keep)

    def divergence(self, model: Any) -> float:
        """How far a model's answers are from the original's, on the samples held back.

        Args:
            model: of the same inputs and outputs, with a graph.
        """
        return self._search.apart.of(answers_of(model, self._held))

    def reachable(self, keep: float) -> float:
        """A share of the cost, or where much of the cost always stays, of what does not.

        Much of a small network's time is no arithmetic: most shares of it would all lead to the
        narrowest layers.

        Args:
            keep: between 0 and 1.

        Returns:
            The share of the cost to plan for.
        """
        least = self._search.least_cost
        return keep if least <= _LITTLE else least + (1 - least) * keep

    def at(self, keep: float) -> Plan:
        """The widths that lose least at a cost of at most `keep`.

        Args:
            keep: share of the cost that may be left.
        """
        if keep not in self._planned:
            self._planned[keep] = self._at(keep)
        return self._planned[keep]

    def _at(self, keep: float) -> Plan:
        best = self._search.quick(keep)
        ratios = {
            group.makers[0].name: round(1 - width / group.size, 9)
            for group, width in zip(self._groups, best.widths, strict=True)
            if width < group.size
        }
        known = {"only": self._config.only, "protect": self._config.protect}
        return Plan(
            config=Narrow(ratio=0.0, layers=ratios, multiple=1, **known),
            cost=best.cost,
            divergence=best.divergence,
            predicted=best.predicted,
        )
