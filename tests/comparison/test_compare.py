"""Files beside each other with real runs: what is lost is found, and where."""

from pathlib import Path

import numpy as np
import pytest

from tests.runtime.runtime_files import named_dense_file, relu_file
from tests.tiny_models import LIBRARIES, dense
from tests.trained_models import Trained
from tflite_squeeze import Compare, compare, convert
from tflite_squeeze.data.data import load_data
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.errors import InputError, UsageError

# On one worker, which makes what they share once.
pytestmark = [pytest.mark.xdist_group("compare"), pytest.mark.slow]

QUICK = Compare(turns=3)


@pytest.fixture(scope="module")
def pair(trained: Trained) -> dict[str, bytes]:
    """A float file, its int8 form, and the float one with a class that is never found."""
    data = load_data((trained.x, trained.y))
    good = convert(trained.model, verification=None).tflite
    int8 = convert(trained.model, Convert(quantize="int8"), data, verification=None).tflite
    blind = dense(LIBRARIES["keras"])
    *weights, bias = trained.model.get_weights()
    blind.set_weights([*weights, bias - np.float32([100, 0, 0])])
    return {"good": good, "int8": int8, "blind": convert(blind, verification=None).tflite}


def test_what_is_lost_and_where(pair: dict[str, bytes], trained: Trained) -> None:
    record = compare(pair, (trained.x, trained.y), QUICK)
    good, int8, blind = record.files
    assert good.accuracy is not None
    assert int8.accuracy is not None
    assert blind.accuracy is not None
    assert good.accuracy.accuracy == 1.0
    assert int8.accuracy.drop < 0.1
    assert int8.quantization == "int8"
    share = float(np.mean(trained.y == 0))
    assert share > 0
    assert blind.accuracy.drop == pytest.approx(share)
    assert (blind.accuracy.worst_class.name, blind.accuracy.worst_class.file) == ("0", 0.0)
    assert blind.accuracy.classes[1].drop == 0
    assert record.passed


def test_conditions_catch_it(pair: dict[str, bytes], trained: Trained) -> None:
    config = QUICK.model_copy(update={"fail_if": ("accuracy_drop > 0.1", "raw_ratio > 3")})
    record = compare(pair, (trained.x, trained.y), config)
    assert not record.passed
    assert [bool(one.failed) for one in record.files] == [False, False, True]


def test_examples_are_limited(pair: dict[str, bytes], trained: Trained) -> None:
    record = compare(pair, (trained.x, trained.y), QUICK.model_copy(update={"samples": 20}))
    assert record.files[1].accuracy is not None
    assert record.files[1].accuracy.examples == 20


def test_a_file_of_another_task_is_told_beside_the_others(
    pair: dict[str, bytes], trained: Trained
) -> None:
    files = {"good": pair["good"], "other": relu_file((1, 8))}
    record = compare(files, (trained.x, trained.y % 3), QUICK)
    # eight outputs may stand for three classes; nothing says that they do not
    assert record.files[1].accuracy is not None
    files = {"good": pair["good"], "other": named_dense_file()}
    record = compare(files, (trained.x, trained.y), QUICK)
    assert record.files[1].accuracy is None
    assert "shape" in record.files[1].accuracy_unavailable
    assert record.files[1].figures[0].latency_us is not None


def test_paths_and_unusable_input(tmp_path: Path, pair: dict[str, bytes], trained: Trained) -> None:
    paths = [tmp_path / "a.tflite", tmp_path / "b.tflite"]
    for path in paths:
        path.write_bytes(pair["good"])
    record = compare(paths, config=QUICK)
    assert [one.file for one in record.files] == [str(path) for path in paths]
    assert record.files[0].sha256 == record.files[1].sha256
    assert record.data is None
    with pytest.raises(UsageError, match="at least two different files; got 1"):
        compare([paths[0], paths[0]])
    with pytest.raises(UsageError, match="runtime 'gpu' is not known: use litert, larq, micro"):
        compare(paths, config=Compare(runtimes=("gpu",)))
    with pytest.raises(InputError, match="does not exist"):
        compare([paths[0], tmp_path / "none.tflite"])
    with pytest.raises(UsageError, match="have no labels"):
        compare(paths, trained.x, QUICK)
    with pytest.raises(InputError, match="not class numbers"):
        compare(paths, (trained.x, trained.y.astype(np.float32)), QUICK)
    with pytest.raises(InputError, match="no output has a score for each of the 10 classes"):
        compare(paths, (trained.x, np.arange(len(trained.x)) % 10), QUICK)
