"""Wrappers of pruning come off when a model is loaded; nothing else about it changes."""

import warnings
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tf_keras

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.network import tfmot
from tflite_squeeze.network.flavors import Flavor, walk_layers
from tflite_squeeze.network.loading import load_model
from tflite_squeeze.network.prunable_layer import PrunableLayer
from tflite_squeeze.network.unwrapping import custom_objects, unwrapped, wrappers_in

# On one worker, which makes what they share once.
pytestmark = [pytest.mark.xdist_group("unwrapping"), pytest.mark.slow]

X = np.random.default_rng(0).normal(size=(3, 8, 8, 1)).astype(np.float32)
FILES = ["wrapped.h5", "wrapped.keras", "saved_model"]


def names(model):
    return [type(layer).__name__ for layer in walk_layers(model)]


@pytest.fixture(scope="module")
def wrapped(tmp_path_factory):
    """A small network that TFMOT has pruned by half, saved in three formats with its wrappers."""
    folder = tmp_path_factory.mktemp("tfmot")
    layers = tf_keras.layers
    tf_keras.utils.set_random_seed(0)
    plain = tf_keras.Sequential(
        [
            tf_keras.Input((8, 8, 1), name="image"),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.SeparableConv2D(3, 2, name="separable"),
            layers.BatchNormalization(name="norm"),
            layers.Flatten(name="flatten"),
            layers.Dense(3, name="scores"),
        ],
        name="net",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow_model_optimization as optimization

        sparsity = optimization.sparsity.keras
        schedule = sparsity.ConstantSparsity(0.5, begin_step=0, frequency=1)
        model = sparsity.prune_low_magnitude(plain, pruning_schedule=schedule)
        model.compile("sgd", "mse")
        labels = np.zeros((3, 3), np.float32)
        steps = sparsity.UpdatePruningStep()
        model.fit(X, labels, epochs=3, verbose=0, callbacks=[steps])
        for file in FILES:
            model.save(folder / file)
    return SimpleNamespace(model=model, folder=folder, outputs=model.predict(X, verbose=0))


@pytest.mark.parametrize("file", FILES)
def test_a_saved_tfmot_model_loads_as_a_plain_one(wrapped, file):
    loaded = load_model(wrapped.folder / file)
    assert "PruneLowMagnitude" not in names(loaded.model)
    assert loaded.model.layers[0].name == "conv"
    np.testing.assert_allclose(loaded.model.predict(X, verbose=0), wrapped.outputs, atol=1e-6)
    kernel = loaded.model.get_layer("conv").get_weights()[0]
    assert np.mean(kernel == 0) == 0.5
    assert loaded.notes == (
        "TensorFlow Model Optimization's pruning wrappers were taken off the layers",
    )


def test_a_tfmot_model_in_memory_is_unwrapped_and_left_alone(wrapped):
    loaded = load_model(wrapped.model)
    assert "PruneLowMagnitude" not in names(loaded.model)
    np.testing.assert_allclose(loaded.model.predict(X, verbose=0), wrapped.outputs, atol=1e-6)
    assert names(wrapped.model).count("PruneLowMagnitude") == 5


def test_keras_alone_cannot_load_it(wrapped):
    """The control: without the stand-in there is nothing to load it with."""
    with pytest.raises(ValueError, match="PruneLowMagnitude"):
        tf_keras.models.load_model(wrapped.folder / "wrapped.h5")


def test_masks_that_were_not_yet_applied_are_applied(wrapped):
    model = tf_keras.models.load_model(
        wrapped.folder / "wrapped.h5",
        compile=False,
        custom_objects={"PruneLowMagnitude": tfmot.stand_in()},
    )
    layer = model.layers[0]
    layer.layer.kernel.assign(np.ones(layer.layer.kernel.shape))
    assert np.mean(unwrapped(model).get_layer("conv").get_weights()[0]) == 0.5


def test_a_converted_file_has_the_zeros_and_the_record_says_so(wrapped):
    converted = convert(wrapped.folder / "wrapped.h5", Convert())
    assert converted.record.passed
    assert any("taken off" in note for note in converted.record.notes)


def with_prunables(library, flavor):
    prunable = PrunableLayer
    layers = library.layers
    inner = library.Sequential(
        [library.Input((6,)), prunable(layers.Dense(5, name="deep"), '{"sparsity": 0.5}')],
        name="inner",
    )
    x = library.Input((8, 8, 1), name="image")
    y = layers.Flatten()(prunable(layers.Conv2D(2, 3, name="conv"))(x))
    y = inner(layers.Dense(6)(y))
    return library.Model(x, prunable(layers.Dense(3, name="scores"))(y), name="net")


LIBRARIES = pytest.mark.parametrize(
    ("library", "flavor"), [(keras, Flavor.KERAS), (tf_keras, Flavor.TF_KERAS)]
)


@LIBRARIES
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_prunable_wrappers_come_off_on_load(library, flavor, suffix, tmp_path):
    model = with_prunables(library, flavor)
    assert names(model).count("Prunable") == 3
    model.save(tmp_path / f"net{suffix}")
    loaded = load_model(tmp_path / f"net{suffix}")
    assert "Prunable" not in names(loaded.model)
    np.testing.assert_array_equal(loaded.model.predict(X, verbose=0), model.predict(X, verbose=0))
    assert loaded.notes == ("Prunable wrappers were taken off the layers",)


@LIBRARIES
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_files_load_where_the_classes_are_not_registered(
    library, flavor, suffix, tmp_path, monkeypatch
):
    """As in a new process, which has not used them yet."""
    with_prunables(library, flavor).save(tmp_path / f"net{suffix}")
    known = library.saving.get_custom_objects()
    for name in [name for name in known if name.startswith("tflite_squeeze>")]:
        monkeypatch.delitem(known, name)
    assert "Prunable" not in names(load_model(tmp_path / f"net{suffix}").model)


@LIBRARIES
def test_a_plain_model_is_not_rebuilt(library, flavor):
    model = library.Sequential([library.Input((4,)), library.layers.Dense(2)])
    assert unwrapped(model) is model
    assert wrappers_in(model) == ()
    assert load_model(model).notes == ()


@LIBRARIES
def test_a_layer_that_only_has_the_name_is_no_wrapper(library, flavor):
    named_alike = type("Prunable", (library.layers.Dense,), {})
    model = library.Sequential([library.Input((4,)), named_alike(2)])
    assert wrappers_in(model) == ()


@LIBRARIES
def test_a_subclassed_model_keeps_its_wrappers_and_says_so(library, flavor):
    class Network(library.Model):
        def __init__(self):
            super().__init__(name="own")
            self.dense = PrunableLayer(library.layers.Dense(2))

        def call(self, inputs):
            return self.dense(inputs)

    model = Network()
    model(np.zeros((1, 4), np.float32))
    loaded = load_model(model)
    assert loaded.model is model
    assert "cannot be rebuilt without its pruning wrappers" in loaded.notes[0]


def test_only_named_classes_are_offered():
    assert custom_objects(Flavor.TF_KERAS, '{"class_name": "Dense"}') == {}
    assert set(custom_objects(Flavor.TF_KERAS, '"PruneLowMagnitude"')) == {"PruneLowMagnitude"}
    assert custom_objects(Flavor.KERAS, '"PruneLowMagnitude"') == {}


@LIBRARIES
def test_prunable_wrappers_stay_for_who_wants_to_prune(library, flavor, tmp_path):
    with_prunables(library, flavor).save(tmp_path / "net.keras")
    kept = load_model(tmp_path / "net.keras", keep_prunable=True)
    assert names(kept.model).count("Prunable") == 3
    assert kept.notes == ()
