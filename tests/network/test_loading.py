"""Models of every form: told apart, hashed, and refused with one clear line when unusable."""

import shutil
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from tflite_squeeze.errors import InputError, UsageError
from tflite_squeeze.files.tflite_file import read_tflite
from tflite_squeeze.network.loading import ModelKind, load_model

TFLITE = b"\x1c\0\0\0TFL3" + bytes(64)
FLAVORS = {"keras": keras, "tf_keras": tf_keras}


def network(flavor: str, *, coded: bool = False):
    """Three inputs, two outputs; with a Lambda of byte code if asked for."""
    library = FLAVORS[flavor]
    inputs = library.layers.Input((3,))
    x = (
        library.layers.Lambda(lambda t: t * 2, output_shape=(3,), name="odd")(inputs)
        if coded
        else inputs
    )
    return library.Model(inputs, library.layers.Dense(2, name="out")(x), name="tiny")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every form of the same little network, with and without code inside."""
    folder = tmp_path_factory.mktemp("models")
    for flavor in FLAVORS:
        for name, coded in (("plain", False), ("coded", True)):
            model = network(flavor, coded=coded)
            model.save(folder / f"{name}_{flavor}.keras")
            if flavor == "keras":
                model.save(folder / f"{name}_{flavor}.h5")
                continue
            with pytest.warns(UserWarning, match="HDF5"):
                model.save(folder / f"{name}_{flavor}.h5")
            model.save(folder / f"{name}_saved", save_format="tf")
    network("keras").export(folder / "exported", verbose=False)
    return folder


@pytest.mark.parametrize("flavor", FLAVORS)
@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_the_keras_that_wrote_a_file_reads_it(files: Path, flavor: str, suffix: str) -> None:
    path = files / f"plain_{flavor}.{suffix}"
    loaded = load_model(str(path))
    assert loaded.kind == flavor
    assert loaded.name == path.stem
    assert loaded.path == path
    assert len(loaded.sha256) == 64
    assert isinstance(loaded.model, FLAVORS[flavor].Model)
    assert load_model(loaded) is loaded


@pytest.mark.parametrize("flavor", FLAVORS)
@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_code_in_a_file_is_run_only_when_allowed(files: Path, flavor: str, suffix: str) -> None:
    path = files / f"coded_{flavor}.{suffix}"
    with pytest.raises(InputError, match=r"Lambda layer 'odd'.*--allow-unsafe") as caught:
        load_model(path)
    assert "\n" not in str(caught.value)
    loaded = load_model(path, allow_unsafe=True)
    x = np.ones((1, 3), np.float32)
    dense = loaded.model.get_layer("out")
    np.testing.assert_allclose(loaded.model(x), 2 * x @ dense.get_weights()[0], rtol=1e-5)


def test_saved_model_of_tf_keras_is_a_keras_model(files: Path, tmp_path: Path) -> None:
    assert load_model(files / "plain_saved").kind is ModelKind.TF_KERAS
    with pytest.raises(InputError, match=r"Lambda layer 'odd'.*or delete its keras_metadata\.pb"):
        load_model(files / "coded_saved")
    assert load_model(files / "coded_saved", allow_unsafe=True).kind is ModelKind.TF_KERAS
    shutil.copytree(files / "coded_saved", tmp_path / "copy")
    (tmp_path / "copy" / "keras_metadata.pb").unlink()
    assert load_model(tmp_path / "copy").kind is ModelKind.SAVED_MODEL


def test_exported_saved_model_has_signatures(files: Path) -> None:
    loaded = load_model(files / "exported")
    assert loaded.kind is ModelKind.SAVED_MODEL
    assert loaded.name == "exported"
    assert "serving_default" in loaded.model.signatures
    assert load_model(loaded.model).kind is ModelKind.SAVED_MODEL


def test_hash_of_a_saved_model_changes_with_its_content_only(files: Path, tmp_path: Path) -> None:
    shutil.copytree(files / "exported", tmp_path / "copy")
    original = load_model(files / "exported").sha256
    (tmp_path / "copy" / "fingerprint.pb").write_bytes(b"")
    assert load_model(tmp_path / "copy").sha256 == original
    (tmp_path / "copy" / "assets").mkdir(exist_ok=True)
    (tmp_path / "copy" / "assets" / "words.txt").write_text("one")
    assert load_model(tmp_path / "copy").sha256 != original


def test_tflite_files_and_bytes(tmp_path: Path) -> None:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(TFLITE)
    from_file, from_bytes = load_model(path), load_model(TFLITE)
    assert from_file.kind is from_bytes.kind is ModelKind.TFLITE
    assert from_file.model == TFLITE == read_tflite(path)
    assert from_file.sha256 == from_bytes.sha256


@pytest.mark.parametrize("content", [b"", TFLITE[:6], b"PK\x03\x04", b"some text"])
def test_what_is_no_tflite_file_is_refused_as_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"not a \.tflite file"):
        read_tflite(path)
    with pytest.raises(InputError, match=r"not a \.tflite file"):
        load_model(content)
    with pytest.raises(InputError, match=r"empty|damaged|not a model"):
        load_model(path)


@pytest.mark.parametrize("name", ["plain_keras.keras", "plain_tf_keras.keras",
                                  "plain_keras.h5", "plain_tf_keras.h5"])  # fmt: skip
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5, 0.99])
def test_truncated_files_are_refused(files: Path, tmp_path: Path, name: str, kept: float) -> None:
    content = (files / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(InputError, match=r"empty|damaged or incomplete") as caught:
        load_model(path)
    assert "\n" not in str(caught.value)


def test_flipped_bits_in_a_keras_file_are_found(files: Path, tmp_path: Path) -> None:
    path = tmp_path / "plain_keras.keras"
    content = bytearray((files / path.name).read_bytes())
    start = content.index(b"model.weights.h5") + 200
    content[start : start + 8] = bytes(value ^ 255 for value in content[start : start + 8])
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        load_model(path)


@pytest.mark.parametrize("name", ["exported", "plain_saved"])
def test_damaged_saved_models_are_refused(files: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    shutil.copytree(files / name, folder)
    graph = folder / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"saved_model\.pb"):
        load_model(folder)
    graph.unlink()
    with pytest.raises(InputError, match=r"without saved_model\.pb"):
        load_model(folder)


def test_missing_files_and_other_things_are_refused(files: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist: check the path"):
        load_model(tmp_path / "nothing.keras")
    with pytest.raises(InputError, match="cannot read model"):
        load_model("x" * 5000)
    (tmp_path / "text.keras").write_text("some text")
    with pytest.raises(InputError, match=r"is not a model: expected a \.keras"):
        load_model(tmp_path / "text.keras")
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("a.txt", "text")
    with pytest.raises(InputError, match=r"is an archive, but no model: expected"):
        load_model(tmp_path / "other.keras")


def test_weights_alone_are_no_model(tmp_path: Path) -> None:
    network("keras").save_weights(tmp_path / "my.weights.h5")
    with pytest.raises(InputError, match="weights only: save the whole model"):
        load_model(tmp_path / "my.weights.h5")


@pytest.mark.parametrize(
    ("name", "other"), [("plain_keras.keras", "m.zip"), ("plain_keras.h5", "m.keras")]
)
def test_misnamed_files_are_to_be_renamed(files, tmp_path, name, other) -> None:
    shutil.copy(files / name, tmp_path / other)
    with pytest.raises(InputError, match=f"rename it to m{Path(name).suffix}"):
        load_model(tmp_path / other)


@pytest.mark.parametrize("flavor", FLAVORS)
def test_unknown_layers_ask_for_an_import(tmp_path: Path, flavor: str) -> None:
    library = FLAVORS[flavor]

    class Odd(library.layers.Layer):
        def call(self, x):
            return x

    library.Sequential([library.layers.InputLayer((3,)), Odd()]).save(tmp_path / "odd.keras")
    with pytest.raises(InputError, match="import it first") as caught:
        load_model(tmp_path / "odd.keras")
    assert "\n" not in str(caught.value)
    assert "Odd" in str(caught.value)


@pytest.mark.parametrize("flavor", FLAVORS)
def test_model_objects_are_hashed_by_what_they_compute(flavor: str) -> None:
    model = network(flavor)
    loaded = load_model(model)
    assert loaded.kind == flavor
    assert loaded.name == "tiny"
    assert loaded.path is None
    assert load_model(model).sha256 == loaded.sha256
    model.set_weights([weight + 1 for weight in model.get_weights()])
    assert load_model(model).sha256 != loaded.sha256


@pytest.mark.parametrize("flavor", FLAVORS)
def test_subclassed_models_are_taken(flavor: str) -> None:
    library = FLAVORS[flavor]

    class Two(library.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = library.layers.Dense(2)

        def call(self, x):
            return self.dense(x)

    model = Two()
    model(np.zeros((1, 3), np.float32))
    assert load_model(model).kind == flavor


def test_concrete_functions_are_taken() -> None:
    weight = tf.Variable(2.0)
    function = tf.function(lambda x: x * weight).get_concrete_function(
        tf.TensorSpec((1, 3), tf.float32)
    )
    loaded = load_model(function)
    assert loaded.kind is ModelKind.FUNCTIONS
    assert list(loaded.model) == ["serving_default"]
    assert list(load_model({"one": function}).model) == ["one"]
    weight.assign(3.0)
    assert load_model(function).sha256 != loaded.sha256


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: None, "NoneType .* is not a Keras model"),
        (dict, "empty dict"),
        (lambda: {"a": 3}, r"int \(a\)"),
        (lambda: tf.function(lambda x: x), "get_concrete_function"),
        (lambda: keras.layers.Dense(2, name="alone"), "the layer 'alone'.*keras.Sequential"),
        (lambda: tf_keras.layers.Dense(2, name="alone"), "the layer 'alone'.*tf_keras.Seq"),
    ],
)
def test_other_objects_are_refused(make, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        load_model(make())


@pytest.mark.parametrize("flavor", FLAVORS)
def test_settings_that_ask_for_far_more_weights_than_the_file_holds(
    files, tmp_path, flavor
) -> None:
    path = tmp_path / "huge.keras"
    with (
        zipfile.ZipFile(files / f"plain_{flavor}.keras") as source,
        zipfile.ZipFile(path, "w") as target,
    ):
        for name in source.namelist():
            content = source.read(name)
            if name == "config.json":
                content = content.replace(b'"units": 2', b'"units": 4000000000')
            target.writestr(name, content)
    with pytest.raises(InputError, match=r"would make [\d,]+ bytes of weights and more"):
        load_model(path)
