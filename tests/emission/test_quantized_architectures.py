"""Twins of architectures that nobody built for it, and their files: the same to one step."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests import tiny_models
from tests.tiny_models import LIBRARIES
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.errors import UnsupportedError
from tflite_squeeze.network import flavors
from tflite_squeeze.network.graph import graph_of
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.network.quantization.biases import round_biases
from tflite_squeeze.network.quantization.folding import folded, unfolded
from tflite_squeeze.network.quantization.plan import QuantizationPlan
from tflite_squeeze.network.quantization.points import borrowers_of, points_of
from tflite_squeeze.network.quantization.twin import (
    float_model,
    is_twin,
    plan_for,
    plan_of_twin,
    twin_of,
)
from tflite_squeeze.runtime.run import run_file
from tflite_squeeze.tflite.flatbuffer import operator_names
from tflite_squeeze.tflite.signatures import float_operators

NETWORKS: dict[str, Callable[[Any], Any]] = {}


def network(build: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Adds a network to those that are tried."""
    NETWORKS[build.__name__] = build
    return build


@network
def joins(library: Any) -> Any:
    """Concatenations and maxima whose operands are read elsewhere, too."""
    layers = library.layers
    image = library.Input((6, 6, 3), name="image")
    a = layers.Conv2D(4, 3, padding="same", activation="relu", name="a")(image)
    b = layers.Conv2D(4, 1, name="b")(a)
    c = layers.Concatenate(name="c")([a, b])
    d = layers.Conv2D(4, 1, activation="relu", name="d")(c)
    e = layers.Maximum(name="e")([layers.Add(name="sum")([a, d]), d])
    f = layers.Concatenate(name="f")([c, e])
    return library.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(f)))


@network
def pools(library: Any) -> Any:
    """Averages are rounded; a ReLU behind a pool is applied by it."""
    layers = library.layers
    image = library.Input((10, 10, 3), name="image")
    x = layers.Conv2D(4, 3, name="conv")(image)
    x = layers.AveragePooling2D(2, name="average")(x)
    x = layers.ReLU(name="relu")(x)
    x = layers.AveragePooling2D(2, name="average_2")(x)
    x = layers.MaxPooling2D(2, 1, name="most")(x)
    return library.Sequential([library.Model(image, layers.Flatten()(x)), layers.Dense(3)])


@network
def normalised(library: Any) -> Any:
    """Rescaling and Normalization of an image, BatchNormalization of every rank but five."""
    layers = library.layers
    image = library.Input((8, 8, 3), name="image")
    x = layers.Rescaling(0.5, offset=-0.25)(image)
    x = layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 3.0])(x)
    x = layers.Conv2D(4, 3, activation="relu")(x)
    x = layers.Reshape((36, 4))(layers.BatchNormalization()(x))
    x = layers.Conv1D(4, 3, strides=2, activation="relu")(x)
    x = layers.GlobalAveragePooling1D()(layers.BatchNormalization()(x))
    x = layers.BatchNormalization()(layers.Dense(6, activation="relu")(x))
    return library.Model(image, layers.Dense(3)(x))


@network
def siamese(library: Any) -> Any:
    """One encoder with a normalisation on two inputs; arithmetic on what comes out."""
    layers = library.layers
    encoder = library.Sequential(
        [library.Input((6, 6, 1)), layers.Conv2D(4, 3), layers.BatchNormalization(),
         layers.ReLU(), layers.AveragePooling2D(2), layers.Flatten(), layers.Dense(6)],
        name="encoder",
    )  # fmt: skip
    a, b = library.Input((6, 6, 1), name="a"), library.Input((6, 6, 1), name="b")
    difference = encoder(a) - encoder(b)
    x = (1.0 - difference * 2.0) / 3.0
    return library.Model({"a": a, "b": b}, {"x": -x, "far": layers.Dense(1)(x[:, :4])})


@network
def activations(library: Any) -> Any:
    layers = library.layers
    x = given = library.Input((8,), name="x")
    for name in ("swish", "gelu", "tanh", "exponential", "sigmoid"):
        x = layers.Dense(8, activation=name)(x)
    x = layers.PReLU(alpha_initializer="glorot_uniform")(layers.Dense(4)(x))
    return library.Model(given, layers.Dense(3, activation="softmax")(x))


@network
def excited(library: Any) -> Any:
    """Squeeze and excite, with a hard swish as MobileNetV3 writes it."""
    layers = library.layers
    image = library.Input((8, 8, 4), name="image")
    x = layers.Conv2D(8, 3, name="conv")(image)
    x = x * layers.ReLU(6.0)(x + 3.0) * (1 / 6)
    s = layers.Dense(8, activation="sigmoid")(layers.GlobalAveragePooling2D()(x))
    x = layers.Multiply()([x, layers.Reshape((1, 1, 8))(s)])
    return library.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))


@network
def upward(library: Any) -> Any:
    """A U-Net of one level with a transposed convolution."""
    layers = library.layers
    image = library.Input((8, 8, 2), name="image")
    a = layers.Conv2D(4, 3, padding="same")(image)
    a = layers.ReLU()(layers.BatchNormalization()(a))
    x = layers.Conv2D(6, 3, padding="same", activation="relu")(layers.MaxPooling2D()(a))
    x = layers.Conv2DTranspose(4, 2, strides=2, activation="relu")(x)
    x = layers.Concatenate()([x, a])
    return library.Model(image, layers.Conv2D(1, 1, activation="sigmoid")(x))


@network
def integers(library: Any) -> Any:
    """Bytes, words of a vocabulary, and an input that is passed on."""
    layers = library.layers
    pixels = library.Input((6, 6, 1), name="pixels", dtype="uint8")
    words = library.Input((5,), name="words", dtype="int32")
    x = layers.Flatten()(layers.Conv2D(3, 3)(layers.Rescaling(1 / 255)(pixels)))
    y = layers.GlobalAveragePooling1D()(layers.Embedding(9, 4)(words))
    return library.Model([pixels, words], layers.Dense(3)(layers.Concatenate()([x, y])))


# The kernel of HARD_SWISH computes in steps of its own.
_MOST = {"excited": 2}


def _varied(model: Any) -> Any:
    """The model with statistics that are not those of a new one."""
    random = np.random.default_rng(1)
    for layer in flavors.walk_layers(model):
        if type(layer).__name__ == "BatchNormalization":
            layer.set_weights([random.uniform(0.5, 1.5, one.shape) for one in layer.get_weights()])
    return model


def _samples(model: Any) -> dict[str, Any]:
    random, found = np.random.default_rng(0), {}
    for name, spec in flavors.input_specs(model).items():
        shape, kind = (32, *spec.shape[1:]), spec.dtype.as_numpy_dtype
        whole = np.issubdtype(kind, np.integer)
        found[name] = (random.integers(0, 9, shape) if whole else random.normal(size=shape)).astype(
            kind
        )
    return found


def _answers(model: Any, samples: dict[str, Any], *, training: bool = False) -> dict[str, Any]:
    given = flavors.input_structure(model)
    tensors = [tf.constant(samples[spec.name]) for spec in tf.nest.flatten(given)]
    made = model(tf.nest.pack_sequence_as(given, tensors), training=training)
    return {name: np.asarray(one) for name, one in flavors.named_outputs(model, made).items()}


def _twin(model: Any) -> Any:
    plain = folded(model)
    made = twin_of(plain, plan_for(plain))
    _answers(made, _samples(made), training=True)
    return made


def _steps(twin: Any) -> list[float]:
    """The steps of a twin's outputs, in their order."""
    graph = graph_of(twin)
    return [graph.nodes[one.node].source.quantization.scale for one in graph.outputs]


@pytest.mark.parametrize(
    ("name", "library"),
    [
        # One version of Keras of each, and all of the other among the slow ones.
        pytest.param(name, library, marks=[pytest.mark.slow] if (at + other) % 2 else [])
        for at, name in enumerate(NETWORKS)
        for other, library in enumerate(LIBRARIES)
    ],
)
def test_a_file_equals_its_twin(name: str, library: str) -> None:
    LIBRARIES[library].utils.set_random_seed(0)
    model = _varied(NETWORKS[name](LIBRARIES[library]))
    samples = _samples(model)
    plain = folded(model)
    assert unfolded(plain) == ()
    for key, answer in _answers(model, samples).items():
        np.testing.assert_allclose(_answers(plain, samples)[key], answer, atol=1e-5)
    twin = _twin(model)
    tflite = convert(twin, verification=None).tflite
    whole = "uint8" in {str(one.dtype) for one in samples.values()}
    assert len(float_operators(tflite)) == 2 * whole  # CAST and QUANTIZE of bytes
    answers = run_file(tflite, samples).outputs
    for (key, answer), step in zip(_answers(twin, samples).items(), _steps(twin), strict=True):
        differences = np.abs(answers[key] - answer) / step
        assert differences.max() <= _MOST.get(name, 1) + 1e-3, key
        assert differences.mean() <= 0.2, key


def test_operands_of_a_join_have_its_range() -> None:
    plain = folded(joins(LIBRARIES["keras"]))
    assert {"a", "b", "c", "d", "sum", "e"}.isdisjoint(points_of(plain))
    # Not b and e: rounded where they are joined, since nothing else reads them.
    assert borrowers_of(plain) == {"a": "f", "c": "f", "d": "f"}
    names = [name for graph in operator_names(convert(_twin(plain), verification=None).tflite)
             for name in graph]  # fmt: skip
    assert names.count("QUANTIZE") == 1  # the input


def test_a_relu_behind_a_pool_has_the_range_before_it() -> None:
    plain = folded(pools(LIBRARIES["tf_keras"]))
    assert borrowers_of(plain) == {"relu": "conv", "average_2": "conv"}


def test_a_hard_swish_in_parts_is_rounded_once() -> None:
    named = [name for name in points_of(folded(excited(LIBRARIES["keras"])))
             if "conv" not in name]  # fmt: skip
    assert not any(name.startswith(("add", "re_lu")) for name in named)
    assert sum(name.startswith("multiply") for name in named) == 2


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_twin_with_shared_ranges_trains_and_loads(library: str, tmp_path: Any) -> None:
    twin = _twin(pools(LIBRARIES[library]))
    twin.compile("sgd", "mse")
    (images,) = _samples(twin).values()
    twin.fit(images, np.zeros((32, 3)), batch_size=16, verbose=0)
    twin.save(tmp_path / "twin.keras")
    loaded = load_model(tmp_path / "twin.keras").model
    np.testing.assert_array_equal(
        loaded.predict(images, verbose=0), twin.predict(images, verbose=0)
    )
    plain = float_model(loaded)
    assert not is_twin(plain)
    again = twin_of(plain, plan_of_twin(loaded))
    np.testing.assert_allclose(
        again.predict(images, verbose=0), twin.predict(images, verbose=0), atol=1e-6
    )


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("kept", ["conv", "scores"])
def test_what_a_plan_keeps_in_float_is_float_in_the_file(library: str, kept: str) -> None:
    plain = folded(tiny_models.convolutional(LIBRARIES[library]))
    whole = plan_for(plain)
    around = ("image",) if kept == "conv" else ("scores_linear", "scores")
    weights = {
        name: one.model_copy(update={"bits": None}) if name.startswith(kept) else one
        for name, one in whole.weights.items()
    }
    activations = {name: one for name, one in whole.activations.items() if name not in around}
    twin = twin_of(plain, QuantizationPlan(weights=weights, activations=activations))
    samples = _samples(twin)
    _answers(twin, samples, training=True)
    tflite = convert(twin, verification=None).tflite
    names = [name for graph in operator_names(tflite) for name in graph]
    of_layers = {"conv": "CONV_2D", "scores": "FULLY_CONNECTED"}
    floats = [one.split(" ")[0] for one in float_operators(tflite)]
    assert [name for name in of_layers if of_layers[name] in floats] == [kept]
    assert names.count("QUANTIZE") == names.count("DEQUANTIZE") == 1
    answers, wanted = run_file(tflite, samples).outputs, _answers(twin, samples)
    np.testing.assert_allclose(answers["scores"], wanted["scores"], atol=1.001 / 256)


def test_scales_that_the_converter_cannot_write_are_refused() -> None:
    layers = LIBRARIES["keras"].layers
    given = LIBRARIES["keras"].Input((6, 2))
    grouped = layers.Conv1D(2, 3, groups=2, name="short")
    plain = folded(LIBRARIES["keras"].Model(given, grouped(given)))
    twin = twin_of(plain, plan_for(plain, weights=4))
    _answers(twin, _samples(twin), training=True)
    with pytest.raises(UnsupportedError, match=r"'short' .Conv1D.*give short/kernel 8 bits"):
        convert(twin, verification=None)


WIDE = ("joins", "pools", "normalised", "siamese", "upward", "integers")


@pytest.mark.parametrize(
    ("name", "library"),
    [
        pytest.param(name, library, marks=[] if name == "siamese" else [pytest.mark.slow])
        for name, library in zip(WIDE, itertools.cycle(LIBRARIES), strict=False)
    ],
)
def test_a_file_of_16_bits_equals_its_twin(name: str, library: str) -> None:
    LIBRARIES[library].utils.set_random_seed(0)
    plain = folded(_varied(NETWORKS[name](LIBRARIES[library])))
    whole = plan_for(plain, activations=16)
    samples = _samples(plain)
    for kept in ((), tuple(whole.activations)[1::2]):  # all of 16 bits, and every second one
        narrow = {one: plan_for(plain).activations[one] for one in kept}
        plan = whole.model_copy(update={"activations": {**whole.activations, **narrow}})
        twin = twin_of(plain, plan)
        _answers(twin, samples, training=True)
        round_biases(twin)
        tflite = convert(twin, verification=None).tflite
        names = [one for graph in operator_names(tflite) for one in graph]
        assert (names.count("QUANTIZE") > len(samples)) == bool(kept)
        answers = run_file(tflite, samples).outputs
        for (key, answer), step in zip(_answers(twin, samples).items(), _steps(twin), strict=True):
            # Kernels round to a few of 16 bits; what rounds to 8 goes another way now and then.
            coarsest = 1 + 256 * bool(kept)
            differences = np.abs(answers[key] - answer) / step
            assert differences.max() <= max(5, 2 * coarsest), key
            assert differences.mean() <= max(1, coarsest / 8), key


@pytest.mark.parametrize(("name", "operator"), [("activations", "PRELU"), ("excited", "HARD_SW")])
def test_operators_without_16_bits_are_refused(name: str, operator: str) -> None:
    plain = folded(NETWORKS[name](LIBRARIES["keras"]))
    twin = twin_of(plain, plan_for(plain, activations=16))
    _answers(twin, _samples(twin), training=True)
    with pytest.raises(UnsupportedError, match=f"no {operator}.* of 16 bits.*: give.* 8 bits"):
        convert(twin, verification=None)


def test_a_function_of_16_bits_in_front_of_a_join_is_refused() -> None:
    layers = LIBRARIES["keras"].layers
    given = LIBRARIES["keras"].Input((4,), name="x")
    score = layers.Dense(2, activation="sigmoid", name="score")(given)
    joined = layers.Concatenate(name="both")([layers.Dense(2)(given), score])
    plain = folded(LIBRARIES["keras"].Model(given, joined))
    twin = twin_of(plain, plan_for(plain, activations=16))
    _answers(twin, _samples(twin), training=True)
    with pytest.raises(UnsupportedError, match=r"cannot join 'score'.* in 'both.*: give 'score' 8"):
        convert(twin, verification=None)


def test_convolutions_of_volumes_stay_in_float() -> None:
    layers = LIBRARIES["keras"].layers
    given = LIBRARIES["keras"].Input((4, 4, 4, 1))
    x = layers.Flatten()(layers.Conv3D(2, 3, name="volume")(given))
    plain = folded(LIBRARIES["keras"].Model(given, layers.Dense(2, name="y")(x)))
    assert list(plan_for(plain).weights) == ["y/kernel"]
    twin = twin_of(plain, plan_for(plain))
    _answers(twin, _samples(twin), training=True)
    tflite = convert(twin, verification=None).tflite
    answers = run_file(tflite, _samples(twin)).outputs
    (step,) = _steps(twin)
    np.testing.assert_allclose(answers["y"], _answers(twin, _samples(twin))["y"], atol=1.001 * step)


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_ranges_around_a_fused_lstm_convert(library: str) -> None:
    plain = folded(tiny_models.recurrent(LIBRARIES[library]))
    twin = twin_of(plain, plan_for(plain))
    samples = _samples(twin)
    _answers(twin, samples, training=True)
    assert convert(twin, data=samples).record.passed
    # Beside 16 bits its ranges are those of the real samples all the same.
    wide = twin_of(plain, plan_for(plain, activations=16))
    _answers(wide, samples, training=True)
    converted = convert(wide, data=samples)
    (answer,), (wanted,) = (
        run_file(converted.tflite, samples).outputs.values(), _answers(plain, samples).values()
    )  # fmt: skip
    assert np.abs(answer - wanted).max() < 0.02 * np.abs(wanted).max()
