import pytest

from tflite_squeeze.network.layer_macs import layer_macs


@pytest.fixture(params=["keras", "tf_keras"])
def layers(request):
    return pytest.importorskip(request.param).layers


def _macs(layer, shape):
    layer.build((None, *shape))
    output = tuple(
        -1 if size is None else size for size in layer.compute_output_shape((None, *shape))
    )
    return layer_macs(layer, (-1, *shape), output)


def test_layers_counted_by_hand(layers) -> None:
    assert _macs(layers.Dense(300), (784,)) == 784 * 300
    assert _macs(layers.Dense(5), (7, 10)) == 7 * 10 * 5
    assert _macs(layers.Conv2D(16, 3), (8, 8, 4)) == 6 * 6 * 16 * 9 * 4
    assert _macs(layers.Conv2D(16, 3, groups=2), (8, 8, 4)) == 6 * 6 * 16 * 9 * 2
    assert _macs(layers.Conv1D(8, 5, padding="same"), (20, 3)) == 20 * 8 * 5 * 3
    assert _macs(layers.DepthwiseConv2D(3, depth_multiplier=2), (8, 8, 4)) == 6 * 6 * 8 * 9
    assert _macs(layers.SeparableConv2D(16, 3), (8, 8, 4)) == 36 * (9 * 4 + 4 * 16)
    assert _macs(layers.Conv2DTranspose(5, 2, strides=2), (4, 4, 3)) == 4 * 4 * 3 * 4 * 5
    assert _macs(layers.Conv3D(8, 3, padding="same"), (4, 4, 4, 2)) == 64 * 8 * 27 * 2


def test_recurrent_layers_count_every_step(layers) -> None:
    assert _macs(layers.LSTM(4), (5, 3)) == 5 * 4 * (3 * 4 + 4 * 4)
    assert _macs(layers.SimpleRNN(4), (5, 3)) == 5 * (3 * 4 + 4 * 4)


def test_layers_that_multiply_nothing(layers) -> None:
    assert _macs(layers.ReLU(), (8, 8, 4)) == 0
    assert _macs(layers.BatchNormalization(), (8, 8, 4)) == 0
    assert _macs(layers.Embedding(10, 4), (7,)) == 0


def test_open_dimensions_leave_the_count_open(layers) -> None:
    assert _macs(layers.Conv2D(16, 3), (None, None, 4)) is None
    layer = layers.Dense(3)
    layer.build((None, 2))
    assert layer_macs(layer, None, None) is None


def test_subclasses_count_like_their_base_and_strangers_not_at_all(layers) -> None:
    class Own(layers.Dense):
        pass

    class Strange(layers.Layer):
        def build(self, shape):
            self.kernel = self.add_weight(shape=(shape[-1], 3), name="kernel")

        def compute_output_shape(self, shape):
            return (*shape[:-1], 3)

    assert _macs(Own(3), (2,)) == 6
    assert _macs(Strange(), (2,)) is None
