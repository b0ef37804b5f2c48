"""Image folders: listed, decoded lazily, resized and recoloured for the model."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tflite_squeeze.data.data import load_data
from tflite_squeeze.data.image_folder import decode_image
from tflite_squeeze.data.preprocessing import Preprocessing
from tflite_squeeze.errors import InputError

MODEL = {"in": tf.TensorSpec((None, 6, 4, 3), tf.float32)}


def put(path: Path, value: int, mode: str = "RGB", size: tuple[int, int] = (4, 6)) -> None:
    """An image of one colour; size is (width, height), as Pillow has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    color: object = value if mode == "L" else (value,) * len(mode)
    Image.new(mode, size, color).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index in range(5):
        put(tmp_path / "ant" / f"{index}.png", 10)
        put(tmp_path / "bee" / f"{index}.jpg", 200)
    (tmp_path / "ant" / "notes.txt").write_text("not an image")
    return tmp_path


def test_classes_are_folders_in_order_and_labels_go_with_their_images(folder: Path) -> None:
    data = load_data(folder).fitted_to(MODEL)
    sample = data.sample("train", None)
    assert data.class_names == ("ant", "bee")
    assert data.describe()["examples"]["train"] == 10
    assert sample.inputs["in"].shape == (10, 6, 4, 3)
    bright = sample.inputs["in"].mean((1, 2, 3)) > 100
    assert bright.tolist() == (sample.labels == 1).tolist()
    assert sorted(sample.labels.tolist()) == [0] * 5 + [1] * 5


def test_a_few_examples_are_not_all_of_one_class(folder: Path) -> None:
    batches = load_data(folder).fitted_to(MODEL).calibration_batches(4, 4)
    means = next(batches)["in"].mean((1, 2, 3))
    assert means.min() < 50 < 150 < means.max()


def test_parts_are_folders_too(tmp_path: Path) -> None:
    put(tmp_path / "train" / "ant" / "0.png", 1)
    put(tmp_path / "train" / "bee" / "0.png", 2)
    put(tmp_path / "test" / "bee" / "0.png", 3)
    data = load_data(tmp_path).fitted_to(MODEL)
    assert data.describe()["examples"] == {"train": 2, "validation": 1}
    assert data.sample("validation", None).labels.tolist() == [1]


def test_test_class_that_training_lacks_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "train" / "ant" / "0.png", 1)
    put(tmp_path / "val" / "wasp" / "0.png", 3)
    with pytest.raises(InputError, match="class 'wasp', which the training part lacks"):
        load_data(tmp_path)


def test_images_without_class_folders_have_no_labels(tmp_path: Path) -> None:
    put(tmp_path / "0.png", 1)
    data = load_data(tmp_path)
    assert not data.labelled
    assert any("no labels" in note for note in data.notes)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_every_format_becomes_what_the_model_takes(tmp_path, suffix, channels, mode) -> None:
    put(tmp_path / "a" / f"0.{suffix}", 100, mode)
    model = {"in": tf.TensorSpec((None, 6, 4, channels), tf.float32)}
    image = load_data(tmp_path).fitted_to(model).sample("train", 1).inputs["in"]
    assert image.shape == (1, 6, 4, channels)
    assert np.abs(image - 100).max() <= 2


def test_alpha_goes(tmp_path: Path) -> None:
    put(tmp_path / "a" / "0.png", 100, "RGBA")
    assert load_data(tmp_path).fitted_to(MODEL).spec["in"].shape == (6, 4, 3)


def test_images_of_any_size_are_resized_to_the_model_s(tmp_path: Path) -> None:
    put(tmp_path / "a" / "0.png", 100, size=(9, 5))
    put(tmp_path / "a" / "1.png", 100, size=(20, 30))
    assert load_data(tmp_path).fitted_to(MODEL).sample("train", None).inputs["in"].shape[0] == 2


def test_different_sizes_without_a_model_are_refused_with_the_remedy(tmp_path: Path) -> None:
    put(tmp_path / "a" / "0.png", 100, size=(9, 5))
    put(tmp_path / "a" / "1.png", 100, size=(20, 30))
    with pytest.raises(InputError, match="--image-size"):
        load_data(tmp_path).sample("train", None)


def test_stated_size_wins_and_must_be_the_model_s(folder: Path) -> None:
    data = load_data(folder, preprocessing=Preprocessing(image_size=(8, 8)))
    with pytest.raises(InputError, match=r"\(8, 8, 3\), but .* \(6, 4, 3\): change --image-size"):
        data.fitted_to(MODEL)
    open_size = {"in": tf.TensorSpec((None, None, None, 3), tf.float32)}
    assert data.fitted_to(open_size).spec["in"].shape == (8, 8, 3)
    with pytest.raises(InputError, match="pass --image-size HxW"):
        load_data(folder).fitted_to(open_size)


def test_channels_first_models_get_their_size_from_the_right_axes(folder: Path) -> None:
    data = load_data(folder, preprocessing=Preprocessing(layout="channels_first", scale=1 / 255))
    fitted = data.fitted_to({"in": tf.TensorSpec((None, 3, 6, 4), tf.float32)})
    assert fitted.sample("train", 2).inputs["in"].shape == (2, 3, 6, 4)
    assert fitted.sample("train", None).inputs["in"].max() < 1


def test_models_without_a_channel_axis_take_grey_images(folder: Path) -> None:
    fitted = load_data(folder).fitted_to({"in": tf.TensorSpec((None, 6, 4), tf.float32)})
    assert fitted.sample("train", 2).inputs["in"].shape == (2, 6, 4)


def test_models_that_take_uint8_get_uint8(folder: Path) -> None:
    fitted = load_data(folder).fitted_to({"in": tf.TensorSpec((None, 6, 4, 3), tf.uint8)})
    assert fitted.sample("train", None).inputs["in"].dtype == np.uint8


def test_images_are_decoded_when_read_and_not_before(folder: Path) -> None:
    """A damaged image that nobody asks for hurts nobody; asking for it names the data."""
    data = load_data(folder).fitted_to(MODEL)
    for path in folder.rglob("*.png"):
        path.write_bytes(b"damaged")
    with pytest.raises(InputError, match="cannot be read") as caught:
        data.sample("train", None)
    assert "\n" not in str(caught.value)
    assert ".png" in str(caught.value)


@pytest.mark.parametrize("class_folder", ["a", ""])
def test_empty_folders_are_refused(tmp_path: Path, class_folder: str) -> None:
    (tmp_path / "set" / class_folder).mkdir(parents=True)
    with pytest.raises(InputError, match="neither images nor"):
        load_data(tmp_path / "set")


def test_class_without_an_image_is_refused(folder: Path) -> None:
    (folder / "wasp").mkdir()
    with pytest.raises(InputError, match="wasp holds no image"):
        load_data(folder)


def test_grayscale_is_luma() -> None:
    png = tf.io.encode_png(np.array([[[255, 0, 0]]], np.uint8))
    assert decode_image(png, "grayscale", None).numpy().item() == 76
    assert decode_image(png, None, None).numpy().tolist() == [[[255, 0, 0]]]
