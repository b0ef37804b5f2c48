"""Differences of accuracy as people read them."""

import pytest

from tflite_squeeze.tables.table import points


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (0.0125, "+1.25"),
        (-0.5, "-50.00"),
        (0.0, "+0.00"),
        (-0.0, "+0.00"),
        (-0.00001, "+0.00"),
        (-0.0001, "-0.01"),
    ],
)
def test_a_change_has_its_sign_and_nothing_has_none(change: float, said: str) -> None:
    assert points(change) == said
