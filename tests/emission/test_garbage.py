"""Collections that other code asks for: short, whole from time to time, nothing lost."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from tflite_squeeze.emission.garbage import Garbage


class _Ring:
    """Refers to itself: only a collection frees it."""

    def __init__(self) -> None:
        self.own = self


@pytest.fixture
def no_other_collections() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_other_collections")
def test_what_was_there_waits_for_a_whole_collection() -> None:
    garbage = Garbage(most=10 << 20)
    before = weakref.ref(_Ring())
    waited = 0
    while before() is not None:
        with garbage.of(1 << 20):
            inside = weakref.ref(_Ring())
            gc.collect()
        assert inside() is None
        assert gc.get_freeze_count() == 0
        waited += 1
    assert waited == 4  # 3 MiB each


@pytest.mark.usefixtures("no_other_collections")
def test_large_weights_do_not_wait() -> None:
    before = weakref.ref(_Ring())
    with Garbage().of(1 << 30):
        gc.collect()
    assert before() is None


def test_what_the_caller_has_frozen_stays_frozen() -> None:
    gc.freeze()
    try:
        frozen = gc.get_freeze_count()
        with Garbage().of(0):
            pass
        assert gc.get_freeze_count() > frozen // 2  # some of them are freed meanwhile
    finally:
        gc.unfreeze()


def test_an_error_leaves_nothing_frozen() -> None:
    with pytest.raises(KeyError), Garbage().of(0):
        raise KeyError
    assert gc.get_freeze_count() == 0
