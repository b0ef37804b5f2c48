"""Data as a whole: parts, samples, and how it is fitted to a model."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tflite_squeeze.data.data import load_data
from tflite_squeeze.data.preprocessing import Preprocessing
from tflite_squeeze.errors import InputError, UsageError

FLOAT = tf.float32


def images(count: int, *shape: int) -> np.ndarray:
    size = count * int(np.prod(shape))
    return (np.arange(size) % 256).astype(np.uint8).reshape(count, *shape)


def test_train_and_test_parts_go_where_they_belong() -> None:
    arrays = {
        "x_train": np.zeros((5, 2), np.float32), "y_train": np.arange(5),
        "x_test": np.ones((3, 2), np.float32), "y_test": np.arange(3),
    }  # fmt: skip
    data = load_data(arrays)
    assert data.labelled
    assert data.notes == ()
    assert data.sample("train", None).count == 5
    assert data.sample("validation", None).inputs["x"].min() == 1
    assert data.sample("calibration", None).inputs["x"].max() == 0
    assert data.describe()["examples"] == {"train": 5, "validation": 3}


def test_one_part_alone_serves_for_all_with_a_note() -> None:
    data = load_data(np.zeros((4, 2), np.float32))
    assert not data.labelled
    assert data.sample("validation", None).labels is None
    (note,) = data.notes
    assert note.startswith("there is no test part: answers are compared on the train part")
    labelled = load_data({"x": np.zeros((4, 2), np.float32), "y": np.zeros(4, int)})
    assert any("no test part: accuracy is measured" in note for note in labelled.notes)


def test_test_part_alone_calibrates_with_a_note_and_trains_nothing() -> None:
    data = load_data({"x_test": np.zeros((4, 2)), "y_test": np.zeros(4, int)})
    assert data.train is None
    assert any("calibrated on the test part" in note for note in data.notes)
    with pytest.raises(UsageError, match="no train part"):
        data.sample("train", 1)


def test_calibration_part_needs_no_labels() -> None:
    data = load_data(
        {"x_calibration": np.ones((2, 2)), "x_test": np.zeros((4, 2)), "y_test": np.zeros(4, int)}
    )
    assert data.labelled
    assert next(data.calibration_batches(2, 2))["x"].min() == 1


def test_sample_spreads_over_sets_sorted_by_class() -> None:
    data = load_data((np.arange(10.0)[:, None], np.arange(10)))
    assert data.sample("train", 5).labels.tolist() == [0, 2, 4, 6, 8]
    assert data.sample("train", 99).count == 10


def test_calibration_batches_are_of_the_size_asked_for() -> None:
    data = load_data(np.arange(10.0)[:, None])
    shapes = [batch["x"].shape for batch in data.calibration_batches(5, 2)]
    assert shapes == [(2, 1), (2, 1), (1, 1)]


@pytest.mark.parametrize("count", [0, -1])
def test_sample_of_nothing_is_refused(count: int) -> None:
    with pytest.raises(UsageError, match="at least one"):
        load_data(np.zeros((3, 1))).sample("train", count)


def test_preprocessing_is_applied_once_even_after_two_fits() -> None:
    data = load_data(
        np.full((2, 3, 3), 255, np.uint8), preprocessing=Preprocessing(scale=1 / 255, mean=0.5)
    )
    model = {"in": tf.TensorSpec((None, 3, 3, 1), FLOAT)}
    fitted = data.fitted_to(model).fitted_to(model)
    assert fitted.sample("train", None).inputs["in"].max() == pytest.approx(0.5)
    assert fitted.notes.count("input 'in': a channel axis of size 1 was added") == 1
    assert fitted.describe()["preprocessing"] == {"scale": 1 / 255, "mean": 0.5}


def test_describe_is_json() -> None:
    described = load_data((images(2, 4, 4, 3), np.array([0, 1]))).describe()
    assert json.loads(json.dumps(described)) == described
    assert described["inputs"] == {"x": {"shape": [4, 4, 3], "dtype": "uint8"}}


def test_data_passes_through_and_new_preprocessing_replaces_the_old() -> None:
    data = load_data(np.full((2, 2), 4.0), preprocessing=Preprocessing(scale=0.5))
    assert load_data(data) is data
    again = load_data(data, preprocessing=Preprocessing(scale=0.25))
    assert again.sample("train", 1).inputs["x"][0, 0] == 1.0


def test_stated_preprocessing_wins_over_the_data_s_own_with_a_note() -> None:
    arrays = {"x": np.full((2, 2), 4.0), "preprocessing": '{"scale": 0.5}'}
    assert load_data(arrays).sample("train", 1).inputs["x"].max() == 2.0
    data = load_data(arrays, preprocessing=Preprocessing(scale=0.25))
    assert data.sample("train", 1).inputs["x"].max() == 1.0
    assert any("replaces" in note for note in data.notes)


def test_single_input_takes_the_model_s_name_and_dtype() -> None:
    fitted = load_data(images(2, 3)).fitted_to({"in": tf.TensorSpec((None, 3), FLOAT)})
    assert fitted.spec == {"in": tf.TensorSpec((3,), FLOAT)}
    assert fitted.sample("train", 1).inputs["in"].dtype == np.float32


def test_pixels_without_a_stated_scale_are_noted() -> None:
    model = {"in": tf.TensorSpec((None, 3), FLOAT)}
    assert "--scale 1/255" in load_data(images(2, 3)).fitted_to(model).notes[-1]
    scaled = load_data(images(2, 3), preprocessing=Preprocessing(scale=1 / 255))
    assert not any("--scale" in note for note in scaled.fitted_to(model).notes)


def test_channel_axis_of_size_one_is_dropped_where_the_model_has_none() -> None:
    fitted = load_data(images(2, 4, 4, 1)).fitted_to({"in": tf.TensorSpec((None, 4, 4), FLOAT)})
    assert fitted.sample("train", 1).inputs["in"].shape == (1, 4, 4)
    assert "input 'in': a channel axis of size 1 was dropped" in fitted.notes


def test_several_inputs_match_by_name_and_keep_their_labels() -> None:
    arrays = {
        "x:a": np.zeros((3, 2)), "x:b": np.ones((3, 4)),
        "y:first": np.arange(3), "y:second": np.arange(3) * 0.5,
    }  # fmt: skip
    model = {"b": tf.TensorSpec((None, 4), FLOAT), "a": tf.TensorSpec((None, 2), FLOAT)}
    sample = load_data(arrays).fitted_to(model).sample("train", 3)
    assert {name: x.shape for name, x in sample.inputs.items()} == {"a": (3, 2), "b": (3, 4)}
    assert sample.labels["first"].tolist() == [0, 1, 2]
    assert sample.labels["second"].tolist() == [0.0, 0.5, 1.0]


def test_several_inputs_under_other_names_are_refused() -> None:
    data = load_data({"x:a": np.zeros((3, 2)), "x:b": np.ones((3, 4))})
    model = {"a": tf.TensorSpec((None, 2), FLOAT), "c": tf.TensorSpec((None, 4), FLOAT)}
    with pytest.raises(InputError, match=r"\['a', 'b'\], the model takes \['a', 'c'\]"):
        data.fitted_to(model)


@pytest.mark.parametrize(
    ("given", "wanted", "remedy"),
    [
        ((4, 4, 3), (None, 8, 8, 3), "trained on"),
        ((4, 6, 3), (None, 3, 4, 6), "--layout channels_first"),
        ((8, 4, 4), (None, 4, 4), "unbatch"),
        ((4, 4), (None, 16), "reshape"),
    ],
)  # fmt: skip
def test_wrong_shape_names_both_and_the_remedy(given, wanted, remedy) -> None:
    data = load_data(images(2, *given))
    with pytest.raises(InputError) as caught:
        data.fitted_to({"in": tf.TensorSpec(wanted, FLOAT)})
    message = str(caught.value)
    assert str(given) in message
    assert str(tuple(wanted[1:])).replace(",)", "") in message.replace(",)", "")
    assert remedy in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("given", "wanted", "fits"),
    [
        (np.uint8, tf.float32, True), (np.int64, tf.int32, True), (np.float64, tf.float32, True),
        (bool, tf.float32, True), (np.uint8, tf.int16, True), (np.uint8, tf.int8, False),
        (np.float32, tf.int32, False), (np.int32, tf.string, False),
    ],
)  # fmt: skip
def test_only_casts_that_keep_values_are_made(given, wanted, fits) -> None:
    data = load_data(np.ones((2, 3), given))
    model = {"in": tf.TensorSpec((None, 3), wanted)}
    if fits:
        assert data.fitted_to(model).spec["in"].dtype == wanted
    else:
        with pytest.raises(InputError, match=f"takes {wanted.name}"):
            data.fitted_to(model)


def test_layout_stated_moves_the_channels() -> None:
    data = load_data(images(2, 4, 6, 3), preprocessing=Preprocessing(layout="channels_first"))
    fitted = data.fitted_to({"in": tf.TensorSpec((None, 3, 4, 6), FLOAT)})
    expected = images(2, 4, 6, 3).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(fitted.sample("train", None).inputs["in"], expected)


def test_mean_per_channel_must_fit_the_channels() -> None:
    with pytest.raises(InputError, match=r"mean has 3 numbers, but .* has 1 channels"):
        load_data(images(2, 4, 4, 1), preprocessing=Preprocessing(mean=(1, 2, 3)))


def test_preprocessing_of_one_input_leaves_the_others_alone() -> None:
    data = load_data(
        {"image": images(2, 3), "ids": np.array([[1, 2], [3, 4]])},
        preprocessing=Preprocessing(scale=0.5, inputs=("image",)),
    )
    assert data.spec["ids"].dtype == tf.int64
    assert data.spec["image"].dtype == FLOAT
    assert data.sample("train", 1).inputs["image"].tolist() == [[0.0, 0.5, 1.0]]


def test_preprocessing_of_an_input_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match="'imgae'"):
        load_data(images(2, 3), preprocessing=Preprocessing(scale=0.5, inputs=("imgae",)))
