"""Which kind of data a word means."""

from pathlib import Path

import numpy as np
import pytest

from tflite_squeeze.data.data import load_data
from tflite_squeeze.errors import InputError

SAMPLES = Path(__file__).parents[2] / "models" / "samples"
SHAPES = {"fashion-mnist": (28, 28, 1), "mnist": (28, 28, 1), "watch": (128, 6)}


@pytest.mark.parametrize(
    "text", ["nothing.npz", "fashion-mnits", "no/such/folder", "*.tfrecord", "module:", ""]
)
def test_what_does_not_exist_is_refused_with_the_choices(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        InputError, match=r"fashion-mnist, mnist, watch, or package\.module:function"
    ):
        load_data(text)


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("1,2,3")
    with pytest.raises(InputError, match="cannot be read"):
        load_data(tmp_path / "data.csv")


@pytest.mark.parametrize(("name", "shape"), SHAPES.items())
def test_samples_are_small_real_and_say_how_they_are_preprocessed(name, shape) -> None:
    data = load_data(SAMPLES / f"{name}.npz")
    train, test = data.sample("train", None), data.sample("validation", None)
    assert train.count == test.count == 256
    assert train.inputs["x"].shape[1:] == shape
    for sample in (train, test):
        counts = np.bincount(sample.labels)
        assert len(counts) == len(data.class_names)
        assert counts.max() - counts.min() <= 1
    assert not np.array_equal(train.inputs["x"], test.inputs["x"])
    assert data.preprocessing.changes_values
    assert data.notes[0].startswith("origin: ")


def test_samples_together_stay_below_two_megabytes() -> None:
    assert sum(path.stat().st_size for path in SAMPLES.iterdir()) < 2_000_000


@pytest.mark.parametrize("name", ["fashion-mnist", "mnist"])
def test_pixels_are_scaled_to_one(name: str) -> None:
    x = load_data(SAMPLES / f"{name}.npz").sample("train", None).inputs["x"]
    assert x.min() == 0
    assert x.max() == pytest.approx(1)


def test_watch_is_normalised_to_about_zero_and_one() -> None:
    x = load_data(SAMPLES / "watch.npz").sample("train", None).inputs["x"]
    assert np.abs(x.mean((0, 1))).max() < 0.2
    assert np.abs(x.std((0, 1)) - 1).max() < 0.3
