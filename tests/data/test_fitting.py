"""Images whose channels are elsewhere than a model takes them."""

import numpy as np
import pytest
import tensorflow as tf

from tflite_squeeze.data.data import load_data
from tflite_squeeze.data.preprocessing import Preprocessing
from tflite_squeeze.errors import InputError


def test_images_with_their_channels_first_are_moved_for_a_model_that_takes_them_last() -> None:
    images = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    wanted = {"image": tf.TensorSpec((None, 4, 5, 3), tf.float32)}
    fitted = load_data(images).fitted_to(wanted)
    assert fitted.sample("validation", 2).inputs["image"].tolist() == (
        images.transpose(0, 2, 3, 1).tolist()
    )
    assert any("channels first" in note for note in fitted.notes)


def test_a_mean_for_each_channel_needs_the_layout_to_be_stated() -> None:
    images = np.zeros((2, 3, 4, 3), np.float32)
    wanted = {"image": tf.TensorSpec((None, 4, 3, 3), tf.float32)}
    data = load_data(images, preprocessing=Preprocessing(mean=(1.0, 2.0, 3.0)))
    with pytest.raises(InputError, match="--layout channels_last"):
        data.fitted_to(wanted)
