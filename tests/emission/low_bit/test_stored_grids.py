"""Kernels of float operators in the 8 bits of their grid: fewer bytes, the same answers."""

from typing import Any

import numpy as np
import pytest

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.network.quantization.folding import folded
from tflite_squeeze.network.quantization.plan import QuantizationPlan, WeightQuantization
from tflite_squeeze.network.quantization.twin import plan_for, twin_of
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.tflite.quantization_plan import plan_of

X = np.random.default_rng(0).normal(size=(16, 6, 6, 8)).astype(np.float32)


def network(library: Any) -> Any:
    layers = library.layers
    library.utils.set_random_seed(3)
    x = library.Input((6, 6, 8), name="x")
    twice = layers.Conv2D(8, 4, padding="same", name="twice")
    y = layers.DepthwiseConv2D(5, depth_multiplier=6, name="deep")(twice(twice(x)))
    y = layers.Dense(24, name="out")(layers.Flatten()(y))
    return library.Model(x, y, name="kernels")


def without_ranges(model: Any) -> QuantizationPlan:
    """8 bits for kernels, all else in float."""
    return QuantizationPlan(weights=plan_for(folded(model)).weights)


def answers(tflite: bytes) -> Any:
    (found,) = run_file(tflite, {"x": X}).outputs.values()
    return found


def test_kernels_take_a_byte_a_weight_and_answer_as_the_twin(library: Any) -> None:
    model = network(library)
    plan = without_ranges(model)
    converted = convert(model, Convert(plan=plan), verification=None)
    stored = plan_of(converted.tflite).weights
    assert [one.bits for one in stored.values()] == [8, 8, 8]
    assert all(len(one.scale or ()) > 1 for one in stored.values())
    assert converted.record.operators["CONV_2D"] == 2  # both calls read one kernel
    assert converted.record.operators["DEQUANTIZE"] == 3
    weights = sum(int(np.prod(one.shape)) for one in model.weights)
    assert len(converted.tflite) < 1.6 * weights
    wanted = twin_of(folded(model), plan).predict(X, verbose=0)
    np.testing.assert_allclose(answers(converted.tflite), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("axis", [None, -1])
def test_grids_other_than_those_of_the_largest_weights(library: Any, axis: Any) -> None:
    model = network(library)
    kernels = {
        layer.name: np.abs(layer.get_weights()[0]) for layer in model.layers if layer.weights
    }
    scale = float(kernels["out"].max() * 0.8 / 127)  # clips the largest
    plan = without_ranges(model)
    given = WeightQuantization(axis=axis, scale=scale)
    plan = plan.model_copy(update={"weights": {**plan.weights, "out/kernel": given}})
    converted = convert(model, Convert(plan=plan), verification=None)
    (out,) = (one for one in plan_of(converted.tflite).weights.values()
              if np.allclose(one.scale or 0, scale, rtol=1e-5))  # fmt: skip
    assert out.bits == 8
    found = converted.record.config.plan
    assert found is not None
    wanted = twin_of(folded(model), found).predict(X, verbose=0)
    np.testing.assert_allclose(answers(converted.tflite), wanted, rtol=1e-4, atol=1e-5)


def test_few_weights_and_kernels_in_float_stay_in_float(library: Any) -> None:
    model = network(library)
    plan = without_ranges(model)
    rest = {name: one for name, one in plan.weights.items() if name != "out/kernel"}
    converted = convert(model, Convert(plan=QuantizationPlan(weights=rest)), verification=None)
    assert sorted(one.bits or 0 for one in plan_of(converted.tflite).weights.values()) == [0, 8, 8]
