"""What all tests share: quiet TensorFlow, the repository's models and samples, tiny networks."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
# Larq wants tf_keras behind tf.keras; nothing else here looks at tf.keras.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
if "PYTEST_XDIST_WORKER" in os.environ:  # each worker has a core, and its threads would fight
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import gc
from pathlib import Path

import pytest

pytest_plugins = ["tests.command_runs", "tests.trained_models"]

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
    """Most slow tests are not traced; those that need a data set that is not here are skipped.

    Tracing takes a third of the time of whatever runs TensorFlow, and quick tests reach nearly
    every line by themselves. A slow module that alone reaches some says so.
    """
    for item in items:
        if _untraced(item):
            item.add_marker("no_cover")
    _skip_without_data(items)


def pytest_collection_finish():
    """Takes what modules hold out of collections: the converter collects in every conversion."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _untraced_children(request, monkeypatch):
    """Nor are the processes that such tests start."""
    if _untraced(request.node):
        monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)


def _untraced(item):
    slow = item.get_closest_marker("slow")
    return slow is not None and not slow.kwargs.get("traced", False)


def _skip_without_data(items):
    from tflite_squeeze.data.named_sets import load_named_set
    from tflite_squeeze.errors import InputError

    if not any(item.get_closest_marker("full_data") for item in items):
        return
    try:
        load_named_set("fashion-mnist")
    except InputError as error:
        skip = pytest.mark.skip(reason=str(error))
        for item in items:
            if item.get_closest_marker("full_data"):
                item.add_marker(skip)
