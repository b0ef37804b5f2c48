"""The verb `cluster`: what it makes, records and refuses."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tests.tiny_models import LIBRARIES
from tflite_squeeze.data.data import load_data
from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.network.weights import select
from tflite_squeeze.techniques.sharing.cluster import cluster
from tflite_squeeze.techniques.sharing.config import Cluster
from tflite_squeeze.techniques.sharing.plan import cluster_plan
from tflite_squeeze.techniques.sharing.record import ClusterRecord
from tflite_squeeze.training.config import FineTune

pytestmark = pytest.mark.slow

X = tiny_models.examples(96, 8)


@pytest.fixture
def data(tmp_path: Any) -> Any:
    y = (X[:, 0] > 0).astype(np.int64)
    np.savez(tmp_path / "data.npz", x_train=X, y_train=y, x_test=X[:48], y_test=y[:48])
    return load_data(tmp_path / "data.npz")


def kernels(model: Any) -> list[np.ndarray]:
    return [np.asarray(target.variable) for target in select(model).targets]


def test_training_ends_with_few_values_in_a_copy(library: Any, data: Any) -> None:
    model = tiny_models.dense(library)
    before = [kernel.copy() for kernel in kernels(model)]
    shared, record = cluster(model, Cluster(clusters=4), data, FineTune(epochs=2, batch=16))
    assert [len(np.unique(kernel)) for kernel in kernels(shared)] == [4, 4]
    for kernel, old in zip(kernels(model), before, strict=True):
        np.testing.assert_array_equal(kernel, old)
    assert record.reached
    assert (record.metric, len(record.history["loss"])) == ("accuracy", 2)
    assert [weight.clusters for weight in record.weights] == [4, 4]
    assert ClusterRecord.model_validate_json(record.model_dump_json()) == record


def test_at_once_every_weight_is_its_nearest_value(library: Any) -> None:
    model = tiny_models.dense(library)
    kernel = kernels(model)[0]
    shared, record = cluster(model, Cluster(bits=2))
    after = kernels(shared)[0]
    values = np.unique(after)
    nearest = values[np.argmin(np.abs(kernel[..., None] - values), axis=-1)]
    np.testing.assert_array_equal(after, nearest)
    assert record.finetune is None
    assert (record.before, record.after) == (None, None)
    error = np.linalg.norm(after - kernel) / np.linalg.norm(kernel)
    weight = record.weights[0]
    assert weight.error == pytest.approx(error, rel=1e-4)
    assert (weight.index_bits, weight.lut_bytes) == (2, 128 * 2 // 8 + 4)
    counts = np.unique(after, return_counts=True)[1]
    assert weight.entropy_bytes == round(float(np.sum(counts * np.log2(128 / counts)) / 8))


def test_pruned_weights_stay_pruned(library: Any, data: Any) -> None:
    model = tiny_models.dense(library)
    target = select(model).targets[0]
    mask = np.arange(128).reshape(8, 16) % 3 != 0
    target.variable.assign(np.asarray(target.variable) * mask)
    shared, record = cluster(model, Cluster(clusters=4), data, FineTune(epochs=1), in_place=True)
    assert shared is model
    np.testing.assert_array_equal(np.asarray(target.variable) != 0, mask)
    weight = record.weights[0]
    assert (weight.distinct_after, weight.zeros_before, weight.zeros_after) == (4, 43, 43)
    # Five values with zero: indices of three bits.
    assert (weight.values, weight.index_bits) == (5, 3)


def test_a_lost_zero_or_a_value_too_many_is_not_reached() -> None:
    _, record = cluster(tiny_models.dense(LIBRARIES["keras"]), Cluster(clusters=4))
    assert record.reached
    for change in ({"distinct_after": 5}, {"zeros_before": 1}):
        weight = record.weights[0].model_copy(update=change)
        assert not record.model_copy(update={"weights": (weight,)}).reached


def test_an_error_bound_takes_the_fewest_values(library: Any) -> None:
    model = tiny_models.dense(library)
    _, record = cluster(model, Cluster(error=0.1))
    assert all(weight.error <= 0.1 for weight in record.weights)
    fewer = {weight.name.split("/")[0]: weight.clusters - 1 for weight in record.weights}
    _, worse = cluster(model, Cluster(clusters=2, layers=fewer))
    assert all(weight.error > 0.1 for weight in worse.weights)
    # Channels apart: none errs by more.
    _, apart = cluster(model, Cluster(error=0.3, per="channel", only=("hidden",)))
    assert apart.weights[0].tables == 16
    assert apart.weights[0].error <= 0.3


def test_a_measured_drop_decides(library: Any, data: Any) -> None:
    model = tiny_models.dense(library)
    trained, _ = cluster(model, Cluster(clusters=8), data, FineTune(epochs=8, learning_rate=0.03))
    _, strict = cluster(trained, Cluster(max_drop=0.0), data, one_shot=True)
    _, loose = cluster(trained, Cluster(max_drop=0.6), data, one_shot=True)
    assert [weight.clusters for weight in loose.weights] == [2, 2]
    assert sum(weight.clusters for weight in strict.weights) > 4
    with pytest.raises(UsageError, match="max_drop is measured on labelled data"):
        cluster(model, Cluster(max_drop=0.1))


def test_layers_have_values_of_their_own(library: Any) -> None:
    model = tiny_models.convolutional(library)
    _, record = cluster(model, Cluster(clusters=8, layers={"conv": 4, "type:Dense": 16}))
    assert [(w.name, w.clusters) for w in record.weights] == [
        ("conv/kernel", 4), ("scores/kernel", 16),
    ]  # fmt: skip


def test_what_would_not_get_smaller_is_refused_with_the_numbers(library: Any) -> None:
    """36 weights and 32 values: 5 bits each are 23 bytes, and 32 of a table."""
    model = tiny_models.convolutional(library)
    _, record = cluster(model, Cluster(clusters=32))
    (refused,) = record.refused
    assert (refused.name, refused.parameters, refused.lut_bytes) == ("conv/kernel", 36, 55)
    assert [weight.name for weight in record.weights] == ["scores/kernel"]
    with pytest.raises(UsageError, match="32 values and indices need 55 bytes, plain int8 36"):
        cluster(model, Cluster(clusters=32, only=("conv",)))


def test_skipped_layers_have_reasons(library: Any) -> None:
    plan = cluster_plan(tiny_models.normalized(library), Cluster(clusters=2, protect=("last",)))
    reasons = {item.layer: item.reason for item in plan.skipped}
    assert reasons["norm"] == "normalisation is never changed"
    assert reasons["y"] == "protected"


def test_without_labels_the_original_has_to_teach(library: Any) -> None:
    model = tiny_models.dense(library)
    with pytest.raises(InputError, match="no labelled training part"):
        cluster(model, Cluster(clusters=4), {"x": X}, FineTune(epochs=1))
    taught = FineTune(epochs=2, teacher="original")
    shared, record = cluster(model, Cluster(clusters=4), {"x": X}, taught)
    assert record.reached
    assert len(record.history["loss"]) == 2
    assert [len(np.unique(kernel)) for kernel in kernels(shared)] == [4, 4]
