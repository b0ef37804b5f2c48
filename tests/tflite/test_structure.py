"""Contradictions in hand-made graphs."""

from collections.abc import Callable

import pytest

from tests.tiny_files import FileMaker, moving, quantization, state
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.links import Links
from tflite_squeeze.tflite.structure import shared_states, structural_faults, unequal_scales


def _links(tflite: bytes) -> Links:
    return Links(read_model(tflite), 0)


@pytest.mark.parametrize(
    ("name", "scales", "slots"),
    [
        ("REVERSE_V2", (0.5, 0.5), []),
        ("REVERSE_V2", (0.5, 0.25), [0]),
        ("CONCATENATION", (0.5, 0.25, 0.5), [1]),
        ("MAXIMUM", (0.25, 0.25, 0.5), [0, 1]),
        ("FULLY_CONNECTED", (0.5, 0.25), []),  # rescales by itself
    ],
)
def test_what_moves_numbers_needs_one_scale(
    name: str, scales: tuple[float, ...], slots: list[int]
) -> None:
    assert [one.slot for one in unequal_scales(_links(moving(name, scales)))] == slots


def test_each_output_and_the_right_input_are_compared() -> None:
    tflite = moving("SPLIT", (0.5, 0.5, 0.25), outputs=2, axis=True)
    assert [(one.slot, one.output) for one in unequal_scales(_links(tflite))] == [(1, 2)]


def test_a_zero_point_is_part_of_a_scale() -> None:
    file = FileMaker()
    x, y = (
        file.tensor(name, (1,), "int8", quantization=quantization([0.5], [point]))
        for name, point in (("x", 0), ("y", 3))
    )
    file.operator("RESHAPE", [x], [y])
    (line,) = structural_faults(read_model(file.file([x], [y])))
    assert line == (
        "RESHAPE 0:0 moves integers from scale 0.5 (+0) to 0.5 (+3) as they are, so that all of "
        "them are off"
    )


@pytest.mark.parametrize(
    ("name", "dtype"), [("CONCATENATION", "uint8"), ("REVERSE_V2", "int32"), ("SLICE", "float32")]
)
def test_kernels_that_rescale_and_types_without_scale_are_sound(name: str, dtype: str) -> None:
    assert structural_faults(read_model(moving(name, (0.5, 0.25), dtype=dtype))) == ()


def test_one_operator_may_own_a_state() -> None:
    assert structural_faults(read_model(state(("SVDF", 4)))) == ()


@pytest.mark.parametrize(
    ("users", "owners", "others"),
    [
        ((("SVDF", 4), ("ADD", 1)), 1, 1),
        ((("SVDF", 4), ("RNN", 4)), 2, 0),
        ((("ADD", 1),), 0, 1),
    ],
)
def test_a_state_that_others_read_is_shared(
    users: tuple[tuple[str, int], ...], owners: int, others: int
) -> None:
    tflite = state(*users)
    (found,) = shared_states(_links(tflite))
    assert (len(found.owners), len(found.others), found.writers) == (owners, others, ())
    (line,) = structural_faults(read_model(tflite))
    assert line.startswith(f"the state state is shared by {users[0][0]} 0:0")


def test_a_state_that_an_operator_puts_out_has_two_writers() -> None:
    file = FileMaker()
    x, variable = file.tensor("x", (1, 2)), file.tensor("state", (1, 2), isVariable=True)
    file.operator("ADD", [x, x], [variable])
    (found,) = shared_states(_links(file.file([x], [variable])))
    assert found.writers == (0,)


@pytest.mark.parametrize("make", [lambda: moving("TANH", (0.5, 0.25)), lambda: state()])
def test_other_graphs_are_sound(make: Callable[[], bytes]) -> None:
    assert structural_faults(read_model(make())) == ()
