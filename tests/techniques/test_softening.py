"""Settings that ask for less, computed by hand."""

from typing import Any

import pytest

from tflite_squeeze.techniques.low_rank.config import Factorize
from tflite_squeeze.techniques.narrowing.config import Narrow
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.quantization.config import QuantizationAware
from tflite_squeeze.techniques.registry import technique, techniques
from tflite_squeeze.techniques.sharing.config import Cluster
from tflite_squeeze.techniques.softening import changes, softer


@pytest.mark.parametrize(
    ("name", "config", "expected"),
    [
        ("narrow", Narrow(ratio=0.75), {"ratio": 0.5}),
        ("narrow", Narrow(budget="macs", keep=0.25), {"keep": 0.5}),
        ("narrow", Narrow(layers={"a": 0.36, "b": 0.0}), {"layers": {"a": 0.2, "b": 0.0}}),
        ("prune", Prune(sparsity=0.96), {"sparsity": 0.8}),
        ("prune", Prune(threshold=0.5), {"threshold": 0.25}),
        ("cluster", Cluster(clusters=16), {"clusters": 32}),
        ("cluster", Cluster(bits=4), {"bits": 5}),
        ("factorize", Factorize(rank=4), {"rank": 8}),
        ("factorize", Factorize(ranks={"a": (2, 3)}), {"ranks": {"a": (4, 6)}}),
        ("factorize", Factorize(energy=0.81), {"energy": 0.9}),
        ("quantize", QuantizationAware(weights=2), {"weights": 4}),
    ],
)
def test_half_of_the_way(name: str, config: Any, expected: dict[str, Any]) -> None:
    found = softer(config, technique(name).softer)
    assert found is not None
    assert {field: getattr(found, field) for field in expected} == expected
    assert found == type(config)(**{**config.model_dump(exclude_unset=True), **expected})


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("narrow", Narrow(ratio=0.04)),
        ("prune", Prune(sparsity="median")),
        ("prune", Prune(granularity="2:4")),
        ("cluster", Cluster(clusters=200)),  # twice as many would be more than there can be
        ("quantize", QuantizationAware()),
        ("distill", technique("distill").part("config")()),
    ],
)
def test_what_cannot_ask_for_less(name: str, config: Any) -> None:
    assert softer(config, technique(name).softer) is None


def test_every_rule_is_of_a_field() -> None:
    for one in techniques():
        assert set(one.softer) <= set(one.part("config").model_fields)


def test_what_has_changed_is_said() -> None:
    assert changes(Narrow(ratio=0.75), Narrow(ratio=0.5)) == "ratio 0.75 → 0.5"
