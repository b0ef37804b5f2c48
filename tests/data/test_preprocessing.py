"""Preprocessing: hand-computed numbers, and the same ones for arrays and in tf.data."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tflite_squeeze.data.preprocessing import (
    Preprocessing,
    preprocess_array,
    preprocess_tensor,
)


def test_scale_then_mean_then_std_per_channel() -> None:
    preprocessing = Preprocessing(scale=0.5, mean=(1, 2), std=(2, 4))
    x = np.array([[2, 4], [10, 20]])
    assert preprocess_array(x, preprocessing).tolist() == [[0, 0], [2, 2]]


@pytest.mark.parametrize(
    ("layout", "shape", "expected"),
    [("channels_first", (4, 5, 3), (3, 4, 5)), ("channels_last", (3, 4, 5), (4, 5, 3))],
)
def test_layout_moves_the_channels_and_scales_each(layout, shape, expected) -> None:
    preprocessing = Preprocessing(layout=layout, mean=(0, 1, 2))
    x = np.zeros(shape)
    result = preprocess_array(x, preprocessing)
    assert result.shape == expected
    channels_last = result if layout == "channels_last" else np.moveaxis(result, 0, -1)
    assert channels_last[0, 0].tolist() == [0, -1, -2]


def test_channel_axis_is_added_first() -> None:
    preprocessing = Preprocessing(add_channel=True, layout="channels_first")
    assert preprocess_array(np.zeros((4, 5)), preprocessing).shape == (1, 4, 5)


@given(
    scale=st.floats(1e-3, 10), mean=st.none() | st.floats(-5, 5), std=st.none() | st.floats(0.1, 9),
    layout=st.sampled_from([None, "channels_first", "channels_last"]), add=st.booleans(),
)  # fmt: skip
def test_arrays_and_tensors_agree(scale, mean, std, layout, add) -> None:
    preprocessing = Preprocessing(scale=scale, mean=mean, std=std, layout=layout, add_channel=add)
    x = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    expected = preprocess_array(x, preprocessing)
    found = preprocess_tensor(tf.constant(x), preprocessing)
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "value"), [("1/255", 1 / 255), ("0.5", 0.5), (" 1 / 4 ", 0.25), ("1e-2", 0.01)]
)
def test_scale_reads_fractions(text: str, value: float) -> None:
    assert Preprocessing.model_validate({"scale": text}).scale == pytest.approx(value, rel=1e-15)


def test_round_trips_through_json() -> None:
    preprocessing = Preprocessing(
        scale=1 / 255, mean=(0.1, 0.2, 0.3), std=0.5, layout="channels_first", add_channel=True,
        image_size=(96, 64), color="rgb", inputs=("image",),
    )  # fmt: skip
    assert Preprocessing.model_validate_json(preprocessing.model_dump_json()) == preprocessing


def test_what_only_tells_how_files_are_decoded_changes_no_value() -> None:
    assert not Preprocessing(image_size=(2, 2), color="rgb", inputs=("a",)).changes_values
    for changing in (
        {"scale": 2},
        {"mean": 0.0},
        {"add_channel": True},
        {"layout": "channels_last"},
    ):
        assert Preprocessing(**changing).changes_values


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"scale": "1/0"}, "'1/0' is not a number"),
        ({"scale": float("nan")}, "not finite"),
        ({"scale": "nan"}, "'nan' is not a number"),
        ({"mean": (1.0, float("inf"))}, "not finite"),
        ({"std": 0.0}, "greater than 0"),
        ({"std": (1.0, -1.0)}, "greater than 0"),
        ({"image_size": (0, 5)}, "at least 1 x 1"),
        ({"layout": "NCHW"}, "'channels_first' or"),
        ({"color": "cmyk"}, "'grayscale' or"),
    ],
)
def test_unusable_values_are_refused(given, match) -> None:
    with pytest.raises(ValidationError, match=match):
        Preprocessing(**given)
