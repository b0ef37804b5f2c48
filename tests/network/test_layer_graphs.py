"""Configurations whose layers wait for each other are found before Keras tries for ever."""

import json
from contextlib import suppress
from typing import Any

import pytest

from tests.tiny_models import LIBRARIES
from tflite_squeeze.errors import InputError
from tflite_squeeze.network.layer_graphs import check_graphs


def config_of(library: Any) -> Any:
    """A line of layers, one of them shared, and a nested model that is called twice."""
    layers = library.layers
    inner = library.Sequential([library.Input((8,)), layers.Dense(8)], name="inner")
    given, shared = library.Input((8,), name="x"), layers.Dense(8, name="shared")
    first = layers.Dense(8, name="first")(inner(shared(given)))
    joined = layers.Add(name="joined")([inner(shared(first)), first])
    return json.loads(library.Model(given, joined).to_json())


@pytest.mark.parametrize("name", LIBRARIES)
def test_shared_layers_and_models_are_no_circle(name: str) -> None:
    check_graphs("net.keras", config_of(LIBRARIES[name]))


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("feeds", ["joined", "nobody", "first"])
def test_layers_that_wait_are_named(name: str, feeds: str) -> None:
    config = config_of(LIBRARIES[name])
    (first,) = [layer for layer in config["config"]["layers"] if layer["name"] == "first"]
    text = json.dumps(first["inbound_nodes"]).replace('"inner"', f'"{feeds}"')
    first["inbound_nodes"] = json.loads(text)
    with pytest.raises(InputError, match=r"'first'.* wait for each other or for a layer that is"):
        check_graphs("net.keras", {"nested": [config]})


@pytest.mark.parametrize("value", [None, 3, [], ["x"], {}, [[]]])
@pytest.mark.parametrize("key", ["name", "inbound_nodes", "config"])
def test_settings_of_other_types_are_keras_s_to_refuse(key: str, value: Any) -> None:
    config = config_of(LIBRARIES["keras"])
    config["config"]["layers"][1][key] = value
    with suppress(InputError):
        check_graphs("net.keras", config)


@pytest.mark.parametrize("place", ["layer", "config"])
def test_a_name_is_text(place: str) -> None:
    layer: Any = {"class_name": "Dense", "name": "a", "config": {"name": "a"}}
    check_graphs("net.keras", layer)
    (layer if place == "layer" else layer["config"])["name"] = 7
    with pytest.raises(InputError, match="a layer's name is 7"):
        check_graphs("net.keras", layer)
