"""tf.data, generators and the user's own functions: read as streams, errors in one line."""

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tflite_squeeze.data.data import load_data
from tflite_squeeze.data.preprocessing import Preprocessing
from tflite_squeeze.errors import InputError, UsageError


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module in the current folder, full of functions that a user could have written."""
    (tmp_path / "their_data.py").write_text(
        "import numpy as np\n"
        "import tensorflow as tf\n"
        "def pairs():\n"
        "    return tf.data.Dataset.from_tensor_slices((np.ones((6, 2), np.uint8), range(6)))\n"
        "def parts():\n"
        "    return pairs(), pairs().take(2)\n"
        "def named():\n"
        "    return {'train': pairs(), 'test': pairs().take(1), 'class_names': list('abcdef')}\n"
        "def generator():\n"
        "    for index in range(3):\n"
        "        yield np.full(2, index, np.float32), index\n"
        "def broken():\n"
        "    raise KeyError('no such\\nfile')\n"
        "def broken_later():\n"
        "    yield np.zeros(2)\n"
        "    yield np.zeros(2)\n"
        "    raise ValueError('boom')\n"
        "def nothing():\n"
        "    yield from ()\n"
        "def text():\n"
        "    return 'text'\n"
        "def empty():\n"
        "    return pairs().take(0)\n"
        "value = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    yield "their_data"
    sys.modules.pop("their_data", None)


def test_function_of_the_current_folder_gives_a_pipeline(module: str) -> None:
    path = list(sys.path)
    data = load_data(f"{module}:pairs")
    assert sys.path == path
    assert data.source == f"{module}:pairs"
    assert data.sample("train", None).labels.tolist() == [0, 1, 2, 3, 4, 5]


def test_function_may_give_parts(module: str) -> None:
    assert load_data(f"{module}:parts").describe()["examples"] == {"train": 6, "validation": 2}
    data = load_data(f"{module}:named")
    assert data.describe()["examples"] == {"train": 6, "validation": 1}
    assert data.class_names == tuple("abcdef")


def test_generator_function_starts_anew_for_every_pass(module: str) -> None:
    data = load_data(f"{module}:generator")
    for _ in range(2):
        assert data.sample("train", None).labels.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("function", "match"),
    [
        ("broken", "their_data:broken failed with KeyError"),
        ("nothing", "yields nothing"),
        ("text", "is a str: give an unbatched"),
        ("empty", "is empty"),
        ("value", "is a int: name a function"),
        ("missing", r"cannot import it \(AttributeError"),
    ],
)
def test_failing_functions_are_named_in_one_line(module: str, function: str, match: str) -> None:
    with pytest.raises(InputError, match=match) as caught:
        load_data(f"{module}:{function}")
    assert "\n" not in str(caught.value)


def test_unknown_module_is_refused() -> None:
    with pytest.raises(InputError, match=r"cannot import it \(ModuleNotFoundError"):
        load_data("no_such_module_anywhere:function")


def test_generator_that_fails_later_says_why(module: str) -> None:
    data = load_data(f"{module}:broken_later")
    assert data.sample("train", 2).count == 2
    with pytest.raises(InputError, match="ValueError: boom") as caught:
        data.sample("train", None)
    assert "\n" not in str(caught.value)


def test_endless_generator_is_read_no_further_than_asked() -> None:
    read = []

    def endless() -> Iterator[np.ndarray]:
        for index in itertools.count():
            read.append(index)
            yield np.full(3, index, np.float32)

    data = load_data(endless, preprocessing=Preprocessing(scale=2)).fitted_to(
        {"in": tf.TensorSpec((None, 3), tf.float32)}
    )
    read.clear()
    assert data.sample("calibration", 50).inputs["in"][:, 0].tolist() == list(range(0, 100, 2))
    assert read == list(range(50))
    read.clear()
    batches = data.calibration_batches(1000, 10)
    next(batches)
    assert len(read) < 1000


def test_endless_pipeline_needs_a_count() -> None:
    data = load_data(tf.data.Dataset.from_tensors(np.zeros(2)).repeat())
    with pytest.raises(UsageError, match="no end"):
        data.sample("train", None)
    assert data.sample("train", 3).count == 3


def test_several_inputs_and_outputs_by_name() -> None:
    def examples() -> Iterator[object]:
        yield {"a": np.zeros(2), "b": [1, 2, 3]}, {"first": 1, "second": 0.5}

    sample = load_data(examples).sample("train", None)
    assert sample.inputs["b"].tolist() == [[1, 2, 3]]
    assert sample.labels["first"].dtype == np.int64
    assert sample.labels["second"].dtype == np.float32


def test_one_hot_labels_of_a_pipeline_become_class_ids() -> None:
    one_hot = tf.data.Dataset.from_tensor_slices((np.zeros((3, 1)), np.eye(3)[[2, 0, 1]]))
    data = load_data(one_hot)
    assert data.sample("train", None).labels.tolist() == [2, 0, 1]
    assert "one-hot labels were read as class ids" in data.notes
    several = tf.data.Dataset.from_tensor_slices((np.zeros((2, 1)), [[1, 1], [0, 1]]))
    assert load_data(several).sample("train", None).labels.tolist() == [[1, 1], [0, 1]]


def test_batched_pipeline_is_refused_with_the_remedy() -> None:
    data = load_data(tf.data.Dataset.from_tensor_slices(np.zeros((4, 2), np.float32)).batch(2))
    with pytest.raises(InputError, match=r"dataset\.unbatch\(\)"):
        data.fitted_to({"in": tf.TensorSpec((None, 2), tf.float32)})


def test_nan_in_a_stream_is_found_when_it_is_read() -> None:
    data = load_data(tf.data.Dataset.from_tensor_slices([0.0, 1.0, np.nan]))
    assert data.sample("train", 2).count == 2
    with pytest.raises(InputError, match="NaN or infinite"):
        data.sample("train", None)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (3, "is a int: give an unbatched"),
        ({"train": np.zeros((2, 2)), "holdout": np.zeros((2, 2))}, "unknown part 'holdout'"),
        ({"train": np.zeros((2, 2)), "preprocessing": 3}, "not a Preprocessing"),
        ((1, 2, 3), "is a tuple"),
    ],
)
def test_other_objects_are_refused(data: object, match: str) -> None:
    with pytest.raises(InputError, match=match):
        load_data(data)


def test_odd_elements_are_refused() -> None:
    x = np.zeros((2, 2))
    with pytest.raises(InputError, match="yields 3 values per example"):
        load_data(tf.data.Dataset.from_tensor_slices((x, x, x)))
    with pytest.raises(InputError, match="inputs that are neither one dense tensor"):
        load_data(tf.data.Dataset.from_tensor_slices(((x, x), x)))
    with pytest.raises(InputError, match="labels that are neither"):
        load_data(tf.data.Dataset.from_tensor_slices((x, (x, x))))


def test_parts_may_be_arrays_or_pipelines() -> None:
    x = np.zeros((4, 2))
    data = load_data({"train": tf.data.Dataset.from_tensor_slices(x), "test": x})
    assert data.describe()["examples"] == {"train": 4, "validation": 4}
    assert load_data((tf.data.Dataset.from_tensor_slices(x), None)).train is not None
