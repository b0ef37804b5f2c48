"""The named sets as the benchmarks' own training loops take them."""

from typing import Any

from tflite_squeeze.data.named_sets import load_named_set
from tflite_squeeze.data.preprocessing import preprocess_array


def arrays(name: str) -> tuple[Any, Any, Any, Any]:
    """Images and labels of a named set's training and test part, preprocessed."""
    data = load_named_set(name)
    x, x_test = (preprocess_array(part, data.preprocessing) for part in (data.x_train, data.x_test))
    return x, data.y_train, x_test, data.y_test
