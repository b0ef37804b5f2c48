"""Plans filled from samples: given ranges stay, fixed ones are fixed, simulated files answer."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.emission.calibration.networks import images, unequal
from tflite_squeeze.emission.calibration.calibrate import calibrated, observe
from tflite_squeeze.emission.calibration.quantized_run import (
    batches_of,
    kernels_on_grid,
    quantized_answers,
)
from tflite_squeeze.errors import InputError
from tflite_squeeze.network.quantization.folding import folded
from tflite_squeeze.network.quantization.plan import ActivationQuantization
from tflite_squeeze.network.quantization.twin import plan_for, twin_of
from tflite_squeeze.network.running import answers_of


def test_every_range_is_found(library: Any) -> None:
    network = folded(tiny_models.convolutional(library))
    plan = calibrated(network, {"image": tiny_models.examples(70, 8, 8, 1)}, "minmax")
    assert all(point.scale is not None for point in plan.activations.values())
    scores = plan.activations["scores"]
    assert (scores.low, scores.high) == (0, 255 / 256)  # a softmax
    conv = plan.activations["conv"]
    assert conv.low == 0  # a ReLU


def test_given_ranges_and_floats_stay(library: Any) -> None:
    network = folded(tiny_models.dense(library))
    plan = plan_for(network)
    given = ActivationQuantization(low=-1.0, high=9.0)
    floats = ActivationQuantization(bits=None)
    activations = {**plan.activations, "hidden": given, "x": floats}
    plan = plan.model_copy(update={"activations": activations})
    found = calibrated(network, {"x": tiny_models.examples(20, 8)}, plan=plan)
    assert found.activations["hidden"] == given
    assert found.activations["x"] == floats


def test_several_inputs(library: Any) -> None:
    samples = {"a": tiny_models.examples(20, 6), "b": tiny_models.examples(20, 2, 2, 1, seed=1)}
    network = folded(tiny_models.two_ended(library))
    plan = calibrated(network, samples)
    assert {"a", "b"} <= set(plan.activations)
    assert plan.activations["a"] != plan.activations["b"]
    for name in ("a", "b"):
        assert plan.activations[name].high == pytest.approx(samples[name].max(), rel=0.5)


def test_what_is_no_number_is_refused(library: Any) -> None:
    network = folded(tiny_models.dense(library))
    samples = tiny_models.examples(20, 8)
    samples[3, 2] = np.nan
    with pytest.raises(InputError, match="tensor 'x' is NaN"):
        calibrated(network, {"x": samples})


def test_batches_are_bounded_and_make_no_difference(library: Any) -> None:
    network = folded(tiny_models.dense(library))
    samples = {"x": tiny_models.examples(150, 8)}
    assert [len(part["x"]) for part in batches_of(samples)] == [64, 64, 22]
    seen = observe(network, samples, plan_for(network))
    assert seen.count == 150
    assert seen.histograms["x"].count == 150 * 8
    np.testing.assert_allclose(seen.greatest["x"], np.abs(samples["x"]).max(axis=0))


def test_the_simulated_file_answers_as_the_twin_does(library: Any) -> None:
    network = folded(unequal(library, orders=1.0))
    samples = images()
    plan = calibrated(network, samples)
    (found,) = quantized_answers(network, plan, samples)
    twin = twin_of(network, plan)
    np.testing.assert_allclose(found, np.asarray(twin(samples["image"])), atol=1e-5)
    (floats,) = answers_of(network, samples)
    assert 0 < np.abs(found - floats).max() < 0.1 * np.abs(floats).max()


def test_kernels_are_put_back(library: Any) -> None:
    network = folded(unequal(library))
    before = network.get_weights()
    with kernels_on_grid(network, plan_for(network)):
        kernel = network.get_layer("point").get_weights()[0]
        assert len(np.unique(np.round(kernel / np.abs(kernel).max(axis=(0, 1, 2)) * 127))) < 128
        assert any(
            not np.array_equal(one, other)
            for one, other in zip(before, network.get_weights(), strict=True)
        )
    for one, other in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
