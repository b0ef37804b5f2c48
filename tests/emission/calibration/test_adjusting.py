"""Kernels and biases adjusted layer by layer: means are restored, answers come nearer."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.emission.calibration.networks import images, unequal
from tflite_squeeze.emission.calibration.adjusting import (
    adjusted,
    mean_shift,
    with_clipped_kernels,
)
from tflite_squeeze.emission.calibration.calibrate import calibrated
from tflite_squeeze.emission.calibration.quantized_run import quantized_answers
from tflite_squeeze.network.quantization.folding import folded
from tflite_squeeze.network.quantization.plan import QuantizationPlan, WeightQuantization
from tflite_squeeze.network.quantization.twin import plan_for
from tflite_squeeze.network.running import answers_of

KERNELS = ("conv", "depthwise", "point", "scores")


def test_mean_shift_by_hand() -> None:
    wanted, found = np.array([[1.0, 2.0], [3.0, 2.0]]), np.array([[1.0, 0.0], [1.0, 2.0]])
    np.testing.assert_allclose(mean_shift(wanted, found), [1, 1])


def four_bits(network: Any, samples: Any) -> QuantizationPlan:
    return calibrated(network, samples, plan=plan_for(network, weights=4))


@pytest.fixture(name="case")
def _case(library: Any) -> Any:
    network, samples = folded(unequal(library, orders=1.0)), images(48)
    return network, samples, four_bits(network, samples)


def apart(network: Any, model: Any, plan: Any, samples: Any) -> Any:
    """Differences of a quantized network's answers."""
    return quantized_answers(model, plan, samples)[0] - answers_of(network, samples)[0]


def test_biases_restore_the_means(case: Any) -> None:
    network, samples, plan = case
    before = network.get_weights()
    done = adjusted(network, plan, samples, rounding=False)
    assert done.corrected == KERNELS
    assert done.rounded == ()
    spread = answers_of(network, samples)[0].std()
    plain, shifted = (apart(network, one, done.plan, samples) for one in (network, done.model))
    assert np.abs(plain.mean(axis=0)).max() > 0.01 * spread  # else there is nothing to correct
    step = done.plan.activations["scores"].scale
    np.testing.assert_allclose(shifted.mean(axis=0), 0, atol=0.5 * step)
    for one, other in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)  # the given network is left as it is


def test_compensation_comes_nearer_than_the_nearest(case: Any) -> None:
    network, samples, plan = case
    fresh = images(48, seed=1)
    errors = {}
    for rounding in (False, True):
        done = adjusted(network, plan, samples, rounding=rounding, bias=False)
        errors[rounding] = float(np.square(apart(network, done.model, done.plan, fresh)).mean())
    assert done.rounded == KERNELS
    assert errors[True] < 0.8 * errors[False]


def test_kernels_are_on_the_grid_of_the_plan(case: Any) -> None:
    network, samples, plan = case
    done = adjusted(network, plan, samples)
    for name in KERNELS:
        weight = done.plan.weights[f"{name}/kernel"]
        kernel = done.model.get_layer(name).get_weights()[0]
        integers = kernel.reshape(-1, len(weight.scale)) / weight.scale
        np.testing.assert_allclose(integers, np.round(integers), atol=1e-3)
        assert np.abs(integers).max() < 7.01
    np.testing.assert_allclose(
        quantized_answers(done.model, done.plan, samples)[0],
        quantized_answers(done.model, done.plan.model_copy(update={"weights": {}}), samples)[0],
        atol=1e-5,
    )


def test_shared_layers_and_few_values_are_left_by_name(library: Any) -> None:
    network = folded(tiny_models.shared(library))
    samples = {name: tiny_models.examples(20, 4) for name in ("a", "b")}
    done = adjusted(network, calibrated(network, samples), samples)
    assert done.left == ("both: it is called several times",)
    network = folded(tiny_models.dense(library))
    kernel, bias = network.get_layer("hidden").get_weights()
    network.get_layer("hidden").set_weights([np.sign(kernel) * 0.1, bias])
    samples = {"x": tiny_models.examples(20, 8)}
    done = adjusted(network, calibrated(network, samples), samples)
    assert done.left == ("hidden: its weights share 2 values, which stay shared",)
    assert len(np.unique(done.model.get_layer("hidden").get_weights()[0])) == 2


def test_scales_that_clip(library: Any) -> None:
    network = folded(tiny_models.dense(library))
    kernel, bias = network.get_layer("hidden").get_weights()
    kernel[0, 0] = 40.0
    network.get_layer("hidden").set_weights([kernel, bias])
    plan = with_clipped_kernels(network, plan_for(network, weights=4))
    found = plan.weights["hidden/kernel"]
    assert len(found.scale) == 16
    given = WeightQuantization(axis=-1, scale=(0.5,) * 16)
    kept = with_clipped_kernels(
        network, plan.model_copy(update={"weights": {"hidden/kernel": given}})
    )
    assert kept.weights["hidden/kernel"] == given
