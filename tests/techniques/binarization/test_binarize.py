"""The verb `binarize` with float inputs: exact values in plain layers of both Kerases."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.trained_models import in_turn
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.weights import select
from tflite_squeeze.techniques.binarization.binarize import binarize
from tflite_squeeze.techniques.binarization.config import Binarize
from tflite_squeeze.techniques.binarization.record import BinarizeRecord
from tflite_squeeze.training.config import FineTune

TERNARY = Binarize(weights="ternary", inputs="float", protect=())


@pytest.fixture
def data() -> dict[str, np.ndarray]:
    """Rows of 8 numbers, and the class that the largest of the first three is."""
    x = tiny_models.examples(384, 8)
    y = np.argmax(x[:, :3], axis=1)
    return {"x_train": x[:256], "y_train": y[:256], "x_test": x[256:], "y_test": y[256:]}


@pytest.fixture
def npz(data: dict[str, np.ndarray], tmp_path: Any) -> str:
    np.savez(tmp_path / "data.npz", **data)
    return str(tmp_path / "data.npz")


def columns(model: Any, layer: str) -> list[list[float]]:
    """The distinct magnitudes of each output's weights."""
    kernel = np.asarray(model.get_layer(layer).kernel)
    return [sorted(set(np.abs(kernel[:, unit]).tolist())) for unit in range(kernel.shape[1])]


def test_at_once_without_data(library: Any) -> None:
    model = tiny_models.dense(library)
    before = np.asarray(model.get_layer("hidden").kernel)
    changed, record = binarize(model, TERNARY)
    kernel = np.asarray(changed.get_layer("hidden").kernel)
    for unit in range(16):
        magnitudes = np.abs(before[:, unit])
        kept = magnitudes > 0.7 * magnitudes.mean()
        scale = magnitudes[kept].mean()
        expected = np.where(kept, np.sign(before[:, unit]) * scale, 0)
        np.testing.assert_allclose(kernel[:, unit], expected, rtol=1e-6)
        assert len(set(np.abs(kernel[:, unit]).tolist())) <= 2
    np.testing.assert_array_equal(model.get_layer("hidden").kernel, before)
    assert record.reached
    assert record.finetune is None
    assert record.before is None
    # 128 + 48 weights of 2 bits, 19 scales and 19 biases of 4 bytes.
    assert record.packed_bytes == 176 * 2 // 8 + 4 * (19 + 19)
    assert record.float_bytes == 4 * 195
    assert BinarizeRecord.model_validate_json(record.model_dump_json()) == record


@pytest.mark.slow
@in_turn(
    "weights,scale,values",
    {
        "ternary": ("ternary", "mean", 2),
        "trained": ("ternary", "trained", 2),
        "binary": ("binary", "mean", 1),
    },
)
def test_training_recovers_what_rounding_at_once_loses(
    library: Any, npz: str, weights: Any, scale: Any, values: int
) -> None:
    model = tiny_models.dense(library)
    config = Binarize(weights=weights, inputs="float", scale=scale, protect=())
    training = FineTune(epochs=8, batch=32, learning_rate=2e-2)
    changed, record = binarize(model, config, npz, training)
    assert record.after is not None
    assert record.after > 0.6
    _, at_once = binarize(model, config, npz, one_shot=True)
    assert at_once.after is not None
    assert record.after > at_once.after
    assert record.reached
    assert all(len(found) <= values for found in columns(changed, "hidden"))
    assert len(record.history["loss"]) == 8
    # Nothing but plain layers, and no trace of the training in them.
    homes = {type(layer).__module__.split(".")[0] for layer in changed.layers}
    assert homes == {library.__name__}
    restored = type(changed).from_config(changed.get_config())
    restored.set_weights(changed.get_weights())
    x = tiny_models.examples(4, 8)
    np.testing.assert_array_equal(restored(x), changed(x))


def test_convolutions_of_all_kinds(library: Any) -> None:
    layers = library.layers
    model = library.Sequential(
        [
            library.Input((12, 12, 2)),
            layers.Conv2D(4, 3, name="begin"),
            layers.DepthwiseConv2D(3, name="depthwise"),
            layers.SeparableConv2D(6, 3, name="separable"),
            layers.Conv2DTranspose(4, 3, name="transposed"),
            layers.Reshape((-1, 4)),
            layers.Conv1D(3, 5, name="steps"),
            layers.LSTM(8, name="memory"),
            layers.Dense(2, name="end"),
        ]
    )
    changed, record = binarize(model, TERNARY.model_copy(update={"protect": ("first", "last")}))
    assert [weight.name for weight in record.weights] == [
        "depthwise/kernel",
        "separable/depthwise_kernel",
        "separable/pointwise_kernel",
        "steps/kernel",
    ]
    assert record.reached
    reasons = {item.layer: item.reason for item in record.skipped}
    assert reasons["begin"] == reasons["end"] == "protected"
    assert "no kernel of the stock runtime" in reasons["transposed"]
    assert "memory" in reasons or any("lstm" in name for name in reasons)
    assert "memory/kernel" not in {weight.name for weight in record.weights}
    few = {weight.name for weight in record.weights}
    for target in select(changed).targets:
        distinct = [len(np.unique(row)) for row in target.matrix(np.asarray(target.variable))]
        assert max(distinct) <= 3 or target.name not in few


def test_one_scale_for_a_tensor(library: Any) -> None:
    config = TERNARY.model_copy(update={"per_channel": False})
    changed, record = binarize(tiny_models.dense(library), config)
    assert len(np.unique(np.abs(changed.get_layer("hidden").kernel))) == 2
    assert [weight.scales for weight in record.weights] == [1, 1]


def test_a_claim_that_does_not_hold_is_seen(library: Any) -> None:
    _, record = binarize(tiny_models.dense(library), TERNARY)
    wrong = record.weights[0].model_copy(update={"most_values": 4})
    assert not record.model_copy(update={"weights": (wrong,)}).reached


def test_refusals(library: Any) -> None:
    model = library.Sequential([library.Input((8, 8, 1)), library.layers.Flatten()], name="flat")
    with pytest.raises(UsageError, match="nothing to binarize in model 'flat'"):
        binarize(model, TERNARY)
    with pytest.raises(UsageError, match="fine-tuning needs data"):
        binarize(tiny_models.dense(library), TERNARY, None, FineTune(epochs=1))
