"""Models with Larq's layers: saved, recognised and loaded without naming their classes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tflite_squeeze.network.larq_library import has_larq_layers, is_larq_model, may_need_larq
from tflite_squeeze.network.loading import ModelKind, load_model
from tflite_squeeze.network.save import save_model
from tflite_squeeze.techniques.binarization.binarize import binarize
from tflite_squeeze.techniques.binarization.config import Binarize


@pytest.fixture(scope="module")
def binary() -> Any:
    config = Binarize(protect=(), kernel_quantizer="magnitude_aware_sign")
    return binarize(tiny_models.dense(tiny_models.LIBRARIES["keras"]), config).model


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".h5", ".keras", ""])
def test_round_trips(binary: Any, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"binary{suffix}"
    if suffix:
        save_model(binary, path)
    else:
        binary.save(path, save_format="tf")
    assert may_need_larq(path)
    loaded = load_model(path)
    assert loaded.kind is ModelKind.TF_KERAS
    assert is_larq_model(loaded.model)
    x = tiny_models.examples(4, 8)
    np.testing.assert_array_equal(loaded.model.predict(x, verbose=0), binary.predict(x, verbose=0))


def test_plain_models_need_no_larq(models: Path, tmp_path: Path) -> None:
    for name in ("lenet_5.keras", "lenet_5.h5"):
        assert not may_need_larq(models / name)
    assert not is_larq_model(tiny_models.dense(tiny_models.LIBRARIES["tf_keras"]))
    assert not is_larq_model(tiny_models.dense(tiny_models.LIBRARIES["keras"]))
    assert not may_need_larq(tmp_path / "missing.h5")
    (tmp_path / "broken.keras").write_bytes(b"PK broken")
    assert not may_need_larq(tmp_path / "broken.keras")
    assert not has_larq_layers('{"units": 3}')
