"""The momentum of moving statistics: lower during a training, the layers' own after it."""

from typing import Any

import numpy as np

from tests.tiny_models import examples
from tflite_squeeze.training.config import FineTune
from tflite_squeeze.training.momentum import momentum_at_most, momentum_of
from tflite_squeeze.training.step_run import StepRun

X = examples(64, 8)


def normalized(library: Any, **options: Any) -> Any:
    layers = library.layers
    inside = library.Sequential([library.Input((8,)), layers.BatchNormalization(**options)])
    return library.Sequential([library.Input((8,)), inside, layers.Dense(3)])


def test_it_is_lower_for_the_block_in_nested_models_too(library: Any) -> None:
    model = normalized(library)
    layer = model.layers[-2].layers[-1]
    assert momentum_of(model) == 0.99
    with momentum_at_most(model, 0.5):
        assert momentum_of(model) == 0.5
    assert layer.get_config()["momentum"] == 0.99
    with momentum_at_most(model, None):
        assert momentum_of(model) == 0.99
    assert momentum_of(library.Sequential([library.Input((8,)), library.layers.Dense(3)])) is None


def test_statistics_follow_and_the_config_is_as_it_was(library: Any) -> None:
    model = normalized(library)
    model.compile(loss="mse")
    data = {"x_train": X + 5, "y_train": X[:, :3]}
    means = {}
    for momentum in (None, 0.99):
        config = FineTune(steps=20, batch=16, batchnorm_momentum=momentum)
        run = StepRun(model, data, config)
        run.train(run.model)
        layer = run.model.layers[-2].layers[-1]
        means[momentum] = float(np.mean(np.asarray(layer.moving_mean)))
        assert layer.get_config()["momentum"] == 0.99
    assert means[None] > 4.5
    assert means[0.99] < 2
