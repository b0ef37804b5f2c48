"""The verb: every rule, every kind of layer, refusals, training, and what the .tflite holds."""

from typing import Any

import numpy as np
import pytest

from tests import tiny_models
from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.errors import UsageError
from tflite_squeeze.network.observing import call_shapes
from tflite_squeeze.network.rewriting import rewritten
from tflite_squeeze.techniques.low_rank.config import Factorize
from tflite_squeeze.techniques.low_rank.factor_schemes import full_ranks
from tflite_squeeze.techniques.low_rank.factorable import find, weighed
from tflite_squeeze.techniques.low_rank.factorize import factorize
from tflite_squeeze.techniques.low_rank.input_moments import input_moments
from tflite_squeeze.techniques.low_rank.record import FactorizeRecord
from tflite_squeeze.techniques.low_rank.splitting import candidate
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.training.config import FineTune


@pytest.fixture
def data() -> dict[str, np.ndarray]:
    """Rows of 8 numbers, and the class that the largest of the first three is."""
    x = tiny_models.examples(96, 8)
    y = np.argmax(x[:, :3], axis=1)
    return {"x_train": x[:64], "y_train": y[:64], "x_test": x[64:], "y_test": y[64:]}


def _everything(library: Any) -> Any:
    """Strides, dilation, padding, activations, normalisation, a branch, an image."""
    layers = library.layers
    image = library.Input((9, 8, 4), name="image")
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="strided")(image)
    x = layers.BatchNormalization(name="bn")(x)
    y = layers.Conv2D(8, 3, dilation_rate=2, padding="same", use_bias=False, name="dilated")(x)
    x = layers.Add(name="add")([x, layers.Conv2D(8, 1, name="point")(x), y])
    x = layers.Conv2D(6, (2, 3), padding="valid", activation="relu", name="valid")(x)
    x = layers.DepthwiseConv2D(2, name="depthwise")(x)
    x = layers.Flatten(name="flat")(x)
    return library.Model(image, layers.Dense(5, activation="softmax", name="scores")(x))


def _difference(one: Any, other: Any, *inputs: np.ndarray) -> float:
    given = inputs[0] if len(inputs) == 1 else list(inputs)
    return float(np.abs(np.asarray(one(given)) - np.asarray(other(given))).max())


@pytest.mark.parametrize("scheme", ["channel", "spatial", "tucker"])
@pytest.mark.parametrize("aware", [False, True])
def test_full_rank_answers_alike(library: Any, scheme: str, aware: bool) -> None:
    library.utils.set_random_seed(1)
    model, x = _everything(library), tiny_models.examples(40, 9, 8, 4)
    model.get_layer("bn").set_weights([np.full(8, value) for value in (1.5, 0.2, 0.1, 0.7)])
    # At full rank nothing is saved, and the verb refuses: its parts are asked one by one.
    found = find(model, Factorize(rank=1), call_shapes(model))
    moments = input_moments(model, found.layers, [x]) if aware else {}
    specs = {}
    for one in found.layers:
        way = scheme if scheme in one.schemes else "channel"
        choice = one.choice(way, full_ranks(way, one.shape))  # type: ignore[arg-type]
        made = candidate(weighed(one, moments.get(id(one.layer))), choice, "plain")
        specs[id(one.layer)] = made.specs
        assert made.split.error < 1e-6
    assert len(specs) == 5
    assert _difference(model, rewritten(model, specs), x) < 1e-5


def test_rules_and_their_numbers(library: Any) -> None:
    model = tiny_models.dense(library)
    kernel = model.layers[0].get_weights()[0]
    values = np.linalg.svd(kernel, compute_uv=False)
    made, record = factorize(model, Factorize(rank=3, only=("hidden",)))
    assert len(model.layers) == 2
    (split,) = record.layers
    assert (split.ranks, split.full_ranks) == ((3,), (8,))
    assert split.error == pytest.approx(np.sqrt(np.sum(values[3:] ** 2) / np.sum(values**2)))
    first, second = made.get_layer("hidden_factor_1"), made.get_layer("hidden")
    lost = kernel - first.get_weights()[0] @ second.get_weights()[0]
    assert np.linalg.norm(lost) == pytest.approx(np.sqrt(np.sum(values[3:] ** 2)), rel=1e-4)
    assert second.activation.__name__ == "relu"
    assert (split.parameters_before, split.parameters_after) == (128, 72)
    assert record.parameters_after == made.count_params() == record.parameters_before - 56
    assert record.macs_before - record.macs_after == 56
    assert record.reached
    assert record.finetune is None
    assert FactorizeRecord.model_validate_json(record.model_dump_json()) == record

    energy = np.cumsum(values**2) / np.sum(values**2)
    wanted = int(np.argmax(energy >= 0.6)) + 1
    assert factorize(model, Factorize(energy=0.6)).record.layers[0].ranks == (wanted,)
    assert factorize(model, Factorize(ratio=0.25)).record.layers[0].ranks == (2,)
    named = Factorize(ranks={"Dense": 2}, only=("hidden",))
    assert [split.layer for split in factorize(model, named).record.layers] == ["hidden"]
    config = Factorize(rank=1, ranks={"hidden": 2}, multiple=4)
    assert factorize(model, config).record.layers[0].ranks == (2,)
    assert factorize(model, Factorize(rank=1, multiple=4)).record.layers[0].ranks == (4,)


def test_factors_keep_what_the_data_shows(library: Any) -> None:
    model = tiny_models.dense(library)
    # Inputs near a plane: three directions of eight.
    x = tiny_models.examples(200, 3) @ tiny_models.examples(3, 8, seed=5) + 1
    kwargs = {"one_shot": True}
    aware, record = factorize(model, Factorize(rank=2, only=("hidden",)), {"x": x}, **kwargs)
    config = Factorize(rank=2, only=("hidden",), data_aware=False)
    plain, blind = factorize(model, config, {"x": x}, **kwargs)
    assert record.layers[0].data_aware
    assert not blind.layers[0].data_aware
    assert _difference(aware, model, x) < 0.7 * _difference(plain, model, x)
    # The bias makes up for the mean: with rank 3, the plane is all there is.
    exact, _ = factorize(model, Factorize(rank=3, only=("hidden",)), {"x": x}, **kwargs)
    assert _difference(exact, model, x) < 1e-4


@pytest.mark.parametrize("seed", [0, 2])  # with 2, the spectra of a spatial chain flatter it
def test_an_error_bound_holds_on_the_data(library: Any, seed: int) -> None:
    library.utils.set_random_seed(seed)
    model, x = _everything(library), tiny_models.examples(64, 9, 8, 4)
    _, record = factorize(model, Factorize(max_error=0.5), {"x": x}, one_shot=True)
    assert record.layers
    assert all(split.error <= 0.5 for split in record.layers)
    assert record.reached
    with pytest.raises(UsageError, match="pass data"):
        factorize(model, Factorize(max_error=0.5))


@pytest.mark.parametrize("unit", ["macs", "bytes"])
def test_budgets(library: Any, unit: str) -> None:
    model = _everything(library)
    _, record = factorize(model, Factorize(**{f"{unit}_ratio": 0.7}))
    left = record.macs_ratio if unit == "macs" else record.parameters_ratio
    assert 0.6 < left <= 0.7
    assert record.reached
    with pytest.raises(UsageError, match="even at the lowest ranks"):
        factorize(tiny_models.dense(library), Factorize(**{f"{unit}_ratio": 0.2}))
    with pytest.raises(UsageError, match=r"cannot be factorized need .* alone"):
        factorize(model, Factorize(**{f"{unit}_ratio": 0.001}))


def test_vbmf_finds_a_kernel_of_low_rank(library: Any) -> None:
    model = library.Sequential([library.Input((40,)), library.layers.Dense(30, name="d")])
    low = tiny_models.examples(40, 3) @ tiny_models.examples(3, 30, seed=1)
    model.set_weights([low + 0.1 * tiny_models.examples(40, 30, seed=2), np.zeros(30)])
    _, record = factorize(model, Factorize(vbmf=True))
    assert record.layers[0].ranks == (3,)


def test_einsum_and_embedding(library: Any) -> None:
    layers = library.layers
    ids = library.Input((6,), dtype="int32", name="ids")
    x = layers.Embedding(40, 12, name="words")(ids)
    x = layers.EinsumDense("abc,cde->abde", (None, 3, 8), bias_axes="de", name="heads")(x)
    x = layers.EinsumDense("abde,dec->abc", (None, 10), name="joined", activation="relu")(x)
    model = library.Model(ids, layers.EinsumDense("...c,cf->...f", 9, name="out")(x))
    for name, rank in (("words", 12), ("heads", 12), ("joined", 10), ("out", 9)):
        layer = model.get_layer(name)
        if name != "words":
            layer.set_weights([w + 0.1 for w in layer.get_weights()])
        low = layer.get_weights()[0]
        flat = low.reshape(24, 10) if name == "joined" else low.reshape(low.shape[0], -1)
        u, s, v = np.linalg.svd(flat, full_matrices=False)
        exact = ((u[:, :3] * s[:3]) @ v[:3]).reshape(low.shape)
        layer.set_weights([exact, *layer.get_weights()[1:]])
        assert rank > 3
    made, record = factorize(model, Factorize(rank=3))
    assert [split.layer for split in record.layers] == ["words", "heads", "joined", "out"]
    numbers = np.random.default_rng(0).integers(0, 40, (5, 6))
    assert _difference(model, made, numbers) < 1e-4
    assert record.layers[0].macs_before == 0
    assert record.layers[0].macs_after == 6 * 3 * 12
    _, aware = factorize(model, Factorize(rank=2), {"ids": numbers.astype(np.int32)}, one_shot=True)
    assert all(split.data_aware for split in aware.layers)


def test_what_saves_nothing_is_refused_with_the_numbers(library: Any) -> None:
    model = tiny_models.dense(library)
    made, record = factorize(model, Factorize(rank=7))
    assert not record.layers
    assert not record.reached
    assert record.shortfalls == ("no layer was split",)
    assert "168 parameters rather than 128" in record.refused[0].reason
    assert _difference(model, made, tiny_models.examples(4, 8)) == 0
    assert made is not model


def test_layers_that_stay_and_why(library: Any) -> None:
    layers = library.layers

    class Own(layers.Dense):  # type: ignore[misc,name-defined]
        pass

    image = library.Input((6, 6, 4), name="image")
    x = layers.Conv2D(4, 3, groups=2, name="grouped")(image)
    x = layers.SeparableConv2D(4, 3, name="separable")(x)
    x = layers.LayerNormalization(name="norm")(x)
    x = layers.Conv2DTranspose(3, 2, name="transposed")(x)
    x = layers.Flatten()(x)
    model = library.Model(image, Own(4, name="own")(layers.Dense(6, name="d")(x)))
    _, record = factorize(model, Factorize(rank=1))
    reasons = {item.layer: item.reason for item in record.skipped}
    assert reasons == {
        "grouped": "grouped (groups=2): the groups share no channels",
        "norm": "normalisation has no matrix",
        "transposed": "no scheme for layers of type Conv2DTranspose",
        "own": "it is a subclass of Dense, which may compute something else",
    }
    _, record = factorize(_everything(library), Factorize(rank=1, protect=("first", "point")))
    assert {s.layer: s.reason for s in record.skipped} == {
        "strided": "protected",
        "point": "protected",
        "bn": "normalisation has no matrix",
        "depthwise": "depthwise: each channel has a kernel of its own, there are no channels to "
        "share",
    }


def test_wrong_use(library: Any) -> None:
    model = tiny_models.dense(library)
    for config, message, options in (
        (Factorize(rank=1, only=("nobody",)), "matches none of", {}),
        (Factorize(ranks={"hidden": (2, 2)}), "takes one number", {}),
        (Factorize(rank=1, protect=("*",)), "nothing to factorize", {}),
        (Factorize(rank=1), "needs data", {"finetune": FineTune()}),
    ):
        with pytest.raises(UsageError, match=message):
            factorize(model, config, **options)
    with pytest.raises(UsageError, match="no layer with weights"):
        factorize(tiny_models.keyed(library), Factorize(rank=1))
    with pytest.raises(UsageError, match="is subclassed"):
        factorize(tiny_models.subclassed(library), Factorize(rank=1))


@pytest.mark.slow
def test_trained_and_in_the_file(library: Any, data: dict[str, np.ndarray]) -> None:
    model = tiny_models.dense(library)
    training = FineTune(epochs=30, batch=16, learning_rate=1e-2)
    made, record = factorize(model, Factorize(rank=3, only=("hidden",)), data, training)
    assert record.finetune is not None
    # Numbers that were left open are chosen; those that were given stay.
    chosen, given = record.finetune.model_dump(), training.model_dump(exclude_unset=True)
    assert {name: chosen[name] for name in given} == given
    assert record.before is not None
    assert record.after is not None
    assert record.after > record.before + 0.2
    assert len(record.history["loss"]) == 30
    converted = convert(made, data=data["x_test"])
    assert converted.record.verification is not None
    assert converted.record.verification.passed
    # The thinner matrices are in the bytes, and the whole ones are not.
    tensors = read_model(converted.tflite).subgraphs[0].tensors
    shapes = {tuple(t.shape) for t in tensors if t.buffer and len(t.shape) == 2}
    assert {(3, 8), (16, 3)} <= shapes
    assert (16, 8) not in shapes


@pytest.mark.slow
def test_the_original_teaches_without_labels(library: Any) -> None:
    model, x = tiny_models.dense(library), tiny_models.examples(128, 8)
    config = Factorize(rank=3, only=("hidden",))
    at_once, _ = factorize(model, config, {"x": x}, one_shot=True)
    training = FineTune(epochs=20, batch=16, learning_rate=5e-3, teacher="original")
    taught, record = factorize(model, config, {"x": x}, training)
    assert record.finetune is not None
    # Numbers that were left open are chosen; those that were given stay.
    chosen, given = record.finetune.model_dump(), training.model_dump(exclude_unset=True)
    assert {name: chosen[name] for name in given} == given

    def apart(other: Any) -> float:
        return float(np.mean(np.square(np.asarray(model(x)) - np.asarray(other(x)))))

    assert apart(taught) < 0.7 * apart(at_once)
