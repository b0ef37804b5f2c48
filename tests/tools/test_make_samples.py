"""tools/make_samples.py draws fairly, and the samples in the repository are what it draws."""

import io
import runpy
from pathlib import Path

import numpy as np
import pytest

from tflite_squeeze.data.named_sets import load_named_set

REPOSITORY = Path(__file__).parents[2]
TOOL = runpy.run_path(str(REPOSITORY / "tools" / "make_samples.py"))


def test_classes_are_drawn_as_equally_as_they_allow() -> None:
    labels = np.repeat([0, 1, 2], [100, 50, 3])
    drawn = TOOL["stratified"](labels, 13, seed=1)
    assert np.bincount(labels[drawn]).tolist() == [5, 5, 3]
    assert drawn.tolist() == sorted(set(drawn))
    assert TOOL["stratified"](labels, 13, seed=1).tolist() == drawn.tolist()
    assert TOOL["stratified"](labels, 13, seed=2).tolist() != drawn.tolist()


@pytest.mark.full_data
def test_samples_in_the_repository_are_what_the_tool_draws() -> None:
    content = TOOL["sample_file"](load_named_set("fashion-mnist"))
    with (
        np.load(io.BytesIO(content)) as drawn,
        np.load(REPOSITORY / "models" / "samples" / "fashion-mnist.npz") as kept,
    ):
        assert set(drawn) == set(kept)
        for key in drawn:
            np.testing.assert_array_equal(drawn[key], kept[key])
