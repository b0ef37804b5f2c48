"""What the converter refuses, in the user's own terms."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from tflite_squeeze.emission.failures import Missing, layer_of, missing_operators, unsupported


def _error(text: str, *items: tuple[str, int, str | None]) -> Any:
    """What stands in for a ConverterError: operators, their code and their location."""
    errors = [
        SimpleNamespace(
            error_code=code,
            operator=SimpleNamespace(name=operator),
            location=SimpleNamespace(call=[SimpleNamespace(name=at)] if at else []),
        )
        for operator, code, at in items
    ]

    class Refusal(Exception):  # noqa: N818
        def __str__(self) -> str:
            return text

    refusal = Refusal()
    refusal.errors = errors  # type: ignore[attr-defined]
    return refusal


def _told(
    error: Exception,
    said: list[str],
    cost: Callable[[], str | None],
    *,
    open_batch: bool = False,
) -> str:
    return str(unsupported(error, said, {"odd"}, open_batch=open_batch, cost_of_select_ops=cost))


def _never() -> str:
    raise AssertionError("there is no need to try select operators")


@pytest.mark.parametrize(
    ("location", "layer"),
    [
        ("sequential_5_1/odd_1/erf/Erfc@__inference_serve_12", "odd"),
        ("model/odd/Erfc", "odd"),
        ("outer/inner/odd/Erfc", "odd"),
        ("outer_1/inner_1/Erfc", "inner"),
        ("outer/stranger_2/Erfc", "stranger"),
        ("Erfc@__inference", ""),
    ],
)
def test_layer_in_a_location(location: str, layer: str) -> None:
    known = {"odd", "inner"} if layer in ("odd", "inner") else set()
    assert layer_of(location, known) == layer


def test_a_layer_whose_own_name_ends_in_a_number() -> None:
    assert layer_of("model_1/dense_2/Tan", {"dense_2"}) == "dense_2"


def test_missing_operators_are_listed_once_a_layer() -> None:
    error = _error(
        "",
        ("tf.Tan", 1, "m/b/Tan"),
        ("tf.Tan", 1, "m/b/Tan"),
        ("tf.Erfc", 2, "m/a/Erfc"),
        ("tf.Other", 7, "m/a/Other"),
    )
    assert missing_operators(error, {"a", "b"}) == [
        Missing(operator="Erfc", layer="a", flex=False),
        Missing(operator="Tan", layer="b", flex=True),
    ]


def test_what_flex_has_is_tried_and_its_cost_told() -> None:
    error = _error("no", ("tf.Tan", 1, "m/odd/Tan"))
    told = _told(error, [], lambda: "tried: 1,344 bytes")
    assert told == (
        "TFLite has no operator for Tan (layer odd): replace the layer, or pass "
        "--allow-select-ops (tried: 1,344 bytes)"
    )


def test_what_nobody_has_is_not_tried() -> None:
    error = _error("no", ("tf.Tan", 1, "m/odd/Tan"), ("tf.Erfc", 2, None))
    told = _told(error, [], _never)
    assert told.startswith("TFLite has no operator for Erfc, Tan (layer odd), nor has")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("requires element_shape to be static", []),
        ("no", ["error: tf.TensorListReserve needs"]),
    ],
)
def test_a_list_of_open_shape_asks_for_a_fixed_batch(text: str, said: list[str]) -> None:
    error = _error(text, ("tf.TensorListReserve", 1, "m/lstm/TensorListReserve"))
    assert "a recurrent layer needs a fixed batch" in _told(error, said, _never, open_batch=True)
    # With a fixed batch that would not help.
    assert "batch" not in _told(error, said, lambda: None)


def test_an_option_that_does_not_help_is_not_named() -> None:
    error = _error("no", ("tf.Tan", 1, "m/odd/Tan"))
    told = _told(error, [], lambda: None)
    assert told.startswith("TFLite has no operator for Tan (layer odd), and the model does not")
    assert "--" not in told


def test_anything_else_is_passed_on_in_one_line() -> None:
    told = _told(_error("\n  first line\nsecond line"), [], _never)
    assert "first line" in told
    assert "\n" not in told
    assert "run with -v" in told
