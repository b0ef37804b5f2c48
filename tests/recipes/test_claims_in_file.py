"""Claims put to the bytes of a file, and files for which they do not hold."""

from typing import Any

import numpy as np
import pytest

from tests.tiny_models import LIBRARIES, convolutional, dense, examples
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.network.weights import select
from tflite_squeeze.recipes.claims_in_file import WeightClaim, check_claims

pytestmark = pytest.mark.slow


def _claims(model: Any, **claimed: Any) -> list[WeightClaim]:
    return [
        WeightClaim(weight=one.name, matrix=one.matrix(np.asarray(one.variable)), **claimed)
        for one in select(model).targets
    ]


def _normalised(library: Any) -> Any:
    """A depthwise and a pointwise convolution whose normalisation the converter folds in."""
    layers = library.layers
    library.utils.set_random_seed(3)
    model = library.Sequential(
        [
            library.Input((8, 8, 4), name="image"),
            layers.DepthwiseConv2D(3, use_bias=False, name="depth"),
            layers.BatchNormalization(name="bn_1"),
            layers.ReLU(),
            layers.Conv2D(6, 1, use_bias=False, name="point"),
            layers.BatchNormalization(name="bn_2"),
            layers.Flatten(),
            layers.Dense(3, name="y"),
        ]
    )
    generator = np.random.default_rng(0)
    for layer in model.layers:
        if layer.name.startswith("bn"):
            layer.set_weights([generator.uniform(0.5, 2, w.shape) for w in layer.get_weights()])
    return model


@pytest.mark.parametrize("quantize", ["none", "float16", "dynamic", "int8"])
@pytest.mark.parametrize("build", [dense, convolutional, _normalised])
def test_zeros_and_values_are_found(build: Any, quantize: str) -> None:
    model = build(LIBRARIES["keras"])
    for target in select(model).targets:
        values = np.sign(np.asarray(target.variable)) * 0.25
        values.reshape(-1)[::2] = 0.0
        target.variable.assign(values)
    x = examples(64, *model.input_shape[1:])
    tflite = convert(model, Convert(quantize=quantize), x, verification=None).tflite
    claims = [
        WeightClaim(weight=one.weight, matrix=one.matrix, zeros=one.matrix.size // 2, distinct=3)
        for one in _claims(model)
    ]
    checks = check_claims(tflite, claims)
    assert len(checks) == 2 * len(claims)
    assert [check.passed for check in checks] == [True] * len(checks)
    assert all(check.tensor for check in checks)


def test_a_file_of_the_model_before_it_was_changed_fails() -> None:
    """The check can fail: the file is that of the dense model."""
    model = dense(LIBRARIES["keras"])
    tflite = convert(model, verification=None).tflite
    claims = _claims(model, zeros=20, distinct=4, dtypes=("int8",))
    checks = check_claims(tflite, claims)
    assert [(check.kind, check.passed) for check in checks[:3]] == [
        ("zeros", False), ("distinct values", False), ("dtype", False),
    ]  # fmt: skip
    assert checks[0].claimed == "20 or more"
    assert checks[0].found == "0"
    assert checks[2].found == "float32"


def test_a_weight_that_is_not_there() -> None:
    tflite = convert(dense(LIBRARIES["keras"]), verification=None).tflite
    other = np.random.default_rng(0).normal(size=(16, 8))
    (check,) = check_claims(tflite, [WeightClaim(weight="w", matrix=other, zeros=1)])
    assert check.passed is None
    (check,) = check_claims(tflite, [WeightClaim(weight="w", matrix=other, shape="16 filters")])
    assert check.passed is False
    assert "no such matrix" in check.found


def test_a_shape_that_is_there() -> None:
    model = dense(LIBRARIES["tf_keras"])
    tflite = convert(model, verification=None).tflite
    check, _ = check_claims(tflite, _claims(model, shape="16 of 32 units"))
    assert (check.kind, check.found, check.passed) == ("shape", "16x8", True)
