"""What the verbs of all techniques have in common."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.tiny_models import examples
from tflite_squeeze.errors import InputError
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.record import StepRecord
from tflite_squeeze.training.step_run import StepRun

X = examples(96, 8)
Y = np.argmax(X[:, :3], axis=1)
DATA = {"x_train": X[:64], "y_train": Y[:64], "x_test": X[64:], "y_test": Y[64:]}


@pytest.mark.slow
def test_stages_add_up_and_facts_make_a_record(library: Any) -> None:
    model = tiny_models.dense(library)
    run = StepRun(model, DATA, FineTune(epochs=9, learning_rate=0.05), one_shot=False)
    assert run.trains
    run.train(model, epochs=1)
    run.train(model, epochs=3)
    record = StepRecord(skipped=(), **run.facts(model, "told"))
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


def test_training_without_labels_is_refused_at_once(library: Any) -> None:
    model = tiny_models.dense(library)
    with pytest.raises(InputError, match="label"):
        StepRun(model, {"x_calibration": X}, FineTune(), one_shot=False)
