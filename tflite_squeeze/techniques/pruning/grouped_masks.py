"""The masks of a model some of whose layers have pruning settings of their own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tflite_squeeze.network.flavors import walk_layers
from tflite_squeeze.network.prunable_layer import PrunableLayer
from tflite_squeeze.network.skipped import SkippedLayer
from tflite_squeeze.network.unwrapping import is_wrapper
from tflite_squeeze.network.weights import Selection, Target, select
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.masking import ModelMasks
from tflite_squeeze.techniques.pruning.scoring_data import ScoringData
from tflite_squeeze.techniques.pruning.sparsities import Curves, final_sparsity


@dataclass(frozen=True, kw_only=True)
class Groups:
    """Weights that are pruned, by the config that says how.

    Attributes:
        selection: all of them, and what is left out.
        parts: per config its weights, the common config's first, then one part a `Prunable`.
    """

    selection: Selection
    parts: tuple[tuple[Prune, Selection], ...]

    def unit_of(self, target: Target) -> int:
        """How many numbers of a weight are zeroed as one."""
        config = next(config for config, part in self.parts if target in part.targets)
        return config.units.unit(*target.matrix_shape)

    def goal(self) -> float:
        """The sparsity that was asked for of all weights together."""
        sizes = [sum(target.size for target in part.targets) for _, part in self.parts]
        goals = [final_sparsity(config, part.targets) for config, part in self.parts]
        zeros = sum(size * goal for size, goal in zip(sizes, goals, strict=True))
        return zeros / max(1, sum(sizes))


def groups_of(model: Any, config: Prune) -> Groups:
    """Finds the weights to prune, and which config holds for each.

    Args:
        model: a Keras model of either version.
        config: what holds for layers without settings of their own.
    """
    common = select(model, only=config.only, protect=config.protect)
    wrappers = [
        layer
        for layer in walk_layers(model)
        if type(layer).__name__ == PrunableLayer.keras_name and is_wrapper(layer)
    ]
    if not wrappers:
        return Groups(selection=common, parts=((config, common),))
    by_variable = {id(target.variable): target for target in select(model).targets}
    skipped = {item.layer: item for item in common.skipped}
    parts = []
    for wrapper in wrappers:
        own = Prune.model_validate_json(wrapper.settings)
        inside = [by_variable.pop(id(target.variable), None) for target in select(wrapper).targets]
        targets = tuple(target for target in inside if target is not None)
        for target in targets:
            skipped.pop(target.layer.name, None)
        if not targets or own.sparsity == 0:
            reason = "kept dense by its Prunable" if targets else "nothing in it can be pruned"
            kind = type(wrapper.layer).__name__
            name = wrapper.layer.name
            skipped.setdefault(name, SkippedLayer(layer=name, layer_type=kind, reason=reason))
        else:
            parts.append((own, Selection(targets=targets, skipped=())))
    rest = tuple(target for target in common.targets if id(target.variable) in by_variable)
    parts.insert(0, (config, Selection(targets=rest, skipped=())))
    return Groups(
        selection=Selection(
            targets=tuple(target for _, part in parts for target in part.targets),
            skipped=tuple(skipped.values()),
        ),
        parts=tuple(parts),
    )


class GroupedMasks:
    """`ModelMasks` for each group of weights, moved together.

    Args:
        model: the Keras model.
        groups: its weights and their configs.
        data: what scores are taken on, where they need samples.
        curves: for budgets that go by them.
    """

    def __init__(
        self,
        model: Any,
        groups: Groups,
        *,
        data: ScoringData | None = None,
        curves: Curves | None = None,
    ) -> None:
        self._groups = groups
        self._parts = [
            (config, ModelMasks(model, config, part, data=data, curves=curves))
            for config, part in groups.parts
            if part.targets
        ]

    def attach(self) -> None:
        """Makes the masks hold in every step from now on."""
        for _, masks in self._parts:
            masks.attach()

    def detach(self) -> None:
        """Puts the constraints back as they were; the zeros stay."""
        for _, masks in self._parts:
            masks.detach()

    def update(self, sparsity_for: Callable[[float], float], *, exact: bool = True) -> None:
        """Ranks the weights and moves every mask.

        Args:
            sparsity_for: final sparsity → the sparsity that holds now.
            exact: whether it has to be met to within one unit.
        """
        for config, masks in self._parts:
            masks.update(sparsity_for(config.target), exact=exact)

    def hold(self) -> None:
        """Zeroes once more what the masks say, whatever was assigned meanwhile."""
        for _, masks in self._parts:
            masks.hold()

    def sparsity(self) -> float:
        """The share of zeros among all selected weights, counted now."""
        sizes = [sum(target.size for target in masks.targets) for _, masks in self._parts]
        zeros = [size * part[1].sparsity() for size, part in zip(sizes, self._parts, strict=True)]
        return sum(zeros) / max(1, sum(sizes))

    def falls_short(self) -> bool:
        """Whether any group has fewer zeros than were asked for."""
        return any(masks.falls_short() for _, masks in self._parts)

    def goal(self) -> float:
        """The sparsity that was asked for of all selected weights together."""
        return self._groups.goal()
