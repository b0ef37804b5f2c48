"""Files whose layers wait for each other are refused, and do not make Keras try for ever."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.tiny_models import LIBRARIES
from tflite_squeeze.errors import InputError
from tflite_squeeze.network.layer_graphs import check_names
from tflite_squeeze.network.loading import load_model

pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")


def tangled(library: Any) -> Any:
    """A line of layers, one of them shared, and a nested model that is called twice."""
    layers = library.layers
    inner = library.Sequential([library.Input((8,)), layers.Dense(8)], name="inner")
    given, shared = library.Input((8,), name="x"), layers.Dense(8, name="shared")
    first = layers.Dense(8, name="first")(inner(shared(given)))
    joined = layers.Add(name="joined")([inner(shared(first)), first])
    return library.Model(given, joined)


@pytest.mark.parametrize("name", LIBRARIES)
def test_shared_layers_and_models_are_no_circle(name: str, tmp_path: Path) -> None:
    model = tangled(LIBRARIES[name])
    model.save(tmp_path / "net.h5")
    x = np.ones((1, 8), np.float32)
    np.testing.assert_allclose(load_model(tmp_path / "net.h5").model(x), model(x), rtol=1e-6)


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize(
    "reference", [["joined", 0, 0], ["nobody", 0, 0], ["first", 0, 0], ["inner", "x", 0],
                  ["inner", -3, 0], ["inner", 7, 0], ["inner", None, 0], "no input layer"],
    ids=str,
)  # fmt: skip
def test_layers_that_wait_are_refused(name: str, reference: Any, tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    tangled(LIBRARIES[name]).save(path)
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        layers = {layer["name"]: layer for layer in config["config"]["layers"]}
        if reference == "no input layer":
            layers["x"]["class_name"] = "Flatten"
        else:
            text = json.dumps(layers["first"]["inbound_nodes"])
            old = _references(layers["first"]["inbound_nodes"])[0]
            assert json.dumps(old) in text
            layers["first"]["inbound_nodes"] = json.loads(
                text.replace(json.dumps(old)[:-1], json.dumps([*reference, *old[3:]])[:-1])
            )
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(InputError):
        load_model(path)


def _references(value: Any) -> list[list[Any]]:
    """The lists [layer, node, tensor, ...] in a layer's calls."""
    if isinstance(value, dict):
        return [found for one in value.values() for found in _references(one)]
    if isinstance(value, list) and value and isinstance(value[0], str):
        return [value]
    return [found for one in value for found in _references(one)] if isinstance(value, list) else []


@pytest.mark.parametrize("place", ["layer", "config"])
def test_a_name_is_text(place: str) -> None:
    layer: Any = {"class_name": "Dense", "name": "a", "config": {"name": "a"}}
    check_names("net.keras", layer)
    (layer if place == "layer" else layer["config"])["name"] = 7
    with pytest.raises(InputError, match="a layer's name is 7"):
        check_names("net.keras", layer)
