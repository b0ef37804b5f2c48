"""Orders that cannot hold what each step claims."""

import pytest

from tflite_squeeze.errors import InputError
from tflite_squeeze.recipes.files import parse_recipe
from tflite_squeeze.techniques.order import order_problem
from tflite_squeeze.techniques.pruning.config import Prune


@pytest.mark.parametrize(
    ("order", "at"),
    [
        (("cluster", "prune"), 1),
        (("prune", "cluster", "l0"), 2),
        (("cluster", "distill"), 1),
        (("prune", "factorize"), 1),
        (("factorize", "narrow"), 1),
        (("cluster", "narrow"), 1),
        (("binarize", "prune"), 1),
    ],
)
def test_impossible(order: tuple[str, ...], at: int) -> None:
    problem = order_problem([(name, None, False) for name in order])
    assert problem is not None
    assert problem[0] == at
    assert order[at] in problem[1]


@pytest.mark.parametrize(
    "order",
    [
        (),
        ("prune", "cluster"),
        ("factorize", "prune", "cluster"),
        ("prune", "narrow", "prune", "cluster"),
        ("distill", "prune", "distill"),
        ("narrow", "factorize"),
    ],
)
def test_possible(order: tuple[str, ...]) -> None:
    assert order_problem([(name, None, False) for name in order]) is None


def test_pruning_to_less_than_there_is() -> None:
    less = [("prune", Prune(sparsity=0.9), False), ("prune", Prune(sparsity=0.5), False)]
    at, reason = order_problem(less) or (None, "")
    assert at == 1
    assert reason == (
        "prune (step 2) does nothing after prune (step 1): there are 0.9 zeros already and it asks "
        "for 0.5: ask for more, or leave it out"
    )
    assert order_problem(less[::-1]) is None
    elsewhere = [less[0], ("prune", Prune(sparsity=0.5, only=("conv_1",)), False)]
    assert order_problem(elsewhere) is None
    whole = [less[0], ("prune", Prune(sparsity=0.5, granularity="filter"), False)]
    assert order_problem(whole) is None
    second_attempt = [("prune", Prune(sparsity=0.9), True), less[1]]
    assert order_problem(second_attempt) is None


def test_the_line_of_the_step_is_told() -> None:
    text = b"steps:\n  - prune: {sparsity: 0.9}\n\n  - prune: {sparsity: 0.5}\n"
    with pytest.raises(InputError, match=r"^r\.yaml:4: steps\.2: prune \(step 2\) does nothing"):
        parse_recipe(text, "r.yaml")
