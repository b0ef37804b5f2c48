"""Both Kerases, and a little trained classifier for many tests."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tiny_models import LIBRARIES, dense, examples
from tflite_squeeze.recipes import outcome


@dataclass(frozen=True)
class Trained:
    """A classifier that is right about all its samples."""

    model: Any
    x: np.ndarray
    y: np.ndarray


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Any:
    """Keras 3, then tf_keras."""
    return LIBRARIES[request.param]


@pytest.fixture(scope="session")
def trained() -> Trained:
    """The tiny dense network of Keras 3, with its own predictions as labels."""
    model, x = dense(LIBRARIES["keras"]), examples(128, 8)
    return Trained(model=model, x=x, y=np.argmax(model.predict(x, verbose=0), axis=1))


@pytest.fixture(scope="session")
def ranked() -> dict[str, np.ndarray]:
    """Rows of 8 numbers, and the class that the largest of the first three is."""
    x = examples(96, 8)
    y = np.argmax(x[:, :3], axis=1)
    return {"x_train": x[:64], "y_train": y[:64], "x_test": x[64:], "y_test": y[64:]}


@pytest.fixture(scope="session")
def npz(ranked: dict[str, np.ndarray], tmp_path_factory: Any) -> Path:
    path = Path(tmp_path_factory.mktemp("data")) / "data.npz"
    np.savez(path, **ranked)
    return path


@pytest.fixture
def fixed_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs take 10 µs; measured where a test says so."""
    monkeypatch.setattr(
        outcome, "turn_by_turn", lambda files: {name: np.full(3, 10.0) for name in files}
    )
