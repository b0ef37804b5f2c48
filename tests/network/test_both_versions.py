"""Layers and models of ours as classes: instances, subclasses, and files, in both versions."""

from typing import Any

import keras
import numpy as np
import pytest
import tf_keras

from tests import tiny_models
from tests.tiny_models import LIBRARIES
from tflite_squeeze import Distiller, Prune
from tflite_squeeze.errors import UsageError
from tflite_squeeze.layers import FactorizedConv2D, FactorizedDense, Prunable
from tflite_squeeze.network.both_versions import BothVersions
from tflite_squeeze.network.flavors import Flavor
from tflite_squeeze.network.loading import load_model

KINDS = [Prunable, FactorizedDense, FactorizedConv2D, Distiller]


def _made(kind: Any, library: Any) -> Any:
    if kind is Prunable:
        return Prunable(library.layers.Dense(2), Prune(sparsity=0.5))
    if kind is FactorizedDense:
        return FactorizedDense(4, 1, keras=library)
    if kind is FactorizedConv2D:
        return FactorizedConv2D(4, 3, 1, keras=library)
    return Distiller(student=tiny_models.dense(library), teacher=tiny_models.dense(library))


@pytest.mark.parametrize("kind", KINDS)
def test_instances_are_of_the_class_and_of_their_version_of_keras(kind: Any, library: Any) -> None:
    made = _made(kind, library)
    other = tf_keras if library is keras else keras
    assert isinstance(made, kind)
    assert isinstance(made, library.Model if kind is Distiller else library.layers.Layer)
    assert not isinstance(made, other.layers.Layer)
    assert issubclass(type(made), kind)
    assert type(made).__name__ == kind.__name__
    # The control: plain layers, and layers of the other kinds.
    assert not isinstance(library.layers.Dense(2), kind)
    assert not any(isinstance(made, one) for one in KINDS if one is not kind)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_loaded_layers_are_instances_too(library: Any, suffix: str, tmp_path: Any) -> None:
    model = library.Sequential(
        [
            library.Input((6, 6, 1)),
            FactorizedConv2D(4, 3, 1, keras=library),
            library.layers.Flatten(),
            Prunable(library.layers.Dense(6), Prune(sparsity=0.5)),
            FactorizedDense(4, 1, keras=library),
        ]
    )
    model.save(tmp_path / f"net{suffix}")
    plain = library.models.load_model(tmp_path / f"net{suffix}", compile=False)
    ours = load_model(tmp_path / f"net{suffix}", keep_prunable=True).model
    x = tiny_models.examples(2, 6, 6, 1)
    for loaded in (plain, ours):
        convolution, _, wrapped, dense = loaded.layers
        assert isinstance(convolution, FactorizedConv2D)
        assert isinstance(wrapped, Prunable)
        assert isinstance(dense, FactorizedDense)
        np.testing.assert_array_equal(loaded(x), model(x))
    registered = set(library.saving.get_custom_objects())
    assert {f"tflite_squeeze>{kind.__name__}" for kind in KINDS[:3]} <= registered


def test_a_class_of_its_own_has_one_subclass_for_each_version(library: Any) -> None:
    class Doubled(BothVersions):
        keras_name = "Doubled"

        @classmethod
        def _version_for(cls, *args: Any, **kwargs: Any) -> Flavor:
            return Flavor(library.__name__)

        def call(self, inputs: Any) -> Any:
            return inputs * 2

    layer = Doubled(name="twice")
    assert layer.name == "twice"
    assert float(layer(np.float32([3.0]))[0]) == 6.0
    assert type(layer) is Doubled.in_version(Flavor(library.__name__)) is type(Doubled())
    assert LIBRARIES[layer.flavor] is library


def test_wrong_use_is_told_when_the_layer_is_made() -> None:
    with pytest.raises(UsageError, match="int is not a Keras layer"):
        Prunable(3, Prune(sparsity=0.5))
    with pytest.raises(UsageError, match="int is not a Keras model"):
        Distiller(3, 4)
