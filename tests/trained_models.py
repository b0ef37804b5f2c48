"""Both Kerases, and a little trained classifier for many tests."""

import itertools
from collections.abc import Mapping, Sequence
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


def in_turn(names: str, cases: Mapping[str, Sequence[Any]]) -> pytest.MarkDecorator:
    """Each case with one version of Keras, in turn: for whole runs, whose parts know both.

    Args:
        names: of the test's arguments, as for `parametrize`, without `library`.
        cases: their values by the name of the case.
    """
    versions = itertools.cycle(LIBRARIES)
    values = [
        pytest.param(version, *case, id=f"{name}-{version}")
        for (name, case), version in zip(cases.items(), versions, strict=False)
    ]
    return pytest.mark.parametrize(f"library,{names}", values, indirect=["library"])


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
