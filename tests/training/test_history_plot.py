"""Training curves as a picture."""

import io

import numpy as np
from PIL import Image

from tflite_squeeze.training.tables import history_plot

BLUE, ORANGE = (0x44, 0x77, 0xAA), (0xEE, 0x77, 0x33)
LOSS = {"loss": [0.5, 0.25, 0.2]}


def _picture(png: bytes | None) -> Image.Image:
    assert png is not None
    return Image.open(io.BytesIO(png)).convert("RGB")


def _has(picture: Image.Image, colour: tuple[int, int, int]) -> bool:
    return bool((np.asarray(picture) == colour).all(axis=-1).any())


def test_training_and_validation_have_a_colour_each() -> None:
    alone = _picture(history_plot(LOSS))
    both = _picture(history_plot(LOSS | {"val_loss": [0.6, 0.4, 0.3]}))
    assert _has(alone, BLUE)
    assert not _has(alone, ORANGE)
    assert _has(both, ORANGE)


def test_accuracy_has_a_picture_beside_the_loss() -> None:
    one = _picture(history_plot(LOSS))
    two = _picture(history_plot(LOSS | {"accuracy": [0.5, 0.6, 0.7]}))
    assert two.width > 1.8 * one.width


def test_one_epoch_or_none_makes_no_curve() -> None:
    assert history_plot({"loss": [0.5]}) is None
    assert history_plot({}) is None
