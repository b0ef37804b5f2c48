"""ONNX Runtime: the same answers as ONNX's evaluator, and errors of one line."""

import numpy as np
import pytest

from tests.onnx_files import classifier, node, onnx_model, weight
from tflite_squeeze.errors import InputError, RuntimeFailure, UsageError
from tflite_squeeze.runtime.foreign import foreign_inputs, run_foreign
from tflite_squeeze.runtime.onnx import OnnxSession

LINEAR = onnx_model(
    [node("MatMul", "x w", "y")], {"x": ["batch", 3]}, {"w": weight(3, 2)}
).SerializeToString()


def test_without_the_runtime_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(UsageError, match=r"pip install 'tflite_squeeze\[onnxruntime\]'"):
        OnnxSession(LINEAR)


class TestWithTheRuntime:
    """Needs onnxruntime."""

    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")

    def test_answers(self) -> None:
        x = weight(5, 3, seed=1)
        for batch in (1, 4):
            assert run_foreign(LINEAR, {"x": x}, batch=batch)["y"] == pytest.approx(
                x @ weight(3, 2), abs=1e-6
            )
        assert foreign_inputs(LINEAR) == {"x": ("float32", (-1, 3))}

    def test_what_is_timed_computes(self) -> None:
        nodes, inputs, weights = classifier()
        session = OnnxSession(onnx_model(nodes, inputs, weights).SerializeToString())
        feeds = {"x": weight(1, 3, 8, 8)}
        wanted = session.run(feeds)["y"]
        session.invoker(feeds)()
        (called,) = session.caller(feeds)()
        assert called == pytest.approx(wanted)

    def test_errors(self) -> None:
        with pytest.raises(InputError, match="takes shape"):
            run_foreign(LINEAR, {"x": weight(5, 4)})
        with pytest.raises(RuntimeFailure, match="ONNX Runtime refuses the file"):
            run_foreign(LINEAR[:-9], {"x": weight(5, 3)})
        broken = onnx_model(
            [node("Reshape", "x s", "y")], {"x": ["batch", 3]}, {"s": np.array([2, 2])}
        ).SerializeToString()
        with pytest.raises(RuntimeFailure, match="cannot compute the file"):
            run_foreign(broken, {"x": weight(1, 3)})
