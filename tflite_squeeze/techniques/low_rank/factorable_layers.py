"""The layers of a model that a config asks to factorize, and the reasons for all others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tflite_squeeze.network import flavors
from tflite_squeeze.network.skipped import SkippedLayer
from tflite_squeeze.network.weights import check_patterns, matches_any
from tflite_squeeze.techniques.low_rank.config import Factorize
from tflite_squeeze.techniques.low_rank.factorable import Factorable, factorable, why_not
from tflite_squeeze.techniques.low_rank.rewriting import graph_layers

Shapes = Mapping[int, Sequence[tuple[tuple[int, ...], tuple[int, ...]]]]


@dataclass(frozen=True, kw_only=True)
class Found:
    """Layers to factorize, in the model's order, and the others with reasons."""

    layers: tuple[Factorable, ...]
    skipped: tuple[SkippedLayer, ...]


def find(model: Any, config: Factorize, shapes: Shapes) -> Found:
    """Looks through the graph of a model.

    Args:
        model: a Keras model of either flavour.
        config: what was asked for.
        shapes: of every call of every layer, by id.

    Raises:
        UsageError: the model has no graph, or a pattern means no layer.
    """
    standing, elsewhere = graph_layers(model)
    inside = flavors.walk_layers(model)
    check_patterns(
        inside,
        only=config.only,
        protect=config.protect,
        ranks=tuple(config.ranks),
        schemes=tuple(config.schemes),
    )
    able = [layer for layer in standing if layer.weights and not why_not(layer)]
    ends = _ends(able, config.protect)
    ranked = tuple(config.ranks) if config.rule is None else ()
    layers, skipped = [], []
    for layer in inside:
        reason = why_not(layer) or elsewhere.get(id(layer), "")
        if not layer.weights or _is_model(layer):
            continue
        asked = all(matches_any(layer, some or ("*",)) for some in (config.only, ranked))
        if not reason and not asked:
            reason = "not among the layers that were asked for"
        if not reason and (matches_any(layer, config.protect) or id(layer) in ends):
            reason = "protected"
        if not reason and id(layer) not in shapes:
            reason = "it was not called when the model ran"
        if not reason and config.emit == "factorized" and type(layer).__name__ not in (
            "Dense", "Conv2D",
        ):  # fmt: skip
            reason = f"emit='factorized' has no layer for {type(layer).__name__}"
        if reason:
            kind = type(layer).__name__
            skipped.append(SkippedLayer(layer=layer.name, layer_type=kind, reason=reason))
        else:
            layers.append(factorable(layer, shapes[id(layer)]))
    return Found(layers=tuple(layers), skipped=tuple(skipped))


def _ends(able: Sequence[Any], protect: Sequence[str]) -> set[int]:
    """Ids of the first and the last layer, where those were asked to be left out."""
    ends = set()
    if able and "first" in protect:
        ends.add(id(able[0]))
    if able and "last" in protect:
        ends.add(id(able[-1]))
    return ends


def _is_model(layer: Any) -> bool:
    return hasattr(layer, "layers") and hasattr(layer, "predict")
