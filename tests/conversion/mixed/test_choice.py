"""The fewest units, found with few trials."""

from collections.abc import Callable, Sequence

import pytest

from tflite_squeeze.conversion.mixed.choice import (
    fewest,
    half_as_many_more,
    shortest,
    without_needless,
)


def needing(*needed: str, tried: list[str] | None = None) -> Callable[[Sequence[str]], bool]:
    def passes(kept: Sequence[str]) -> bool:
        if tried is not None:
            tried.append("".join(kept))
        return set(needed) <= set(kept)

    return passes


@pytest.mark.parametrize(
    ("needed", "found", "prefix"),
    [("", [], 0), ("a", ["a"], 1), ("c", ["c"], 3), ("ae", ["a", "e"], 5), ("h", ["h"], 8)],
)
def test_what_is_not_needed_goes(needed: str, found: list[str], prefix: int) -> None:
    order = list("abcdefgh")
    assert shortest(order, needing(*needed)) == prefix
    assert fewest(order, needing(*needed)) == found


def test_few_trials_by_doubling_and_bisection() -> None:
    tried: list[str] = []
    assert shortest("abcdefgh", needing("g", tried=tried)) == 7
    assert tried == ["", "a", "ab", "abcd", "abcdef", "abcdefg"]


def test_the_least_sensitive_are_tried_first() -> None:
    # Either of the last two would do beside the first.
    assert without_needless("abc", lambda kept: "a" in kept and len(kept) > 1) == ["a", "b"]


def test_half_as_many_more_from_the_front_of_the_order() -> None:
    assert half_as_many_more("abcdef", "") == ["a"]
    assert half_as_many_more("abcdef", "bcde") == ["a", "b", "c", "d", "e", "f"]
    assert half_as_many_more("abcdef", "abcdef") == list("abcdef")
