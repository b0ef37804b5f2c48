"""Files of several runtimes side by side: ONNX models beside `.tflite` files."""

from pathlib import Path

import keras
import numpy as np
import pytest

from tests import tiny_models
from tests.command_runs import Run
from tests.onnx_files import classifier, node, onnx_file, onnx_model
from tflite_squeeze.comparison.compare import compare
from tflite_squeeze.comparison.record import Compare
from tflite_squeeze.comparison.runtimes import figures_on
from tflite_squeeze.comparison.tables import comparison_table
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.exporting.export_onnx import export_onnx
from tflite_squeeze.runtime.kinds import foreign_quantization, kind_of

QUICK = Compare(turns=2)
IMAGES = tiny_models.examples(24, 8, 8, 1)
LABELS = np.arange(24) % 4


@pytest.fixture(scope="module")
def pair() -> dict[str, bytes]:
    """A network as both files."""
    model = tiny_models.convolutional(keras)
    tflite = convert(model, verification=None).tflite
    return {"a.tflite": tflite, "a.onnx": export_onnx(model).content}


def test_kinds_are_told_by_bytes(pair: dict[str, bytes]) -> None:
    assert [kind_of(one) for one in pair.values()] == ["litert", "onnxruntime"]
    assert kind_of(b"<\0\0\0ET12eh00") == "executorch"
    assert foreign_quantization(pair["a.onnx"]) == "none"
    assert foreign_quantization(b"<\0\0\0ET12eh00") is None
    nodes = [node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "y")]
    model = onnx_model(nodes, {"x": [1, 2]}, {"s": np.float32(1), "z": np.int8(0)})
    assert foreign_quantization(model.SerializeToString()) == "int8"


def test_other_runtimes_do_not_take_them(pair: dict[str, bytes]) -> None:
    for runtime in ("larq", "micro", "ethos-u55-128"):
        found = figures_on(runtime, {"a.onnx": pair["a.onnx"]}, QUICK)
        assert "a file for onnxruntime, and no .tflite file" in found["a.onnx"].unavailable


def test_whole_calls_are_for_files_of_several_runtimes(pair: dict[str, bytes]) -> None:
    same = {"a": pair["a.tflite"], "b": pair["a.tflite"]}
    with pytest.raises(UsageError, match="call_us is not measured here: pass files of several"):
        compare(same, config=Compare(fail_if=("call_us > 1",)))


class TestWithTheRuntime:
    """Needs onnxruntime."""

    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")

    def test_side_by_side(self, pair: dict[str, bytes]) -> None:
        record = compare(pair, (IMAGES, LABELS), QUICK)
        tflite, onnx = record.files
        assert (tflite.figures[0].runtime, onnx.figures[0].runtime) == ("litert", "onnxruntime")
        for file in record.files:
            (figures,) = file.figures
            assert figures.latency_us is not None
            assert figures.call_us is not None
            assert figures.call_ratio is not None
        assert onnx.accuracy is not None
        assert onnx.accuracy.agreement == 1.0
        table = comparison_table(record)
        assert "call (µs)" in table.columns
        assert any("from NumPy arrays to NumPy arrays" in note for note in table.notes)
        assert any("each by its runtime" in note for note in table.notes)

    def test_images_move_their_channels_to_the_front(self, tmp_path: Path) -> None:
        nodes, inputs, weights = classifier()
        path = onnx_file(tmp_path, nodes, inputs, weights)
        content = path.read_bytes()
        data = (tiny_models.examples(6, 8, 8, 3), np.arange(6) % 5)
        record = compare({"a": content, "b": content}, data, QUICK)
        assert record.files[0].accuracy is not None
        with pytest.raises(InputError, match="examples of shape"):
            compare({"a": content, "b": content}, (tiny_models.examples(6, 5), data[1]), QUICK)

    def test_the_command(self, pair: dict[str, bytes], tmp_path: Path, run: Run) -> None:
        for name, content in pair.items():
            (tmp_path / name).write_bytes(content)
        done = run("compare", *(tmp_path / name for name in pair), "--turns", 2)
        assert done.code == 0, done.err
        assert "onnxruntime" in done.out
