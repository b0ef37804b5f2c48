"""Attention that was recognised, as the layer."""

import keras

from tflite_squeeze.foreign.onnx.attention import KIND
from tflite_squeeze.foreign.onnx.registry import Call, Unsupported, handles
from tflite_squeeze.foreign.onnx.values import Axes, Value, stored


@handles(KIND)
def attention(call: Call) -> Value:
    """A MultiHeadAttention with its four projections, all trainable."""
    query, key, value = (call.value(index) for index in range(3))
    weights, heads = call.attribute("weights"), call.attribute("heads")
    biased, outputs = call.attribute("biased"), weights[-1].shape[-1]
    step = 2 if biased else 1
    tensors = [stored(each, _tokens(each.shape)) for each in (query, key, value)]
    layer = keras.layers.MultiHeadAttention(
        num_heads=heads,
        key_dim=weights[0].shape[-1],
        value_dim=weights[2 * step].shape[-1],
        output_shape=None if outputs == query.shape[-1] else (outputs,),
        use_bias=biased,
        name=call.free_name(),
    )
    causal = {"use_causal_mask": True} if call.attribute("causal") else {}
    same = tensors[1] is tensors[2]
    given = {} if same else {"key": tensors[1]}
    tensor = layer(tensors[0], tensors[2], **given, **causal)
    layer.set_weights(weights)
    return Value(tensor=tensor, axes=_tokens(call.shape), shape=call.shape)


def _tokens(shape: tuple[int, ...]) -> Axes:
    """The axis of tokens and that of features."""
    last = len(shape) - 1
    large = [axis for axis in range(last) if shape[axis] > 1]
    if len(large) > 1 or last < 1:
        raise Unsupported("on more than one axis of tokens")
    return (large[0] if large else last - 1), last
