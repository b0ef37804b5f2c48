"""Settings by pattern of layer name or type."""

import pytest

from tests import tiny_models
from tests.tiny_models import LIBRARIES
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.weights import by_pattern, select


def test_the_last_pattern_holds() -> None:
    targets = select(tiny_models.convolutional(LIBRARIES["keras"])).targets
    assert by_pattern({"*": 1, "conv": 2}, targets) == {0: 2, 1: 1}
    assert by_pattern({"conv": 2, "type:*": 3}, targets) == {0: 3, 1: 3}
    assert by_pattern({}, targets) == {}
    with pytest.raises(UsageError, match="layers names 'deep', which matches none of conv, scores"):
        by_pattern({"deep": 1}, targets)
