"""A budget, spent by hand."""

import numpy as np
import pytest

from tflite_squeeze.errors import UsageError
from tflite_squeeze.techniques.low_rank.rank_budget import Options, spend


def _options(*pairs: tuple[float, float]) -> Options:
    return Options(costs=np.array([c for c, _ in pairs]), losses=np.array([e for _, e in pairs]))


def test_the_next_unit_goes_where_it_buys_most() -> None:
    steep, flat = _options((1, 0.9), (2, 0.1), (4, 0.0)), _options((1, 0.2), (2, 0.1), (4, 0.0))
    assert spend([steep, flat], 2) == [0, 0]
    assert spend([steep, flat], 3) == [1, 0]
    assert spend([steep, flat], 4) == [1, 1]
    assert spend([steep, flat], 6) == [2, 1]
    assert spend([steep, flat], 100) == [2, 2]


def test_options_that_buy_less_than_what_follows_are_passed_over() -> None:
    bent = _options((1, 1.0), (2, 0.95), (3, 0.0))
    assert spend([bent], 3) == [2]
    assert spend([bent], 2.5) == [1]


def test_a_dearer_option_that_loses_more_is_never_taken() -> None:
    assert spend([_options((1, 0.5), (2, 0.6), (4, 0.4))], 3) == [0]


def test_a_budget_below_the_cheapest_is_refused_with_the_numbers() -> None:
    with pytest.raises(UsageError, match=r"leaves 1 for .* need 2"):
        spend([_options((1, 0.5)), _options((1, 0.5))], 1)
    assert spend([], 1) == []
