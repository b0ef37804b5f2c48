"""What a file may ask Keras to build: ordinary models pass, what reaches out does not."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from tests.tiny_models import LIBRARIES
from tflite_squeeze.errors import InputError
from tflite_squeeze.network.flavors import Flavor
from tflite_squeeze.network.known_names import is_known_operation, known_names
from tflite_squeeze.network.loading import ModelKind, load_model
from tflite_squeeze.network.model_files import read_header, read_metadata
from tflite_squeeze.network.trust import MOST_LEVELS, check_trust, first_distrust


def function(module: str | None, name: str) -> dict[str, Any]:
    return {"module": module, "class_name": "function", "config": name, "registered_name": name}


def layer(name: str, module: str | None = "keras.layers", **config: Any) -> dict[str, Any]:
    return {
        "module": module,
        "class_name": name,
        "config": {"name": "it", **config},
        "registered_name": None,
    }


SYSTEM = function("os", "system")
CODE = {"class_name": "__lambda__", "config": {"code": "4wAAAA=="}}
WRITE = {"name": "w", "op": "WriteFile", "input": ["a", "b"]}
BOTH = {
    "a Lambda's code": layer("Lambda", function=CODE),
    "a Lambda's code as a list": layer("Lambda", function=["4wAA", None, None]),
    "a Lambda's code as text": layer("Lambda", function="4wAA", function_type="function"),
    "a Lambda's shape": layer(
        "Lambda", function="relu", function_type="function", output_shape_type="lambda"
    ),
    "a Lambda's mask": layer("Lambda", function=function("builtins", "relu"), mask=CODE),
    "a Lambda's function": layer("Lambda", function=SYSTEM, function_type="function"),
    "a subclass with code": layer("Dense", function=["4wAA"], function_type="lambda"),
    "a blank": layer("Lambda ", function=CODE),
    "no name": {"class_name": ["Lambda"], "config": {}},
    "no name of a spec": {"class_name": "__typespec__", "spec_name": [], "config": []},
    "an activation": layer("Dense", activation=SYSTEM),
    "an activation's code": layer("Dense", activation=CODE),
    "an activation by name": layer("Dense", activation="os.system"),
    "a builtin": layer("Dense", activation=function("builtins", "exec")),
    "another name": layer("Dense", activation={**function("builtins", "relu"), "config": "exec"}),
    "a Keras function that reads": layer("Dense", activation=function("keras.utils", "get_file")),
    "a Keras function that loads": layer("Dense", fn=function("keras.models", "load_model")),
    "an initializer": layer("Dense", kernel_initializer=layer("Popen", "subprocess", args="x")),
    "an initializer by name": layer("Dense", kernel_initializer="subprocess.Popen"),
    "a regularizer": layer("Dense", kernel_regularizer=function("os", "remove")),
    "a constraint": layer("Dense", kernel_constraint=layer("Path", "pathlib")),
    "a policy": layer("Dense", dtype=layer("Policy", "evil")),
    "a cell": layer("RNN", cell=layer("StackedRNNCells", cells=[layer("Odd", "evil")])),
    "a wrapper": layer("TimeDistributed", layer=layer("Lambda", function=CODE)),
    "both ways": layer("Bidirectional", layer=layer("LSTM", activation=SYSTEM)),
    "a nested model": layer("Sequential", "keras", layers=[layer("Lambda", function=CODE)]),
    "a nested loss": layer("Sequential", "keras", layers=[
        {**layer("Sequential", "keras", layers=[]), "compile_config": {"loss": SYSTEM}}]),
    "an input's argument": {**layer("Dense"), "inbound_nodes": [[["x", 0, 0, {"f": SYSTEM}]]]},
    "a spec": {"class_name": "__typespec__", "spec_name": "Popen", "module": "subprocess",
               "registered_name": None, "config": []},
    "a known name elsewhere": layer("Dense", "evil"),
    "an internal module": layer("Popen", "keras.src.utils.io_utils"),
    "a SavedModel as a layer": layer("TFSMLayer", filepath="/tmp/x"),
    "a pickle of PyTorch": layer("TorchModuleWrapper", module="x"),
    "a vocabulary's file": layer("StringLookup", vocabulary="/etc/passwd"),
    "a list of weights' file": layer("TextVectorization", idf_weights="/etc/passwd"),
}  # fmt: skip
OPERATIONS = {
    "a write": layer("TFOpLambda", None, function="io.write_file"),
    "an old write": layer("TFOpLambda", None, function="compat.v1.write_file"),
    "a raw operation": layer("TFOpLambda", None, function="raw_ops.WriteFile"),
    "Python": layer("TFOpLambda", None, function="numpy_function"),
    "a module of a known name": layer("TFOpLambda", None, function="math.__loader__"),
    "a decoder": layer("TFOpLambda", None, function="image.decode_image"),
    "no text": layer("TFOpLambda", None, function=["math.abs"]),
    "a slice": layer("SlicingOpLambda", None, function="io.read_file"),
    "an operation of TensorFlow 1": layer("TensorFlowOpLayer", None, node_def=WRITE),
    "the same as text": layer("TensorFlowOpLayer", None, node_def="\n\x01w\x12\tWriteFile"),
    "a method": layer("InstanceMethod", None, attr_name="__class__"),
    "a class method": layer("ClassMethod", None, cls_symbol="io.gfile.GFile", method_name="from_x"),
    "a column": layer("DenseFeatures", None, feature_columns=[
        {"class_name": "VocabularyFileCategoricalColumn", "config": {}}]),
}  # fmt: skip


@pytest.mark.parametrize("flavor", Flavor)
@pytest.mark.parametrize("attack", BOTH)
def test_what_reaches_out_is_refused_wherever_it_lies(flavor: Flavor, attack: str) -> None:
    assert first_distrust(BOTH[attack], flavor, {}) is not None
    with pytest.raises(InputError, match="allow-unsafe") as caught:
        check_trust("net.keras", {"a": [BOTH[attack]]}, flavor)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("attack", OPERATIONS)
def test_operations_are_on_a_list(attack: str) -> None:
    assert first_distrust(OPERATIONS[attack], Flavor.TF_KERAS, {}) is not None


def test_a_plain_graph_operation_is_taken() -> None:
    node = layer("TensorFlowOpLayer", None, node_def={**WRITE, "op": "AddV2"})
    assert first_distrust(node, Flavor.TF_KERAS, {}) is None
    assert not is_known_operation("math.nothing_of_the_kind")


def test_registered_names_and_the_callers_own_are_taken() -> None:
    odd = layer("Odd", "elsewhere")
    assert first_distrust(odd, Flavor.KERAS, {}) is not None
    assert first_distrust(odd, Flavor.KERAS, {"Odd": object}) is None
    with keras.saving.custom_object_scope({"Odd": object}):
        assert first_distrust(odd, Flavor.KERAS, {}) is None
        assert first_distrust(odd, Flavor.TF_KERAS, {}) is not None


def test_a_model_is_loaded_uncompiled_so_its_own_loss_does_not_matter() -> None:
    config = {**layer("Sequential", "keras", layers=[]), "compile_config": {"loss": SYSTEM}}
    check_trust("net.keras", config, Flavor.KERAS)


def test_depth_costs_no_recursion() -> None:
    node: Any = []
    for _ in range(100_000):
        node = [node]
    with pytest.raises(InputError, match=f"more than {MOST_LEVELS} levels deep"):
        first_distrust(node, Flavor.KERAS, {})
    while node:
        node = node.pop()


def rich(library: Any) -> Any:
    """Wrappers, cells, nested models, operations, policies, functions by name and by object."""
    layers = library.layers
    low = library.Input((8, 8, 3), name="image")
    half = library.mixed_precision.Policy("mixed_float16") if library is tf_keras else "float16"
    x = layers.Conv2D(
        4, 3, activation=tf.nn.relu6, kernel_regularizer=library.regularizers.L1L2(0.1, 0.1),
        kernel_constraint=library.constraints.MaxNorm(1), dtype=half,
    )(low)  # fmt: skip
    x = layers.Activation(library.activations.swish, dtype="float32")(x)
    x = layers.Conv2D(
        4, 1, activation=tf.nn.silu, kernel_initializer="he_normal", activity_regularizer="l2"
    )(x)
    x = layers.RNN([layers.GRUCell(3), layers.LSTMCell(2)])(
        layers.Bidirectional(layers.LSTM(3, return_sequences=True))(layers.Reshape((36, 4))(x))
    )
    inner = library.Sequential(
        [library.Input((2,)), layers.Dense(3, activation=layers.LeakyReLU())], name="inner"
    )
    x = inner(x)
    x = x[:, 1:] * 2 - (tf.exp(x[:, :1]) if library is tf_keras else keras.ops.exp(x[:, :1]))
    return library.Model(low, layers.Dense(2, activation="softmax")(x), name="rich")


@pytest.mark.parametrize("name", LIBRARIES)
def test_ordinary_models_are_taken(tmp_path: Path, name: str) -> None:
    model, flavor = rich(LIBRARIES[name]), Flavor(name)
    for suffix in ("keras", "h5"):
        path = tmp_path / f"rich.{suffix}"
        if name == "tf_keras" and suffix == "h5":
            with pytest.warns(UserWarning, match="HDF5"):
                model.save(path)
        else:
            model.save(path)
        read, config, _ = read_header(path, path.read_bytes())
        assert read is flavor
        assert first_distrust(config, flavor, {}) is None
        (found,) = [
            entry for entry in config["config"]["layers"] if entry["class_name"] == "Activation"
        ]
        found["config"]["activation"] = SYSTEM
        assert str(first_distrust(config, flavor, {})).startswith("has a layer 'activation")


def test_a_saved_model_is_rebuilt_if_its_names_are_known(tmp_path: Path) -> None:
    rich(tf_keras).save(tmp_path / "rich", save_format="tf")
    assert first_distrust(read_metadata(tmp_path / "rich"), Flavor.TF_KERAS, {}) is None
    assert load_model(tmp_path / "rich").kind is ModelKind.TF_KERAS


def test_a_saved_model_with_a_class_of_its_own_is_its_graph(tmp_path: Path) -> None:
    class Odd(tf_keras.layers.Layer):
        def call(self, x):
            return x

    tf_keras.Sequential([tf_keras.Input((3,)), Odd(name="odd")]).save(
        tmp_path / "odd", save_format="tf"
    )
    loaded = load_model(tmp_path / "odd")
    assert loaded.kind is ModelKind.SAVED_MODEL
    (note,) = loaded.notes
    assert note.startswith("it has a layer 'odd' that needs the class 'Odd', which is not known")


@pytest.mark.parametrize("flavor", Flavor)
def test_every_layer_that_a_keras_exports_is_known_but_those_that_bring_code(flavor) -> None:
    library = LIBRARIES[flavor]
    exported = {
        name
        for name, value in vars(library.layers).items()
        if isinstance(value, type) and issubclass(value, library.layers.Layer)
    }
    unknown = exported - {name for _, name in known_names(flavor).classes}
    assert unknown <= {"FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"}
    assert len(exported) > 100


def test_a_lambda_of_a_known_function_loads_and_runs(tmp_path: Path) -> None:
    given = keras.Input((3,))
    chain = keras.layers.Lambda(keras.activations.relu, output_shape=(3,))(given)
    keras.Model(given, chain).save(tmp_path / "relu.keras")
    loaded = load_model(tmp_path / "relu.keras").model
    np.testing.assert_array_equal(loaded(-np.ones((1, 3), np.float32)), np.zeros((1, 3)))


def test_code_runs_in_no_format(tmp_path: Path) -> None:
    """The whole way, with code that would leave a mark."""
    mark = tmp_path / "mark"
    given = tf_keras.Input((3,), name="x")
    model = tf_keras.Model(given, tf_keras.layers.Dense(2, name="y")(given))
    with pytest.warns(UserWarning, match="HDF5"):
        model.save(tmp_path / "net.h5")
    import h5py

    with h5py.File(tmp_path / "net.h5", "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][1]["config"]["kernel_initializer"] = {
            "module": "os", "class_name": "function", "config": "mkdir", "registered_name": "mkdir",
        }  # fmt: skip
        config["config"]["layers"][1]["inbound_nodes"] = [["_CONSTANT_VALUE", -1, str(mark), {}]]
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(InputError, match=r"layer 'y' that needs the function 'os\.mkdir'"):
        load_model(tmp_path / "net.h5")
    assert not mark.exists()
