"""What all tests share: quiet TensorFlow, the repository's models and samples, tiny networks."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
# Larq wants tf_keras behind tf.keras; nothing else here looks at tf.keras.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
if "PYTEST_XDIST_WORKER" in os.environ:  # each worker has a core, and its threads would fight
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path

import pytest

pytest_plugins = ["tests.children", "tests.command_runs", "tests.trained_models"]

REPOSITORY = Path(__file__).resolve().parent.parent
_GROUP = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def models():
    """The folder of the reference models."""
    return REPOSITORY / "models"


@pytest.fixture(scope="session")
def samples(models):
    """The folder of the sample data."""
    return models / "samples"


def pytest_collection_modifyitems(items):
    """Tests that need a data set that is not here are skipped; workers share the work."""
    _skip_without_data(items)
    if "PYTEST_XDIST_WORKER" in os.environ:
        _share(items)


def _share(items):
    """Keeps the tests of a file on one worker, where its fixtures are made once; the longest first.

    Pages and notebooks take longest of all, and are on their own.
    """
    ranks = {}
    for item in items:
        slow = item.get_closest_marker("slow") is not None
        alone = slow and item.path.parent.name in ("docs", "notebooks")
        group = item.nodeid if alone else item.nodeid.split("::")[0]
        if marker := item.get_closest_marker("xdist_group"):
            group = marker.args[0]
        elif not alone:
            item.add_marker(pytest.mark.xdist_group(group))
        ranks[group] = min(ranks.get(group, 2), 0 if alone else 1 if slow else 2)
        item.stash[_GROUP] = group
    items.sort(key=lambda item: ranks[item.stash[_GROUP]])


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
