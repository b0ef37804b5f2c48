"""Both Kerases."""

from typing import Any

import pytest

from tests.tiny_models import LIBRARIES


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Any:
    """Keras 3, then tf_keras."""
    return LIBRARIES[request.param]
