"""Which operators of a file stay in float."""

from typing import Any

import pytest

from tests.tiny_models import LIBRARIES, dense, examples
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.conversion.mixed.choice import half_as_many_more
from tflite_squeeze.conversion.mixed.file_search import FileSearch, Operator, operators_of
from tflite_squeeze.data.data import load_data
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.quantization import Quantization
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.verification.limits import Verify, tolerance_of

X = examples(96, 8)


@pytest.fixture(scope="module")
def plain() -> bytes:
    return convert(dense(LIBRARIES["keras"]), verification=None).tflite


def _search(plain: bytes, **limits: Any) -> FileSearch:
    tolerance = tolerance_of(Verify(**limits), Quantization.INT8)
    config = Convert(quantize="int8", calibration_samples=32)
    return FileSearch(load_model(plain), config, load_data(X), tolerance, lambda *_: None)


def test_operators_come_in_the_order_of_execution(plain: bytes) -> None:
    first, second, last = operators_of(plain)
    assert "hidden" in first.name
    assert second.inputs == (first.name,)
    assert last.inputs == (second.name,)


def test_the_pattern_of_an_operator_means_its_name_alone() -> None:
    assert Operator(name="a[0]*", inputs=()).keep == "a[[]0][*]"


def test_the_noise_of_each_operator_is_known(plain: bytes) -> None:
    search = _search(plain)
    assert set(search.losses) == {one.name for one in operators_of(plain)}
    assert list(search.losses.values()) == sorted(search.losses.values(), reverse=True)
    assert (search.calibrated_on, search.chosen_on) == (32, 64)
    assert search.fewest() == []
    assert len(half_as_many_more(search.order, [])) == 1


def test_what_no_integer_reaches_stays_in_float(plain: bytes) -> None:
    search = _search(plain, min_sqnr_db=100)
    kept = search.fewest()
    assert kept
    assert all("SQNR" in one.without for one in search.told(kept))
