"""Model and file on the same samples; and files that were tampered with, which must fail."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.tiny_models import LIBRARIES, examples
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.data.data import load_data
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.errors import InputError, UnsupportedError
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.search.measuring import loss_of
from tflite_squeeze.tflite.flatbuffer import operator_names, pack_model, read_model
from tflite_squeeze.tflite.signatures import LEGACY_UINT8
from tflite_squeeze.verification.record import Verify
from tflite_squeeze.verification.verify import verify


def _with_weights(tflite: bytes, number: int, change: Callable[[np.ndarray], np.ndarray]) -> bytes:
    """The file with the weights of its FULLY_CONNECTED of that number changed."""
    model = read_model(tflite)
    graph = model.subgraphs[0]
    dense = [
        operator
        for operator, name in zip(graph.operators, operator_names(tflite)[0], strict=True)
        if name == "FULLY_CONNECTED"
    ]
    tensor = graph.tensors[dense[number].inputs[1]]
    buffer = model.buffers[tensor.buffer]
    values = np.frombuffer(bytes(buffer.data), np.float32)
    buffer.data = np.frombuffer(change(values).astype(np.float32).tobytes(), np.uint8)
    return pack_model(model)


@pytest.fixture(scope="module")
def good(trained: Any) -> bytes:
    return convert(trained.model, verification=None).tflite


@pytest.mark.slow
def test_a_sound_file_passes(trained: Any, good: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(good)
    for file in (good, tmp_path / "a.tflite", str(tmp_path / "a.tflite")):
        record = verify(trained.model, file, (trained.x, trained.y))
        assert record.passed
        assert record.quantization is Quantization.NONE
        assert record.outputs[0].agreement == 1.0
        assert record.diverges_at is None
        assert record.tensors == ()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "layer"), [(0, "hidden"), (1, "scores")], ids=["first", "second"]
)
@pytest.mark.parametrize(
    "change", [np.zeros_like, np.negative, lambda w: np.roll(w, 1)], ids=["zero", "flip", "shift"]
)
def test_a_layer_that_was_tampered_with_is_found(
    trained: Any, good: bytes, number: int, layer: str, change: Any
) -> None:
    record = verify(trained.model, _with_weights(good, number, change), (trained.x, trained.y))
    assert not record.passed
    assert any("SQNR" in line for line in record.failures)
    # The last layer's sum is named after the file's output, or after the layer.
    assert record.diverges_at is not None
    names = [item.tensor for item in record.tensors]
    assert record.diverges_at in names
    if number == 0:
        assert layer in record.diverges_at
    else:
        assert "hidden" not in record.diverges_at
        first = next(item for item in record.tensors if "hidden" in item.tensor)
        assert first.sqnr_db > 60


@pytest.mark.slow
def test_weights_of_nan_fail(trained: Any, good: bytes) -> None:
    bad = _with_weights(good, 0, lambda w: np.full_like(w, np.nan))
    record = verify(trained.model, bad, (trained.x, trained.y))
    assert not record.passed
    assert record.outputs[0].sqnr_db == -np.inf
    assert record.outputs[0].max_abs_difference == np.inf


@pytest.mark.slow
def test_the_loss_of_accuracy_is_held_to_the_users_limit(trained: Any, good: bytes) -> None:
    worse = _with_weights(good, 1, lambda w: np.roll(w, 1))
    loose = Verify(min_sqnr_db=-100, min_agreement=0)
    usual = verify(trained.model, worse, (trained.x, trained.y), loose)
    accuracy = usual.outputs[0].accuracy
    assert accuracy is not None
    assert accuracy.high < 0  # no chance
    assert not usual.passed
    for limit, passes in ((-accuracy.difference, True), (-accuracy.difference - 0.001, False)):
        strict = loose.model_copy(update={"max_drop": limit})
        found = verify(trained.model, worse, (trained.x, trained.y), strict)
        assert (found.passed, found.tolerance.strict) == (passes, True)


def test_without_data_random_numbers_are_run_and_said_so(trained: Any, good: bytes) -> None:
    record = verify(trained.model, good)
    assert record.passed
    assert not record.real_samples
    assert record.examples == 16
    assert "verified on random numbers, since no data was given: pass --data for real samples" in (
        record.notes
    )


def test_the_number_of_samples_is_the_one_asked_for(trained: Any, good: bytes) -> None:
    for asked, run in ((10, 10), (None, 128), (1000, 128)):
        found = verify(trained.model, good, (trained.x, trained.y), Verify(samples=asked))
        assert found.examples == run


@pytest.mark.slow
@pytest.mark.parametrize("quantize", ["none", "float16", "dynamic", "int8", "int16x8"])
def test_the_quantization_is_read_from_the_file(quantize: str) -> None:
    library = LIBRARIES["keras"]
    # Weights of fewer than 1024 numbers stay as they are in dynamic files.
    model = library.Sequential([library.Input((64,), name="x"), library.layers.Dense(64)])
    x = examples(32, 64)
    converted = convert(model, Convert(quantize=quantize), x, verification=None)
    record = verify(model, converted.tflite, x)
    assert record.quantization == quantize
    assert record.passed


def test_legacy_uint8_has_the_limits_of_int8(
    trained: Any, good: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = "the file has legacy uint8 quantization; the limits are those of int8"
    assert note not in verify(trained.model, good, config=Verify(samples=4)).notes
    monkeypatch.setattr(
        "tflite_squeeze.verification.verify.quantization_name", lambda _: LEGACY_UINT8
    )
    record = verify(trained.model, good, config=Verify(samples=4))
    assert record.quantization is Quantization.INT8
    assert note in record.notes


def test_another_models_file_is_refused(trained: Any, good: bytes) -> None:
    with pytest.raises(InputError, match=r"the model's inputs .* do not match the file's"):
        verify(tiny_models.two_ended(LIBRARIES["keras"]), good)


@pytest.mark.slow
def test_a_model_of_equal_shapes_but_other_weights_fails(good: bytes) -> None:
    other = tiny_models.dense(LIBRARIES["tf_keras"])
    other.set_weights([weight + 0.5 for weight in other.get_weights()])
    assert not verify(other, good, examples(32, 8)).passed


def test_the_same_weights_in_the_other_keras_pass(trained: Any, good: bytes) -> None:
    twin = tiny_models.dense(LIBRARIES["tf_keras"])
    twin.set_weights(trained.model.get_weights())
    assert verify(twin, good, trained.x).passed


def test_a_score_beside_boxes_in_pixels_is_named_with_the_tensor_that_loses_it() -> None:
    keras = LIBRARIES["keras"]
    keras.utils.set_random_seed(0)
    scale = keras.layers.Rescaling([640.0, 640.0, 1.0], name="boxes_and_score")
    model = keras.Sequential([keras.Input((8,), name="x"), keras.layers.Dense(3), scale])
    x = examples(64, 8)
    record = convert(model, Convert(quantize="int8"), x).record.verification
    assert record is not None
    (failure,) = record.failures
    assert failure.startswith(
        "output boxes_and_score: column 2 varies in the model and is constant"
    )
    assert record.outputs[0].sqnr_db > 35  # which was all that was looked at
    lost = next(item for item in record.tensors if item.tensor == record.diverges_at)
    assert lost.part == "column 2"
    assert lost.part_db < 6


def test_numbers_as_labels_are_judged_by_column() -> None:
    keras = LIBRARIES["keras"]
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2, name="y")])
    x = examples(64, 8)
    record = convert(model, Convert(), (x, model.predict(x, verbose=0) + 1)).record.verification
    assert record is not None
    errors = record.outputs[0].errors
    assert errors is not None
    assert [one.reference for one in errors.worst] == pytest.approx([1, 1])
    assert record.passed


@pytest.mark.parametrize("labels", [[3], [-1]])
def test_labels_of_other_classes_are_refused(trained: Any, good: bytes, labels: list[int]) -> None:
    y = trained.y.copy()
    y[0] = labels[0]
    with pytest.raises(InputError, match="but output 'scores' has 3 classes"):
        verify(trained.model, good, (trained.x, y))


def test_a_file_for_flex_cannot_be_verified_here() -> None:
    model = tiny_models.odd(LIBRARIES["keras"], operation="tan")
    flex = convert(model, Convert(allow_select_ops=True), verification=None).tflite
    with pytest.raises(UnsupportedError, match="cannot be verified here: it needs the Flex"):
        verify(model, flex)


def test_bytes_that_are_no_file_are_refused(trained: Any, tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(b"nonsense")
    with pytest.raises(InputError, match=r"is not a \.tflite file"):
        verify(trained.model, tmp_path / "a.tflite")


@pytest.mark.slow
def test_a_batch_of_four_and_a_dynamic_one_are_verified(trained: Any) -> None:
    for batch in (4, "dynamic"):
        tflite = convert(trained.model, Convert(batch=batch), verification=None).tflite
        record = verify(trained.model, tflite, (trained.x[:10], trained.y[:10]))
        assert record.passed
        assert record.examples == 10


def test_scores_without_a_softmax_are_predictions_where_that_is_asked_for() -> None:
    """The file has the classes in another order: its numbers are as large, its answers others."""
    layers = LIBRARIES["keras"].layers
    model = LIBRARIES["keras"].Sequential(
        [layers.Input((8,), name="x"), layers.Dense(3, name="scores")]
    )
    kernel, bias = model.get_weights()
    turned = LIBRARIES["keras"].models.clone_model(model)
    turned.set_weights([kernel[:, [1, 2, 0]], bias])
    tflite = convert(turned, verification=None).tflite
    loose = {"min_sqnr_db": -1e9}
    assert verify(model, tflite, examples(64, 8), Verify(**loose)).passed
    record = verify(model, tflite, examples(64, 8), Verify(**loose, min_agreement=0.9))
    assert "predicted class agrees" in "; ".join(record.failures)
    plain = loss_of(load_model(model), tflite, load_data(examples(64, 8)), Quantization.NONE)
    found = loss_of(
        load_model(model), tflite, load_data(examples(64, 8)), Quantization.NONE, logits=True
    )
    assert (plain.measure, found.measure) == ("noise", "agreement")
    assert found.value == record.outputs[0].agreement
