"""Schedules are numbers: each against values computed by hand, TFMOT's against TFMOT itself."""

import itertools
import math
import warnings
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tflite_squeeze.errors import UsageError
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.schedules import (
    SCHEDULES,
    Constant,
    Exponential,
    OneCycle,
    Polynomial,
    Stepwise,
    TfmotSchedule,
    as_schedule,
    schedule_of,
)


def test_a_constant_is_there_at_once() -> None:
    schedule = Constant(begin=10, end=30, frequency=10)
    assert [schedule.sparsity(step, 0.8, None) for step in (9, 10, 20, 99)] == [0, 0.8, 0.8, 0.8]


def test_the_polynomial_is_cubic() -> None:
    schedule = Polynomial(begin=100, end=300)
    # Half of the way: 0.8 - 0.8 (1/2)^3.
    assert schedule.sparsity(200, 0.8, None) == pytest.approx(0.7)
    assert schedule.sparsity(250, 0.8, None) == pytest.approx(0.8 - 0.8 / 64)
    assert Polynomial(end=4, power=1, initial=0.4).sparsity(1, 0.8, None) == pytest.approx(0.5)


def test_the_exponential_multiplies_what_is_kept() -> None:
    schedule = Exponential(end=4)
    kept = [1 - schedule.sparsity(step, 0.9375, None) for step in range(5)]
    assert kept == pytest.approx([1, 1 / 2, 1 / 4, 1 / 8, 1 / 16])


def test_the_one_cycle_follows_its_paper() -> None:
    schedule = OneCycle(end=100)
    top = 1 + math.exp(5 - 14)
    assert schedule.sparsity(0, 0.9, None) == pytest.approx(0.9 * top / (1 + math.exp(5)))
    assert schedule.sparsity(50, 0.9, None) == pytest.approx(0.9 * top / (1 + math.exp(-2)))
    assert schedule.sparsity(100, 0.9, None) == 0.9


def test_stairs_are_equal() -> None:
    schedule = Stepwise(end=90, steps=2)
    seen = [schedule.sparsity(step, 0.9, None) for step in (0, 44, 45, 89, 90)]
    assert seen == pytest.approx([0.3, 0.3, 0.6, 0.6, 0.9])


@pytest.mark.parametrize("name", SCHEDULES)
@settings(deadline=None)
@given(
    begin=st.integers(0, 50),
    length=st.integers(1, 200),
    target=st.floats(0, 0.999),
    frequency=st.integers(1, 60),
)
def test_every_schedule_rises_to_its_target(
    name: str, begin: int, length: int, target: float, frequency: int
) -> None:
    schedule = SCHEDULES[name](begin=begin, end=begin + length, frequency=frequency)
    values = [schedule.sparsity(step, target, None) for step in range(begin + length + 5)]
    assert values[:begin] == [0.0] * begin
    assert all(low <= high + 1e-12 for low, high in itertools.pairwise(values))
    assert values[-5:] == [target] * 5
    assert min(values) >= 0
    assert schedule.due(begin, None)
    assert schedule.due(begin + length, None)
    assert not schedule.due(begin + length + 1, None)


def test_without_an_end_it_is_at_60_percent_of_the_training() -> None:
    assert Polynomial().last_step(1000) == 600
    assert Polynomial(begin=700).last_step(1000) == 701
    assert Polynomial(begin=5).last_step(None) == 1005


def test_updates_are_due_at_the_frequency_and_at_the_end() -> None:
    schedule = Polynomial(begin=2, end=13, frequency=4)
    assert [step for step in range(20) if schedule.due(step, None)] == [2, 6, 10, 13]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"begin": 5, "end": 5}, "begin is 5 and end 5: begin must be below end"),
        ({"begin": 9, "end": 5}, "begin must be below end"),
        ({"begin": -1}, "greater than or equal to 0"),
        ({"frequency": 0}, "greater than or equal to 1"),
        ({"steps": 2}, "Extra inputs"),
    ],
)
def test_bad_numbers_are_refused(values: dict[str, int], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Polynomial(**values)


def test_bad_numbers_on_the_command_line_are_one_line() -> None:
    assert schedule_of("polynomial", begin=3, end=None, frequency=7) == Polynomial(
        begin=3, frequency=7
    )
    with pytest.raises(UsageError, match=r"schedule constant: begin is 9 and end 5"):
        schedule_of("constant", begin=9, end=5)


@pytest.mark.parametrize("initial", [-0.1, 1.0])
def test_an_initial_sparsity_is_a_share(initial: float) -> None:
    with pytest.raises(ValidationError, match="initial"):
        Exponential(initial=initial)


def test_names_are_schedules() -> None:
    assert as_schedule("one-cycle") == OneCycle()
    with pytest.raises(ValueError, match="schedule is 'cubic': use one of constant, polynomial"):
        as_schedule("cubic")


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_config_with_each_schedule_comes_back_from_json_and_yaml(name: str) -> None:
    config = Prune(sparsity=0.7, schedule=SCHEDULES[name](begin=1, end=9, frequency=2))
    assert Prune.model_validate_json(config.model_dump_json()) == config
    assert Prune(**yaml.safe_load(yaml.safe_dump(config.model_dump(mode="json")))) == config


TFMOT = [
    ("PolynomialDecay", {"initial_sparsity": 0.2, "final_sparsity": 0.8, "begin_step": 3,
                         "end_step": 23, "frequency": 4}),
    ("PolynomialDecay", {"initial_sparsity": 0.0, "final_sparsity": 0.5, "begin_step": 0,
                         "end_step": 17, "power": 1, "frequency": 5}),
    ("ConstantSparsity", {"target_sparsity": 0.6, "begin_step": 2, "frequency": 3}),
    ("ConstantSparsity", {"target_sparsity": 0.6, "begin_step": 2, "end_step": 11,
                          "frequency": 3}),
]  # fmt: skip


def tfmot_schedule(kind: str, arguments: dict) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its own, of distutils
        from tensorflow_model_optimization.python.core.sparsity.keras import pruning_schedule
    return getattr(pruning_schedule, kind)(**arguments)


@pytest.mark.parametrize(("kind", "arguments"), TFMOT)
def test_tfmot_schedules_agree_with_tfmot_step_by_step(kind: str, arguments: dict) -> None:
    theirs = tfmot_schedule(kind, arguments)
    config = Prune(schedule=theirs)
    ours = config.schedule
    assert isinstance(ours, TfmotSchedule)
    assert config.target == arguments.get("final_sparsity", arguments.get("target_sparsity"))
    for step in range(40):
        due, sparsity = theirs(np.int32(step))
        assert ours.due(step, 40) == bool(due), step
        if due:
            assert ours.sparsity(step, config.target, 40) == pytest.approx(float(sparsity)), step
    assert Prune.model_validate_json(config.model_dump_json()) == config


class Halving:
    """A schedule of one's own, in the form that TFMOT asks of its subclasses."""

    def __init__(self, final_sparsity: float, half: int) -> None:
        self.final_sparsity = final_sparsity
        self.half = half
        self.frequency = half

    def __call__(self, step: int) -> tuple[bool, float]:
        return step % self.half == 0, self.final_sparsity * (1 - 0.5 ** (step // self.half))

    def get_config(self) -> dict[str, Any]:
        config = {"final_sparsity": self.final_sparsity, "half": self.half}
        return {"class_name": "Halving", "config": config}


def test_a_schedule_of_ones_own_is_followed() -> None:
    config = Prune(schedule=Halving(0.8, 5))
    ours = config.schedule
    assert (config.target, ours.frequency) == (0.8, 5)
    assert [step for step in range(12) if ours.due(step, 40)] == [0, 5, 10]
    assert [ours.sparsity(step, 0.8, 40) for step in (0, 5, 10)] == pytest.approx([0.0, 0.4, 0.6])
    assert ours.sparsity(10, 0.4, 40) == pytest.approx(0.3)  # a layer with a target of its own
    assert Prune.model_validate_json(config.model_dump_json()) == config


def test_a_schedule_that_cannot_be_made_again_is_refused() -> None:
    class Inner(Halving):
        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "class_name": "Inner"}

    with pytest.raises(ValidationError, match="at the top of a module"):
        Prune(schedule=Inner(0.8, 5))
    with pytest.raises(ValidationError, match="PolynomialDecay"):
        TfmotSchedule(class_name="Unknown", config={"begin_step": 0, "frequency": 1})


def test_an_incomplete_tfmot_schedule_is_refused() -> None:
    with pytest.raises(ValidationError, match="needs begin_step and frequency"):
        TfmotSchedule(class_name="ConstantSparsity", config={"target_sparsity": 0.5})
