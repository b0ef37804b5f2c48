"""A pruned model through the whole conversion: what the reference network comes to."""

from pathlib import Path

import keras
import numpy as np
import pytest

from tests.emission.sparse.sparse_files import answer
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.conversion.record import ConvertRecord
from tflite_squeeze.conversion.tables import convert_tables
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.sparse import decision as sparsity

pytestmark = pytest.mark.slow


def _pruned(path: Path, zeros: float) -> keras.Model:
    model = keras.models.load_model(path, compile=False)
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            weights = layer.kernel.numpy()
            limit = np.quantile(np.abs(weights), zeros)
            layer.kernel.assign(np.where(np.abs(weights) <= limit, 0, weights))
    return model


@pytest.mark.parametrize(("zeros", "most_bytes"), [(0.95, 37_000), (0.98, 19_500)])
def test_an_int8_dense_network_of_mostly_zeros(
    models: Path, samples: Path, zeros: float, most_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sparsity, "LATENCY_LIMIT", 100.0)  # times are no matter of a test
    model = _pruned(models / "lenet_300_100.keras", zeros)
    config = Convert(quantize="int8", per_channel_dense=False)
    data = samples / "fashion-mnist.npz"
    made = convert(model, config, data=data, verification=None)
    dense = convert(
        model, config.model_copy(update={"sparsity": "dense"}), data=data, verification=None
    )
    assert len(made.tflite) <= most_bytes
    assert len(dense.tflite) > 266_200
    assert answer(made.tflite) == answer(dense.tflite)
    record = made.record.sparsity
    assert record is not None
    assert record.sparse
    assert record.run is not None
    assert record.run.identical
    assert record.run.max_abs_difference == 0
    # the zeros, counted again in the bytes of the file
    assert made.record.size.zeros == dense.record.size.zeros >= zeros * 266_200
    assert made.record.size.sparse_tensors == 3
    assert ConvertRecord.model_validate_json(made.record.model_dump_json()) == made.record
    titles = [table.title for table in convert_tables(made.record)]
    assert titles[1:3] == ["Zeros", "Sparse encoding"]
    assert len(convert_tables(dense.record)) == 1
