import pytest

from tflite_squeeze.tflite.macs import Macs, operator_macs


@pytest.mark.parametrize(
    ("name", "inputs", "outputs", "expected"),
    [
        # 8x8 places x 16 filters x (3·3·4 weights each)
        ("CONV_2D", [(1, 8, 8, 4), (16, 3, 3, 4), (16,)], [(1, 8, 8, 16)], 8 * 8 * 16 * 36),
        # two groups: each filter sees 2 of the 4 channels
        ("CONV_2D", [(1, 8, 8, 4), (16, 3, 3, 2), None], [(1, 8, 8, 16)], 8 * 8 * 16 * 18),
        ("DEPTHWISE_CONV_2D", [(1, 8, 8, 4), (1, 3, 5, 8)], [(1, 8, 8, 8)], 8 * 8 * 8 * 15),
        # 4x4x3 inputs, each meets 2·2 places of 5 filters
        ("TRANSPOSE_CONV", [(4,), (5, 2, 2, 3), (1, 4, 4, 3)], [(1, 8, 8, 5)], 48 * 20),
        ("FULLY_CONNECTED", [(1, 784), (300, 784), (300,)], [(1, 300)], 235_200),
        ("FULLY_CONNECTED", [(2, 7, 10), (5, 10), None], [(2, 7, 5)], 14 * 50),
        ("BATCH_MATMUL", [(2, 3, 4), (2, 4, 5)], [(2, 3, 5)], 2 * 3 * 5 * 4),
        ("CONV_3D", [(1, 4, 4, 4, 2), (3, 3, 3, 2, 8)], [(1, 4, 4, 4, 8)], 64 * 8 * 54),
        ("CONV_3D_TRANSPOSE", [(5,), (2, 2, 2, 8, 3), (1, 2, 2, 2, 3)], [(1, 4, 4, 4, 8)],
         24 * 64),
        ("RNN", [(2, 10), (16, 10), (16, 16), (16,), (2, 16)], [(2, 16)], 2 * (160 + 256)),
        ("UNIDIRECTIONAL_SEQUENCE_RNN", [(1, 7, 10), (16, 10), (16, 16)], [(1, 7, 16)], 7 * 416),
        ("BIDIRECTIONAL_SEQUENCE_RNN",
         [(1, 7, 10), (16, 10), (16, 16), (16,), (1, 16), (16, 10), (16, 16), (16,), (1, 16)],
         [(1, 7, 32)], 7 * 2 * 416),
        ("SVDF", [(1, 40), (32, 40), (32, 10), None, (1, 320)], [(1, 32)], 32 * 40 + 32 * 10),
        ("LSTM", [(1, 6), (1, 8), (32, 14), (32,), (1, 8)], [(1, 8)], 32 * 14),
        ("LceQuantize", [(1, 4, 4, 64)], [(1, 4, 4, 2)], 0),
        ("RELU", [(1, 100)], [(1, 100)], 0),
        ("RESHAPE", [(1, -1), (2,)], [(1, -1)], 0),
    ],
)  # fmt: skip
def test_macs_counted_by_hand(name, inputs, outputs, expected) -> None:
    assert operator_macs(name, inputs, outputs) == Macs(macs=expected)


def test_an_lstm_counts_its_gates_once_a_step() -> None:
    # 5 steps of 3 values into 4 units: no input gate (coupled), 3 gates left, 2 peepholes.
    weights = [None] + [(4, 3)] * 3
    recurrent = [None] + [(4, 4)] * 3
    peepholes = [None, (4,), (4,)]
    biases = [None] + [(4,)] * 3
    inputs = [(1, 5, 3), *weights, *recurrent, *peepholes, *biases, (2, 4), None, (1, 2), (1, 4)]
    expected = 5 * (3 * 12 + 3 * 16 + 2 * 4 + 8)
    assert operator_macs("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, [(1, 5, 2)]) == Macs(macs=expected)


def test_a_bidirectional_lstm_counts_both_directions() -> None:
    one = [(4, 3)] * 4 + [(4, 4)] * 4 + [None] * 3 + [(4,)] * 4 + [None] * 2
    inputs = [(1, 5, 3), *one, *one, (1, 4), (1, 4), (1, 4), (1, 4)]
    assert operator_macs("BIDIRECTIONAL_SEQUENCE_LSTM", inputs, [(1, 5, 8)]) == Macs(
        macs=2 * 5 * (4 * 12 + 4 * 16)
    )


def test_a_transposed_left_matrix_swaps_its_dimensions() -> None:
    shapes = [(2, 4, 3), (2, 4, 5)], [(2, 3, 5)]
    assert operator_macs("BATCH_MATMUL", *shapes, transposed=True) == Macs(macs=2 * 3 * 5 * 4)
    assert operator_macs("BATCH_MATMUL", *shapes) != Macs(macs=2 * 3 * 5 * 4)


def test_binary_convolutions_are_counted_apart() -> None:
    # 4x4 places x 64 filters x 3·3·64 bits, the output packed into 2 words a place
    inputs = [(1, 4, 4, 2), (64, 3, 3, 2), None, None, None]
    assert operator_macs("LceBconv2d", inputs, [(1, 4, 4, 2)]) == Macs(binary_macs=16 * 64 * 9 * 64)


@pytest.mark.parametrize(
    ("name", "inputs", "outputs"),
    [
        ("CONV_2D", [(1, 8, 8, 4), (16, 3, 3, 4)], [(-1, 8, 8, 16)]),
        ("CONV_2D", [(1, 8, 8, 4), None], [(1, 8, 8, 16)]),
        ("CONV_2D", [], []),
        ("FULLY_CONNECTED", [(1, 10), (10,)], [(1, 5)]),
        ("BATCH_MATMUL", [(-1, 3, 4), (2, 4, 5)], [(-1, 3, 5)]),
        ("FlexConv3D", [(1, 8, 8, 4)], [(1, 8, 8, 16)]),
        ("TFLite_Detection_PostProcess", [(1, 10, 4)], [(1, 10, 4)]),
        ("CUSTOM", [], []),
        ("BUILTIN_999", [], []),
        ("STABLEHLO_CONVOLUTION", [(1, 8, 8, 4)], [(1, 8, 8, 16)]),
    ],
)
def test_what_is_not_known_is_not_guessed(name, inputs, outputs) -> None:
    assert operator_macs(name, inputs, outputs) is None
