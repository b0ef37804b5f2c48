"""The order in which layers get fewer bits, by hand."""

import pytest

from tflite_squeeze.conversion.mixed.bit_moves import Choice, bits_after, moves


def choices(*points: tuple[int, int, float]) -> list[Choice]:
    return [Choice(bits=bits, bytes=size, loss=loss) for bits, size, loss in points]


def test_the_least_loss_for_a_byte_comes_first() -> None:
    found = moves({
        "large": choices((8, 100, 0.0), (4, 50, 0.1), (2, 25, 0.4)),
        "small": choices((8, 20, 0.0), (4, 10, 0.1)),
    })  # fmt: skip
    assert [(one.layer, one.bits) for one in found] == [("large", 4), ("small", 4), ("large", 2)]
    assert [one.loss_per_byte for one in found] == pytest.approx([0.002, 0.01, 0.012])


def test_a_choice_above_the_hull_is_left_out() -> None:
    (move,) = moves({"dense": choices((2, 25, 0.3), (8, 100, 0.0), (4, 50, 0.29))})
    assert (move.bits, move.loss_per_byte) == (2, 0.3 / 75)


def test_a_loss_that_falls_counts_as_none() -> None:
    (move,) = moves({"dense": choices((8, 100, 0.2), (4, 50, 0.1))})
    assert move.loss_per_byte == 0


def test_bits_after_some_moves() -> None:
    found = moves({"dense": choices((8, 100, 0.0), (4, 50, 0.1), (2, 25, 0.4))})
    assert bits_after(found[:1], {"dense": 8, "conv": 8}) == {"dense": 4, "conv": 8}
    assert bits_after(found, {"dense": 8}) == {"dense": 2}


def test_what_saves_next_to_nothing_is_left_out() -> None:
    found = moves({
        "large": choices((8, 100_000, 0.0), (4, 50_000, 0.1)),
        "small": choices((8, 90, 0.0), (4, 45, 0.0)),
    })  # fmt: skip
    assert [one.layer for one in found] == ["large"]
