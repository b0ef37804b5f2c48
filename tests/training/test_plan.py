"""What is chosen for a training, from numbers alone."""

import pytest

from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.plan import Needs, plan_note, planned, stage_of, whole_length


@pytest.mark.parametrize(
    ("examples", "batch", "epochs", "steps"),
    [(20, 32, 600, 600), (500, 32, 38, 608), (5_000, 64, 8, 632), (60_000, 128, 3, 1_407)],
)
def test_small_data_is_seen_more_often_in_smaller_batches(
    examples: int, batch: int, epochs: int, steps: int
) -> None:
    plan = planned(FineTune(), examples)
    assert (plan.batch, plan.epochs, plan.steps) == (batch, epochs, steps)
    assert (plan.learning_rate, plan.warmup, plan.batchnorm_momentum) == (1e-3, 0.05, None)


def test_numbers_that_are_given_stay() -> None:
    given = FineTune(epochs=7, batch=10, learning_rate=0.5, warmup=0.0, batchnorm_momentum=0.3)
    plan = planned(given, 500, Needs(momentum=0.99, passes=20, rate=3.0))
    assert plan == given.model_copy(update={"steps": 350})
    assert planned(plan, 500) == plan
    assert planned(FineTune(batch=500), 500).steps == 600


@pytest.mark.parametrize(
    ("steps", "examples", "epochs"), [(600, 500, 30), (601, 500, 1), (10, 500, 1), (32, 500, 2)]
)
def test_steps_are_divided_into_equal_parts(steps: int, examples: int, epochs: int) -> None:
    plan = planned(FineTune(steps=steps), examples)
    assert (plan.steps, plan.epochs) == (steps, epochs)


def test_data_of_unknown_length() -> None:
    plan = planned(FineTune(), None)
    assert (plan.batch, plan.epochs, plan.steps) == (64, 3, 1_500)
    assert planned(FineTune(steps=600), None).epochs == 1
    asked = planned(FineTune(epochs=2), None)
    assert asked.steps is None
    assert whole_length(asked) == 2_000


def test_techniques_and_optimizers_have_rates_of_their_own() -> None:
    assert planned(FineTune(), 500, Needs(rate=3.0)).learning_rate == 3e-3
    assert planned(FineTune(optimizer="sgd"), 500).learning_rate == 1e-2
    assert planned(FineTune(), 60_000, Needs(passes=20)).epochs == 20


@pytest.mark.parametrize(
    ("steps", "own", "momentum"),
    [(10, 0.99, 0.8), (600, 0.99, 0.9667), (600, 0.9, 0.9), (9_000, 0.99, 0.99)],
)
def test_moving_statistics_follow_within_the_training(
    steps: int, own: float, momentum: float
) -> None:
    plan = planned(FineTune(steps=steps), 500, Needs(momentum=own))
    assert plan.batchnorm_momentum == momentum


def test_a_stage_has_the_steps_of_its_epochs() -> None:
    plan = planned(FineTune(), 500)
    assert stage_of(plan, 10).steps == 160
    assert stage_of(planned(FineTune(epochs=4), None), 3).steps is None


def test_what_was_chosen_is_told_and_what_was_given_is_not() -> None:
    asked = FineTune(epochs=2, batch=16)
    said = plan_note(asked, planned(asked, None, Needs(momentum=0.5)), None)
    assert said == (
        "chosen for data of unknown length: a learning rate of 0.001, 5% of the steps to warm up, "
        "a momentum of batch normalization of 0.5"
    )
    whole = planned(FineTune(), 500)
    assert plan_note(whole, whole, 500) == ""


def test_few_examples_are_augmented_as_the_technique_needs() -> None:
    needs = Needs(augment=("mixup",))
    assert planned(FineTune(), 500, needs).augment == ("mixup",)
    assert "augmentation by mixup" in plan_note(FineTune(), planned(FineTune(), 500, needs), 500)
    assert planned(FineTune(), 60_000, needs).augment is None
    assert planned(FineTune(augment=()), 500, needs).augment == ()
