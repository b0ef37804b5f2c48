"""Examples for a choice and others for the judgement on it."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tflite_squeeze.data.data import load_data
from tflite_squeeze.data.dividing import divided, halves, set_aside

X = np.arange(400, dtype=np.float32).reshape(400, 1)


def numbers(data: Any, part: Any) -> list[int]:
    return [int(one) for one in data.sample(part, None).inputs["x"].ravel()]


def test_one_set_gives_half_to_the_judgement_and_quarters_to_the_choice() -> None:
    parts = divided(load_data((X, np.arange(400) % 3)))
    assert parts.apart
    assert numbers(parts.judging, "validation") == list(range(1, 400, 2))
    assert numbers(parts.choosing, "calibration") == list(range(0, 400, 4))
    assert numbers(parts.choosing, "validation") == list(range(2, 400, 4))
    assert parts.choosing.sample("validation", 3).labels is not None


def test_a_training_part_is_what_is_chosen_on() -> None:
    parts = divided(load_data({"x_train": X, "x_test": -X[:50]}))
    assert parts.apart
    assert numbers(parts.judging, "validation") == [-one for one in range(50)]
    assert numbers(parts.choosing, "calibration") == list(range(0, 400, 2))
    assert numbers(parts.choosing, "validation") == list(range(1, 400, 2))


def test_a_part_to_calibrate_on_stays_whole() -> None:
    data = load_data({"x_train": X, "x_test": -X[:50], "x_calibration": X[:7]})
    parts = divided(data)
    assert numbers(parts.choosing, "calibration") == list(range(7))
    assert numbers(parts.choosing, "validation") == list(range(400))


def test_few_examples_do_both() -> None:
    data = load_data(X[:100])
    parts = divided(data)
    assert not parts.apart
    assert parts.choosing is parts.judging is data


@pytest.mark.parametrize("count", [5, None])
def test_streams_are_halved_as_they_come(count: int | None) -> None:
    stream = tf.data.Dataset.range(5).map(lambda one: {"x": tf.cast([one], tf.float32)})
    part = load_data(stream).raw.validation
    assert count is None or part.count in (None, 5)
    found = [[int(one["x"][0]) for one in half.dataset] for half in halves(part)]
    assert found == [[0, 2, 4], [1, 3]]


@pytest.mark.parametrize(
    ("sizes", "expected", "apart"),
    [
        ({"x_train": 3_000, "x_test": 200}, (2_700, 300, 200), True),
        ({"x_train": 2_000, "x_test": 4_000}, (2_000, 2_000, 2_000), True),
        ({"x_train": 300, "x_test": 200}, (300, 100, 100), True),
        ({"x_train": 300, "x_test": 100}, (300, 100, 100), False),
        ({"x_train": 500}, (300, 100, 100), True),
        ({"x_train": 200}, (200, 200, 200), False),
    ],
)
def test_training_choice_and_judgement_are_apart(
    sizes: dict[str, int], expected: tuple[int, int, int], apart: bool
) -> None:
    start, arrays = 0, {}
    for name, size in sizes.items():
        arrays[name] = np.arange(start, start + size, dtype=np.float32)[:, None]
        start += size
    parts = set_aside(load_data(arrays))
    seen = [
        set(parts.choosing.sample("train", None).inputs["x"].ravel()),
        set(parts.choosing.sample("validation", None).inputs["x"].ravel()),
        set(parts.judging.sample("validation", None).inputs["x"].ravel()),
    ]
    assert tuple(map(len, seen)) == expected
    assert parts.apart == apart
    if apart:
        assert not seen[0] & seen[1]
        assert not seen[1] & seen[2]
        assert not seen[0] & seen[2]
