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


def test_separable_and_einsum_layers_counted_by_hand(layers) -> None:
    separable = layers.SeparableConv1D(6, 3, depth_multiplier=2, strides=2, padding="same")
    assert _macs(separable, (10, 4)) == 5 * (3 * 4 * 2 + 8 * 6)
    assert _macs(layers.EinsumDense("abc,cd->abd", (5, 8), bias_axes="d"), (5, 3)) == 5 * 8 * 3
    heads = layers.EinsumDense("abcd,cde->abe", (5, 6))
    assert _macs(heads, (5, 2, 4)) == 5 * 6 * 2 * 4


def test_recurrent_layers_count_every_step(layers) -> None:
    assert _macs(layers.LSTM(4), (5, 3)) == 5 * 4 * (3 * 4 + 4 * 4)
    assert _macs(layers.GRU(4), (5, 3)) == 5 * 3 * (3 * 4 + 4 * 4)  # its bias has two rows
    assert _macs(layers.SimpleRNN(4), (5, 3)) == 5 * (3 * 4 + 4 * 4)
    both = layers.Bidirectional(layers.LSTM(4))
    assert _macs(both, (5, 3)) == 2 * 5 * 4 * (3 * 4 + 4 * 4)
    assert _macs(layers.TimeDistributed(layers.GRU(4)), (7, 5, 3)) == 7 * 5 * 3 * (3 * 4 + 4 * 4)


def _attended(layers, layer, query, value) -> int | None:
    inputs = [layers.Input(shape) for shape in (query, value)]
    layer(*inputs)
    return layer_macs(layer, (-1, *query), (-1, *query), [(-1, *value)])


def test_attention_counts_projections_and_pairs_of_positions(layers) -> None:
    layer = layers.MultiHeadAttention(num_heads=2, key_dim=3, value_dim=5)
    projections = 6 * 8 * 2 * 3 + 4 * 7 * 2 * 3 + 4 * 7 * 2 * 5 + 6 * 2 * 5 * 8
    pairs = 6 * 4 * 2 * 3 + 6 * 4 * 2 * 5  # scores of keys, and sums of values
    assert _attended(layers, layer, (6, 8), (4, 7)) == projections + pairs
    own = layers.MultiHeadAttention(num_heads=2, key_dim=3)
    own(*[layers.Input((6, 8))] * 2)
    counted = 4 * 6 * 8 * 2 * 3 + 2 * 6 * 6 * 2 * 3
    assert layer_macs(own, (-1, 6, 8), (-1, 6, 8)) == counted
    assert layer_macs(own, (-1, -1, 8), (-1, -1, 8)) is None


def test_attention_along_one_axis_pairs_the_positions_of_that_axis_alone(layers) -> None:
    layer = layers.MultiHeadAttention(num_heads=2, key_dim=3, attention_axes=(2,))
    layer(*[layers.Input((4, 5, 8))] * 2)
    counted = 4 * (4 * 5) * 8 * 2 * 3 + 2 * (4 * 5 * 5) * 2 * 3
    assert layer_macs(layer, (-1, 4, 5, 8), (-1, 4, 5, 8)) == counted


def test_queries_in_groups_share_their_keys() -> None:
    layers = pytest.importorskip("keras").layers
    layer = layers.GroupQueryAttention(head_dim=3, num_query_heads=4, num_key_value_heads=2)
    projections = 6 * 8 * 4 * 3 + 2 * (5 * 8 * 2 * 3) + 6 * 4 * 3 * 8
    counted = projections + 2 * (6 * 5 * 4 * 3)
    assert _attended(layers, layer, (6, 8), (5, 8)) == counted


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
