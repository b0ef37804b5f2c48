"""Shared values through the whole conversion, sparse encodings included."""

from pathlib import Path

import numpy as np
import pytest

from tests import tiny_models
from tests.tiny_models import LIBRARIES
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.conversion.record import ConvertRecord
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.techniques.pruning.config import Prune
from tflite_squeeze.techniques.pruning.prune import prune
from tflite_squeeze.techniques.sharing.cluster import cluster
from tflite_squeeze.techniques.sharing.config import Cluster

pytestmark = pytest.mark.slow


@pytest.fixture
def data(tmp_path: Path) -> str:
    np.savez(tmp_path / "x.npz", x=tiny_models.examples(64, 8))
    return str(tmp_path / "x.npz")


def test_the_record_counts_them(library: object, data: str) -> None:
    model, _ = cluster(tiny_models.dense(library), Cluster(clusters=4))
    converted = convert(model, Convert(quantize="int8"), data)
    assert converted.record.passed
    found = {one.name: one for one in converted.record.sharing}
    assert set(found) == {"hidden/kernel", "scores/kernel"}
    for one in found.values():
        assert (one.values, one.stored, one.scales, one.kept) == (4, 4, 1, True)
    assert ConvertRecord.model_validate_json(converted.record.model_dump_json()).sharing == (
        converted.record.sharing
    )
    # In float nothing is found among the int8 weights, and nothing is claimed.
    plain = convert(model, Convert()).record.sharing
    assert [(one.tensor, one.kept) for one in plain] == [("", False), ("", False)]


def test_unshared_models_have_no_such_record(data: str) -> None:
    model = tiny_models.dense(LIBRARIES["keras"])
    assert convert(model, Convert(quantize="int8"), data).record.sharing == ()


def test_the_ledger_says_what_look_up_tables_would_need(models: Path, samples: Path) -> None:
    """LeNet-300-100 with 16 values: four bits a weight instead of eight."""
    model = load_model(models / "lenet_300_100.keras").model
    shared, _ = cluster(model, Cluster(clusters=16, init="density"))
    size = {
        name: convert(
            each, Convert(quantize="int8"), samples / "fashion-mnist.npz", verification=None
        ).record.size
        for name, each in (("plain", model), ("shared", shared))
    }
    biases = 4 * 410
    assert size["shared"].lookup_bytes <= 266_200 / 2 + 3 * 16 + biases
    assert size["plain"].lookup_bytes == 266_200 + biases  # more values than indices pay for
    assert abs(size["shared"].raw_bytes - size["plain"].raw_bytes) < 8_000  # scales, no weights
    assert size["shared"].download_bytes < 0.6 * size["plain"].download_bytes


def test_pruned_shared_and_sparse(models: Path, samples: Path) -> None:
    model = load_model(models / "lenet_300_100.keras").model
    pruned, _ = prune(model, Prune(sparsity=0.97, budget="global"))
    shared, record = cluster(pruned, Cluster(clusters=8))
    assert record.reached
    config = Convert(quantize="int8", sparsity="sparse")
    converted = convert(shared, config, samples / "fashion-mnist.npz", verification=None)
    assert converted.record.sparsity is not None
    assert converted.record.sparsity.sparse
    assert all(one.kept for one in converted.record.sharing)
