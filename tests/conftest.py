"""What all tests share: quiet TensorFlow, the repository's models and samples, tiny networks."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
# Larq wants tf_keras behind tf.keras; nothing else here looks at tf.keras.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def models():
    """The folder of the reference models."""
    return REPOSITORY / "models"


@pytest.fixture(scope="session")
def samples(models):
    """The folder of the sample data."""
    return models / "samples"


def pytest_collection_modifyitems(items):
    """Skips, with a reason, what needs a data set that this machine lacks."""
    from tflite_squeeze.errors import InputError
    from tflite_squeeze.io.named_sets import load_named_set

    if not any(item.get_closest_marker("full_data") for item in items):
        return
    try:
        load_named_set("fashion-mnist")
    except InputError as error:
        skip = pytest.mark.skip(reason=str(error))
        for item in items:
            if item.get_closest_marker("full_data"):
                item.add_marker(skip)
