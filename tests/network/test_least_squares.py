import numpy as np
import pytest

from tflite_squeeze.network.least_squares import (
    NormalEquations,
    paired_rows,
    ridge,
    ridge_depthwise,
    rows,
)

ALONE = {
    "Dense": ((4,), {"units": 3}),
    "Dense on steps": ((5, 4), {"units": 3}),
    "Conv1D": ((9, 3), {"filters": 4, "kernel_size": 3, "strides": 2, "padding": "same"}),
    "Conv1D causal": ((9, 3), {"filters": 4, "kernel_size": 3, "dilation_rate": 2,
                               "padding": "causal"}),
    "Conv2D same": ((6, 7, 3), {"filters": 4, "kernel_size": (3, 2), "strides": 2,
                                "padding": "same"}),
    "Conv2D valid": ((6, 7, 3), {"filters": 4, "kernel_size": 3, "dilation_rate": 2}),
    "Conv3D": ((4, 4, 4, 2), {"filters": 3, "kernel_size": 2}),
    "DepthwiseConv2D": ((6, 6, 3), {"kernel_size": 3, "depth_multiplier": 2, "padding": "same"}),
    "DepthwiseConv1D": ((6, 3), {"kernel_size": 3}),
    "EinsumDense heads": ((5, 4), {"equation": "abc,cde->abde", "output_shape": (None, 2, 3)}),
    "EinsumDense output": ((5, 2, 3), {"equation": "abcd,cde->abe", "output_shape": (None, 4)}),
}  # fmt: skip


@pytest.fixture(params=["keras", "tf_keras"])
def layers(request):
    return pytest.importorskip(request.param).layers


@pytest.mark.parametrize("case", list(ALONE))
def test_rows_times_the_kernel_are_the_outputs(layers, case) -> None:
    shape, options = ALONE[case]
    layer = getattr(layers, case.split()[0])(**options, use_bias=False) if (
        "Einsum" not in case) else layers.EinsumDense(**options)  # fmt: skip
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, *shape)).astype(np.float32)
    y = np.asarray(layer(x))
    kernel = np.asarray(layer.weights[0])
    seen, answers = paired_rows(layer, x, y, 3, rng)
    for some, wanted in ((rows(layer, x), y.reshape(-1, answers.shape[-1])), (seen, answers)):
        if some.ndim == 3:
            matrix = kernel.reshape(-1, *kernel.shape[-2:])
            made = np.einsum("ntc,tcm->ncm", some, matrix)
        else:
            made = some @ kernel.reshape(some.shape[1], -1)
        np.testing.assert_allclose(made.reshape(wanted.shape), wanted, atol=1e-5)


def test_drawn_positions_differ_within_an_example(layers) -> None:
    layer = layers.Conv2D(1, 1)
    x = np.arange(2 * 16, dtype=np.float32).reshape(2, 4, 4, 1)
    drawn = rows(layer, x, 10, np.random.default_rng(0)).reshape(2, 10)
    assert [len(set(one)) for one in drawn] == [10, 10]
    assert drawn[0].max() < 16 <= drawn[1].min()


def test_ridge_by_hand() -> None:
    # x = 0, 2 around its mean 1: variance 1; covariance with y = 1, 5 is 2.
    x, y, start = np.array([[0.0], [2.0]]), np.array([[1.0], [5.0]]), np.zeros((1, 1))
    free, intercept = ridge(x, y, start, alpha=0)
    np.testing.assert_allclose(free, 2, rtol=1e-8)
    np.testing.assert_allclose(intercept, 1, rtol=1e-8)
    damped, intercept = ridge(x, y, start, alpha=1)
    np.testing.assert_allclose(damped, 1, rtol=1e-8)  # 2 / (1 + 1)
    np.testing.assert_allclose(intercept, 2, rtol=1e-8)  # the mean is kept: 3 - 1
    towards, _ = ridge(x, y, np.full((1, 1), 4.0), alpha=1)
    np.testing.assert_allclose(towards, 3, rtol=1e-8)  # 4 + (2 - 4) / (1 + 1)


def test_without_an_intercept_nothing_is_centred() -> None:
    x, y = np.array([[1.0], [1.0]]), np.array([[2.0], [4.0]])
    matrix, intercept = ridge(x, y, np.zeros((1, 1)), alpha=0, intercept=False)
    np.testing.assert_allclose(matrix, 3, rtol=1e-8)
    np.testing.assert_allclose(intercept, 0)


def test_constant_inputs_leave_the_kernel_as_it_is() -> None:
    matrix, intercept = ridge(np.ones((3, 2)), np.full((3, 1), 5.0), np.full((2, 1), 0.5))
    np.testing.assert_allclose(matrix, 0.5)
    np.testing.assert_allclose(intercept, 4)


def test_batches_amount_to_all_rows_at_once() -> None:
    rng = np.random.default_rng(0)
    x, y, start = rng.normal(size=(50, 4)), rng.normal(size=(50, 3)), rng.normal(size=(4, 3))
    sums, others = NormalEquations(4, 3), NormalEquations(4, 3)
    for at in (slice(0, 20), slice(20, 40)):
        sums.add(x[at], y[at])
    others.add(x[40:], y[40:])
    for free in (True, False):
        whole = ridge(x, y, start, 0.1, intercept=free)
        for some, other in zip((sums + others).solved(start, 0.1, intercept=free), whole,
                               strict=True):  # fmt: skip
            np.testing.assert_allclose(some, other, rtol=1e-10)


def test_depthwise_is_a_ridge_for_each_channel() -> None:
    rng = np.random.default_rng(0)
    x, y, start = rng.normal(size=(40, 9, 3)), rng.normal(size=(40, 6)), rng.normal(size=(9, 3, 2))
    matrix, intercept = ridge_depthwise(x, y, start, 0.1)
    for channel in range(3):
        outputs = slice(2 * channel, 2 * channel + 2)
        alone, mean = ridge(x[:, :, channel], y[:, outputs], start[:, channel], 0.1)
        np.testing.assert_allclose(matrix[:, channel], alone, rtol=1e-9)
        np.testing.assert_allclose(intercept[outputs], mean, rtol=1e-9)


@pytest.mark.parametrize("intercept", [True, False])
def test_few_rows_are_solved_by_rows_with_the_same_result(intercept: bool) -> None:
    rng = np.random.default_rng(0)
    x, y, start = (rng.standard_normal(shape) for shape in ((20, 30), (20, 4), (30, 4)))
    sums = NormalEquations(30, 4)
    sums.add(x, y)
    wanted = sums.solved(start, 0.05, intercept=intercept)
    for found, one in zip(ridge(x, y, start, 0.05, intercept=intercept), wanted, strict=True):
        assert found == pytest.approx(one, abs=1e-9)
