"""Both Kerases, and a little trained classifier for many tests."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tests.tiny_models import LIBRARIES, dense, examples


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
