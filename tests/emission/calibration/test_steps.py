"""Calibration in a row: steps that help stay, others do not; files answer as the plan says."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.emission.calibration.networks import images, unequal
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.calibration.config import Calibrate
from tflite_squeeze.emission.calibration.quantized_run import quantized_answers
from tflite_squeeze.emission.calibration.steps import Calibrated, quantized_by_calibration
from tflite_squeeze.network.quantization.folding import folded
from tflite_squeeze.network.quantization.plan import ActivationQuantization
from tflite_squeeze.network.quantization.twin import plan_for, twin_of
from tflite_squeeze.network.running import answers_of
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.training.divergence import Divergence

OFF = {"equalize": "off", "clip_weights": "off", "rounding": "off", "correct_bias": "off"}


def judge(model: Any, answers: Any) -> Any:
    return Divergence(model, answers).of


def calibrate(model: Any, samples: Any, **settings: Any) -> Calibrated:
    return quantized_by_calibration(model, samples, Calibrate(**settings), judge=judge)


def test_what_unequal_channels_lose_is_won_back(library: Any) -> None:
    found = calibrate(unequal(library), images(200))
    record = found.record
    assert record.samples == 150
    assert record.held_back == 50
    assert record.end < 0.2 * record.start
    first = record.steps[0]
    assert first.name == "equalize 3 pairs of layers"
    assert first.kept
    assert [step.before for step in record.steps][1:] == [
        step.after if step.kept else step.before for step in record.steps
    ][:-1]
    assert all(step.kept == (step.after < step.before) for step in record.steps)
    assert len(record.lines) == len(record.steps) == 7


def test_the_record_tells_what_the_network_does(library: Any) -> None:
    model, samples = unequal(library, orders=2.0), images(200)
    found = calibrate(model, samples)
    held = {"image": samples["image"][150:]}
    apart = judge(model, answers_of(model, held))(quantized_answers(found.model, found.plan, held))
    assert apart == pytest.approx(found.record.end)


def test_steps_that_are_off_are_not_tried(library: Any) -> None:
    model, samples = unequal(library), images(64)
    found = calibrate(model, samples, method="minmax", **OFF)
    assert found.record.steps == ()
    assert found.record.start == found.record.end
    asked = calibrate(model, samples, **{**OFF, "method": "mse", "correct_bias": "on"})
    assert [step.name for step in asked.record.steps] == ["ranges by mse", "correct biases"]
    assert all(step.kept and "kept, as asked" in step.line for step in asked.record.steps)


def test_few_samples_have_to_do(library: Any) -> None:
    found = calibrate(unequal(library), images(8), method="minmax", **OFF)
    assert (found.record.samples, found.record.held_back) == (8, 0)


def test_given_ranges_stay(library: Any) -> None:
    model = unequal(library)
    plan = plan_for(folded(model))
    given = ActivationQuantization(low=-7.0, high=7.0)
    activations = {**plan.activations, "image": given}
    plan = plan.model_copy(update={"activations": activations})
    found = quantized_by_calibration(model, images(64), judge=judge, plan=plan)
    assert found.plan.activations["image"] == given


@pytest.mark.slow
def test_the_file_answers_as_the_plan_says(library: Any) -> None:
    samples = images(100)
    found = calibrate(unequal(library, orders=1.0), samples, method="mse")
    tflite = convert(twin_of(found.model, found.plan), verification=None).tflite
    some = {"image": samples["image"][:20]}
    (expected,) = quantized_answers(found.model, found.plan, some)
    step = found.plan.activations["scores"].scale
    (answers,) = run_file(tflite, some).outputs.values()
    steps = np.round(np.abs(answers - expected) / step)
    assert np.mean(steps) < 0.25  # halves are rounded either way
    assert steps.max() <= 2


def test_a_network_with_two_ends(library: Any) -> None:
    samples = {"a": tiny_models.examples(64, 6), "b": tiny_models.examples(64, 2, 2, 1)}
    found = calibrate(tiny_models.two_ended(library), samples)
    assert found.record.end <= found.record.start
