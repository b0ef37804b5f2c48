"""What the verbs of all techniques have in common."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.tiny_models import examples
from tflite_squeeze.errors import InputError
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.record import StepRecord
from tflite_squeeze.training.step_run import RunContext, StepRun

X = examples(96, 8)
Y = np.argmax(X[:, :3], axis=1)
DATA = {"x_train": X[:64], "y_train": Y[:64], "x_test": X[64:], "y_test": Y[64:]}


@pytest.mark.slow
def test_stages_add_up_and_facts_make_a_record(library: Any) -> None:
    model = tiny_models.dense(library)
    run = StepRun(model, DATA, FineTune(epochs=9, learning_rate=0.05), one_shot=False)
    assert run.trains
    run.train(run.model, epochs=1)
    run.train(run.model, epochs=3)
    record = StepRecord(skipped=(), **run.facts(run.model, "told"))
    assert len(record.history["loss"]) == 4
    assert record.notes[-1] == "told"
    assert record.metric == "accuracy"
    assert record.before != record.after
    assert record.seconds > 0


def test_nothing_is_trained_at_once_or_without_labels(library: Any) -> None:
    model = tiny_models.dense(library)
    weights = model.get_weights()
    declined = StepRun(model, DATA, FineTune(), one_shot=True)
    unlabelled = StepRun(model, {"x_calibration": X}, None, one_shot=False)
    bare = StepRun(model, None, None, one_shot=False)
    for run in (declined, unlabelled, bare):
        run.train(model)
        facts = run.facts(model)
        assert not run.trains
        assert facts["finetune"] is None
        assert facts["history"] == {}
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    assert bare.facts(model)["before"] is None


@pytest.mark.slow
def test_who_watches_is_told_and_the_run_says_who_teaches(library: Any) -> None:
    teacher, student = tiny_models.dense(library), tiny_models.dense(library)
    teacher.layers[-1].bias.assign([0.0, 0.0, 9.0])
    seen: list[tuple[int, int]] = []
    context = RunContext(original=teacher, told=lambda *now: seen.append(now), owned=True)
    how = FineTune(epochs=3, batch=8, learning_rate=0.1, teacher="original")
    run = StepRun(student, {"x_calibration": X}, how, context=context)
    assert run.model is student
    run.train(student)
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert np.mean(np.argmax(np.asarray(student(X)), axis=1) == 2) > 0.9


def test_a_model_is_copied_unless_it_is_changed_or_rebuilt(library: Any) -> None:
    model = tiny_models.dense(library)
    assert StepRun(model, None, None).model is not model
    assert StepRun(model, None, None, in_place=True).model is model
    assert StepRun(model, None, None, rebuilds=True).model is model


def test_training_without_labels_is_refused_at_once(library: Any) -> None:
    model = tiny_models.dense(library)
    with pytest.raises(InputError, match="label"):
        StepRun(model, {"x_calibration": X}, FineTune(), one_shot=False)
