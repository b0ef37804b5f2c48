"""Equations split in two, checked by computing them."""

import numpy as np
import pytest

from tflite_squeeze.network.factorized_layers import split_equation


@pytest.mark.parametrize(
    ("equation", "received", "kernel"),
    [
        ("ab,bc->ac", (2, 3), (3, 4)),
        ("abc,cde->abde", (2, 3, 4), (4, 5, 2)),
        ("abcd,cde->abe", (2, 3, 4, 5), (4, 5, 3)),
        ("abcd,dce->abe", (2, 3, 4, 5), (5, 4, 3)),
        ("...x,xy->...y", (2, 3, 4), (4, 5)),
        ("axb,xzy->abzy", (2, 3, 4), (3, 2, 5)),
    ],
)
def test_two_products_are_the_product_with_the_product(
    equation: str, received: tuple[int, ...], kernel: tuple[int, ...]
) -> None:
    random = np.random.default_rng(0)
    first, second = split_equation(equation)
    _, letters, result = equation.replace("->", ",").split(",")
    sizes = dict(zip(letters, kernel, strict=True))
    rank = 2
    left = random.normal(size=[*(sizes[c] for c in letters if c not in result), rank])
    right = random.normal(size=[rank, *(sizes[c] for c in letters if c in result)])
    # The kernel that both amount to, in the order of its own axes.
    summed = "".join(c for c in letters if c not in result)
    kept = "".join(c for c in letters if c in result)
    whole = np.einsum(f"{summed}R,R{kept}->{letters}", left, right)
    x = random.normal(size=received)
    stepwise = np.einsum(second, np.einsum(first, x, left), right)
    np.testing.assert_allclose(stepwise, np.einsum(equation, x, whole))
