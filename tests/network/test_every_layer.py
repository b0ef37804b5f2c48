"""Every layer that either version of Keras exports comes through every verb with equal answers.

Each group of layers is one model, a branch for each layer, so that a verb is used once a group. A
head of two Dense layers, which is half dead and has three values, is what the verbs work on: with
settings that change nothing there, no answer may change anywhere.
"""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tflite_squeeze as ts
from tests import tiny_models
from tflite_squeeze.network.rewriting import copy_of

VECTOR, SIGNAL, IMAGE, VOLUME, FILM = (6,), (6, 4), (8, 8, 3), (4, 4, 4, 2), (2, 5, 5, 2)
ONE: dict[str, Any] = {"filters": 2, "kernel_size": 2}
RANDOM = np.random.default_rng(3)


def _wide(kind: str, **options: Any) -> Callable[[Any], Any]:
    return lambda layers: getattr(layers, kind)(**options)


def _adapted(kind: str, data: Any, **options: Any) -> Callable[[Any], Any]:
    def made(layers: Any) -> Any:
        layer = getattr(layers, kind)(**options)
        layer.adapt(data)
        return layer

    return made


def _queried(layer: Any) -> Callable[[Any], Any]:
    """Calls a layer with its first input as a query, and with the second as values."""
    return lambda inputs: layer(inputs, inputs)


# Class: the shape of what it takes (or shapes, or shape and type), what makes it (or options).
Recipe = tuple[Any, Any]
GROUPS: dict[str, dict[str, Recipe]] = {
    "convolutions": {
        "Conv1D": (SIGNAL, ONE),
        "Conv2D": (IMAGE, ONE),
        "Conv3D": (VOLUME, ONE),
        "Conv1DTranspose": (SIGNAL, ONE),
        "Conv2DTranspose": (IMAGE, ONE),
        "Conv3DTranspose": (VOLUME, ONE),
        "DepthwiseConv1D": (SIGNAL, {"kernel_size": 2}),
        "DepthwiseConv2D": (IMAGE, {"kernel_size": 2}),
        "SeparableConv1D": (SIGNAL, ONE),
        "SeparableConv2D": (IMAGE, ONE),
        "LocallyConnected1D": (SIGNAL, ONE),
        "LocallyConnected2D": (IMAGE, {"filters": 2, "kernel_size": (2, 2)}),
    },
    "recurrent": {
        "LSTM": (SIGNAL, {"units": 3}),
        "GRU": (SIGNAL, {"units": 3}),
        "SimpleRNN": (SIGNAL, {"units": 3}),
        "ConvLSTM1D": ((2, 5, 2), ONE),
        "ConvLSTM2D": (FILM, ONE),
        "ConvLSTM3D": ((2, 3, 3, 3, 1), ONE),
        "RNN": (SIGNAL, lambda layers: layers.RNN(layers.LSTMCell(3))),
        "StackedRNNCells": (
            SIGNAL, lambda layers: layers.RNN([layers.GRUCell(2), layers.SimpleRNNCell(3)])
        ),
        "Bidirectional": (SIGNAL, lambda layers: layers.Bidirectional(layers.GRU(2))),
        "TimeDistributed": (SIGNAL, lambda layers: layers.TimeDistributed(layers.Dense(3))),
    },
    "pooling and shapes": {
        **{
            f"{kind}Pooling{at}D": (shape, {"pool_size": 2})
            for kind in ("Average", "Max")
            for at, shape in ((1, SIGNAL), (2, IMAGE), (3, VOLUME))
        },
        **{
            f"{kind}Pooling{at}D": (shape, {})
            for kind in ("GlobalAverage", "GlobalMax")
            for at, shape in ((1, SIGNAL), (2, IMAGE), (3, VOLUME))
        },
        **{
            f"Adaptive{kind}Pooling{at}D": (shape, {"output_size": 2})
            for kind in ("Average", "Max")
            for at, shape in ((1, SIGNAL), (2, IMAGE), (3, VOLUME))
        },
        **{
            f"{kind}{at}D": (shape, {})
            for kind in ("Cropping", "ZeroPadding", "UpSampling")
            for at, shape in ((1, SIGNAL), (2, IMAGE), (3, VOLUME))
        },
        "Flatten": (SIGNAL, {}),
        "Permute": (SIGNAL, {"dims": (2, 1)}),
        "RepeatVector": (VECTOR, {"n": 2}),
        "Reshape": (SIGNAL, {"target_shape": (3, 8)}),
        "Identity": (VECTOR, {}),
        "Masking": (SIGNAL, {}),
        "Lambda": (VECTOR, lambda layers: layers.Lambda(lambda x: x * 2 + len(ONE))),
    },
    "dense, merging and activations": {
        "Dense": (VECTOR, {"units": 3, "trainable": False}),
        "EinsumDense": (SIGNAL, {"equation": "abc,cd->abd", "output_shape": (None, 3)}),
        "Embedding": ((VECTOR, "int32"), {"input_dim": 4, "output_dim": 2, "mask_zero": True}),
        "ReversibleEmbedding": ((VECTOR, "int32"), {"input_dim": 4, "output_dim": 2}),
        **{
            kind: ([SIGNAL, SIGNAL], {})
            for kind in ("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply",
                         "Subtract", "Attention", "AdditiveAttention")
        },
        "Dot": ([SIGNAL, SIGNAL], {"axes": 2}),
        "MultiHeadAttention": (
            SIGNAL, lambda layers: _queried(layers.MultiHeadAttention(num_heads=2, key_dim=2))
        ),
        "GroupQueryAttention": (
            SIGNAL,
            lambda layers: _queried(
                layers.GroupQueryAttention(head_dim=2, num_query_heads=2, num_key_value_heads=1)
            ),
        ),
        "Activation": (VECTOR, {"activation": "tanh"}),
        **{kind: (SIGNAL, {}) for kind in ("ELU", "LeakyReLU", "PReLU", "ReLU", "Softmax")},
        "ThresholdedReLU": (SIGNAL, {}),
        "ActivityRegularization": (VECTOR, {"l2": 0.1}),
    },
    "normalisation and noise": {
        **{
            kind: (SIGNAL, {})
            for kind in ("BatchNormalization", "LayerNormalization", "UnitNormalization",
                         "RMSNormalization")
        },
        "GroupNormalization": (SIGNAL, {"groups": 2}),
        "SpectralNormalization": (
            VECTOR, lambda layers: layers.SpectralNormalization(layers.Dense(3))
        ),
        "Normalization": (SIGNAL, _adapted("Normalization", RANDOM.random((9, 6, 4), np.float32))),
        **{
            kind: (SIGNAL, {"rate": 0.5})
            for kind in ("Dropout", "AlphaDropout", "GaussianDropout", "SpatialDropout1D")
        },
        "SpatialDropout2D": (IMAGE, {"rate": 0.5}),
        "SpatialDropout3D": (VOLUME, {"rate": 0.5}),
        "GaussianNoise": (SIGNAL, {"stddev": 0.5}),
    },
    "tables": {
        "CategoryEncoding": ((VECTOR, "int32"), {"num_tokens": 4}),
        "Discretization": (VECTOR, _adapted("Discretization", RANDOM.random((99, 6)), num_bins=4)),
        "Hashing": (((1,), "string"), {"num_bins": 7, "salt": 5}),
        "HashedCrossing": ([((1,), "string"), ((1,), "int32")], {"num_bins": 7}),
        "IntegerLookup": ((VECTOR, "int32"), _adapted("IntegerLookup", np.array([2, 3, 3, 1]))),
        "StringLookup": (((1,), "string"), _adapted("StringLookup", np.array(["b", "a", "b"]))),
        "TextVectorization": (
            ((1,), "string"),
            _adapted("TextVectorization", np.array(["a b", "b c d", "b"]), output_mode="tf_idf"),
        ),
    },
    "pictures": {
        "CenterCrop": (IMAGE, {"height": 4, "width": 4}),
        "Resizing": (IMAGE, {"height": 4, "width": 4}),
        "Rescaling": (IMAGE, {"scale": 0.5, "offset": 1.0}),
        "RandomBrightness": (IMAGE, {"factor": 0.2}),
        "RandomContrast": (IMAGE, {"factor": 0.2}),
        "RandomCrop": (IMAGE, {"height": 4, "width": 4}),
        "RandomFlip": (IMAGE, {}),
        "RandomRotation": (IMAGE, {"factor": 0.2}),
        "RandomTranslation": (IMAGE, {"height_factor": 0.2, "width_factor": 0.2}),
        "RandomZoom": (IMAGE, {"height_factor": 0.2}),
        "RandomHeight": (IMAGE, {"factor": 0.2}),
        "RandomWidth": (IMAGE, {"factor": 0.2}),
        **{
            kind: (IMAGE, {})
            for kind in ("AugMix", "AutoContrast", "CutMix", "MixUp", "RandAugment",
                         "RandomElasticTransform", "RandomErasing", "RandomGaussianBlur",
                         "RandomInvert", "RandomPerspective", "Solarization",
                         "ContrastLimitedAdaptiveHistogramEqualization")
        },
        **{
            kind: (IMAGE, {"factor": 0.2})
            for kind in ("RandomColorDegeneration", "RandomGrayscale", "RandomHue",
                         "RandomSaturation", "RandomSharpness")
        },
        "RandomPosterization": (IMAGE, {"factor": 4}),
        "RandomColorJitter": (IMAGE, {"brightness_factor": 0.2}),
        "Pipeline": (
            IMAGE, lambda layers: layers.Pipeline([layers.RandomFlip(), layers.Rescaling(2.0)])
        ),
        "MelSpectrogram": ((512,), {"fft_length": 64, "sequence_stride": 32}),
        "STFTSpectrogram": ((512, 1), {"frame_length": 64, "frame_step": 32, "fft_length": 64}),
    },
}  # fmt: skip
WITHOUT = {
    "Layer": "a base class",
    "Wrapper": "a base class",
    "AbstractRNNCell": "a base class",
    "InputLayer": "in every model",
    "LSTMCell": "in RNN",
    "GRUCell": "in StackedRNNCells",
    "SimpleRNNCell": "in StackedRNNCells",
    "InputSpec": "no layer",
    "FlaxLayer": "of another backend",
    "JaxLayer": "of another backend",
    "TorchModuleWrapper": "of another backend",
    "TFSMLayer": "a SavedModel, which Keras cannot make again but from its folder",
    "DenseFeatures": "of feature columns, which no TFLite file has",
    "Equalization": "gives back what it is given while a model is built: Keras sees a circle",
    "RandomShear": "refuses its own configuration, so that no file with it loads either",
    "MaxNumBoundingBoxes": "takes boxes, not tensors",
}


def _classes(library: Any) -> set[str]:
    """The names of the layer classes that a Keras exports, each class by one of its names."""
    named = {kind.__name__ for _, kind in inspect.getmembers(library.layers, inspect.isclass)}
    return {name for name in named if hasattr(library.layers, name)}


def test_no_class_is_forgotten(library: Any) -> None:
    known = {name for group in GROUPS.values() for name in group} | set(WITHOUT)
    assert _classes(library) - known == set()


def _branch(library: Any, name: str, recipe: Recipe) -> tuple[list[Any], Any]:
    """Symbolic inputs and the output of one layer."""
    shapes, options = recipe
    layer = (
        options(library.layers)
        if callable(options)
        else getattr(library.layers, name)(name=f"the_{name}", **options)
    )
    several = isinstance(shapes, list)
    inputs = []
    for at, shape in enumerate(shapes if several else [shapes]):
        size, dtype = shape if shape and isinstance(shape[-1], str) else (shape, "float32")
        inputs.append(library.Input(size, dtype=dtype, name=f"{name}_{at}"))
    return inputs, layer(inputs if several else inputs[0])


def _model(library: Any, group: str) -> tuple[Any, list[str]]:
    library.utils.set_random_seed(2)
    layers = library.layers
    inputs, outputs, names = [library.Input((24,), name="head")], [], []
    for name, recipe in GROUPS[group].items():
        if hasattr(layers, name):
            given, answer = _branch(library, name, recipe)
            inputs, outputs, names = [*inputs, *given], [*outputs, answer], [*names, name]
    hidden = layers.Dense(16, activation="relu", name="head_1")
    outputs.append(layers.Dense(3, name="head_2")(hidden(inputs[0])))
    model = library.Model(inputs, outputs, name="every")
    for variable in model.trainable_variables:
        values = np.asarray(variable)
        variable.assign(values + 0.05 * RANDOM.random(values.shape))
    kernel = RANDOM.choice([-0.25, 0.0, 0.25], (24, 16)).astype(np.float32)
    kernel[:, ::2] = 0
    hidden.set_weights([kernel, np.zeros(16, np.float32)])
    return model, [*names, "head"]


def _data(model: Any) -> list[Any]:
    import tensorflow as tf

    data: list[Any] = []
    for tensor in model.inputs:
        shape = (2, *tensor.shape[1:])
        kind = getattr(tensor.dtype, "name", tensor.dtype)
        if kind == "string":
            data.append(tf.constant([["a b"], ["b d"]]))
        elif "int" in kind:
            data.append(tf.constant(RANDOM.integers(0, 4, shape), kind))
        else:
            data.append(tf.constant(RANDOM.random(shape), kind))
    return data


HEAD: dict[str, Any] = {"only": ("head_1",)}
THERE: dict[str, Any] = {"one_shot": True, "in_place": True}
# The first of them makes the copy that those do their work on which would else make one each.
VERBS: dict[str, Callable[[Any], Any]] = {
    "copy": copy_of,
    "prune": lambda model: ts.prune(model, ts.Prune(sparsity=1e-6), **THERE)[0],
    "cluster": lambda model: ts.cluster(model, ts.Cluster(clusters=4, **HEAD), **THERE)[0],
    "binarize": lambda model: ts.binarize(
        model, ts.Binarize(weights="ternary", inputs="float", protect=(), **HEAD), **THERE
    )[0],
    "factorize": lambda model: ts.factorize(
        model, ts.Factorize(energy=0.999999, **HEAD), one_shot=True
    )[0],
    "narrow": lambda model: ts.narrow(model, ts.Narrow(multiple=1, **HEAD), one_shot=True)[0],
}


# Loops over time take tf_keras a while to build.
@pytest.mark.parametrize(
    "group",
    [pytest.param(name, marks=[pytest.mark.slow] * (name == "recurrent")) for name in GROUPS],
)
def test_answers_stay(library: Any, group: str) -> None:
    model, names = _model(library, group)
    data = _data(model)
    before = [np.asarray(one) for one in model(data, training=False)]
    for verb, use in VERBS.items():
        model = use(model)
        after = [np.asarray(one) for one in model(data, training=False)]
        gaps = {
            name: float(np.abs(one - other).max())
            for name, one, other in zip(names, before, after, strict=True)
            if not np.allclose(one, other, atol=1e-5)
        }
        assert not gaps, verb


def test_the_check_can_fail() -> None:
    library = tiny_models.LIBRARIES["keras"]
    model, _ = _model(library, "normalisation and noise")
    data = _data(model)
    other = copy_of(model)
    layer = next(one for one in other.layers if type(one).__name__ == "Normalization")
    layer.set_weights([0 * one for one in layer.get_weights()])
    layer.finalize_state()
    pairs = zip(model(data), other(data), strict=True)
    assert sum(not np.allclose(one, two) for one, two in pairs) == 1
