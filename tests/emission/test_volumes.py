"""Pools of volumes in files: exact in float, within a step or two in integers."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.emission.volumes import planes_for_volumes, pooled_volumes
from tflite_squeeze.tflite.flatbuffer import operator_names

_VOLUMES = np.random.default_rng(0).normal(size=(16, 5, 7, 6, 3)).astype(np.float32)
_LAYERS = [
    ("MaxPooling3D", {"pool_size": 2}),
    ("MaxPooling3D", {"pool_size": (3, 2, 3), "strides": (1, 2, 2), "padding": "same"}),
    ("MaxPooling3D", {"pool_size": 2, "data_format": "channels_first"}),
    ("AveragePooling3D", {"pool_size": (2, 3, 2), "strides": (2, 1, 3)}),
    ("AveragePooling3D", {"pool_size": (3, 2, 3), "strides": (2, 1, 2), "padding": "same"}),
    ("AveragePooling3D", {"pool_size": (1, 2, 2), "data_format": "channels_first"}),
    ("GlobalMaxPooling3D", {}),
    ("GlobalAveragePooling3D", {"keepdims": True}),
]


def _model(library: Any, kind: str, settings: dict[str, Any]) -> Any:
    volumes = library.Input((5, 7, 6, 3), name="x")
    return library.Model(volumes, getattr(library.layers, kind)(**settings)(volumes))


@pytest.mark.parametrize(("kind", "settings"), _LAYERS)
@pytest.mark.parametrize("quantize", [Quantization.NONE, Quantization.INT8, Quantization.INT16X8])
def test_pools(library: Any, kind: str, settings: dict[str, Any], quantize: Quantization) -> None:
    done = convert(_model(library, kind, settings), Convert(quantize=quantize), _VOLUMES)
    assert done.record.verification is not None
    assert done.record.verification.passed
    steps = {"none": 2e-7, "int8": 2 / 255, "int16x8": 2 / 65535}[quantize.value]
    (output,) = done.record.verification.outputs
    assert output.max_abs_difference <= steps * np.ptp(_VOLUMES)
    assert not {"DEQUANTIZE"} & set(operator_names(done.tflite)[0][1:-1])


def test_any_batch(library: Any) -> None:
    model = _model(library, *_LAYERS[1])
    done = convert(model, Convert(batch="dynamic"), _VOLUMES)
    assert done.record.verification is not None
    assert done.record.verification.passed


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_against_tensorflow(padding: str) -> None:
    for planes, volumes in ((tf.nn.max_pool2d, tf.nn.max_pool3d),
                            (tf.nn.avg_pool2d, tf.nn.avg_pool3d)):  # fmt: skip
        window = (4, 3, 2), (3, 2, 1)
        found = pooled_volumes(planes, tf.constant(_VOLUMES), *window, padding)
        np.testing.assert_allclose(
            found, volumes(_VOLUMES, *window, padding.upper()), rtol=0, atol=1e-6
        )


def test_a_model_is_as_before(library: Any) -> None:
    model = _model(library, *_LAYERS[4])
    before = model(_VOLUMES)
    with planes_for_volumes(model):
        pass
    assert "call" not in vars(model.layers[1])
    np.testing.assert_array_equal(model(_VOLUMES), before)
