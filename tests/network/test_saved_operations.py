"""SavedModels whose graphs would touch files, as against those that only compute."""

from pathlib import Path

import pytest
import tensorflow as tf
import tf_keras

from tflite_squeeze.errors import InputError
from tflite_squeeze.network.loading import ModelKind, load_model
from tflite_squeeze.network.saved_operations import check_saved_graphs, is_harmless

SPEC = [tf.TensorSpec((1, 3), tf.float32, name="x")]


def saved(folder: Path, function) -> Path:
    """A SavedModel with one signature."""
    module = tf.Module()
    module.f = tf.function(function, input_signature=SPEC)
    tf.saved_model.save(module, str(folder), signatures=module.f.get_concrete_function())
    return folder


def writes(mark: Path):
    def function(x):
        tf.io.write_file(str(mark), "x")
        return {"y": x + 1}

    return function


def branches(mark: Path):
    def function(x):
        return {"y": tf.cond(x[0, 0] > 0, lambda: writes(mark)(x)["y"], lambda: x)}

    return function


def reads(mark: Path):
    return lambda x: {"y": x, "z": tf.io.read_file("/etc/hostname")}


def prints(mark: Path):
    def function(x):
        tf.print("x", output_stream=f"file://{mark}")
        return {"y": x + 1}

    return function


@pytest.mark.parametrize(
    ("make", "operation"),
    [(writes, "WriteFile"), (branches, "WriteFile"), (reads, "ReadFile"), (prints, "PrintV2")],
)
def test_functions_that_touch_files_are_refused(tmp_path: Path, make, operation: str) -> None:
    folder = saved(tmp_path / "model", make(tmp_path / "mark"))
    (tmp_path / "mark").unlink(missing_ok=True)
    with pytest.raises(InputError, match=f"calls '{operation}'.*--allow-unsafe"):
        load_model(folder)
    assert not (tmp_path / "mark").exists()
    assert load_model(folder, allow_unsafe=True).kind is ModelKind.SAVED_MODEL


def test_graphs_of_tensorflow_1_are_followed_from_their_outputs(tmp_path: Path) -> None:
    v1 = tf.compat.v1
    for name in ("harmless", "writing"):
        with v1.Graph().as_default(), v1.Session() as session:
            x = v1.placeholder(tf.float32, (1, 3))
            w = v1.Variable(2.0)
            y = w * x
            if name == "writing":
                with v1.control_dependencies([tf.io.write_file(str(tmp_path / "mark"), "x")]):
                    y = tf.identity(y)
            session.run(v1.global_variables_initializer())
            v1.saved_model.simple_save(session, str(tmp_path / name), {"x": x}, {"y": y})
    assert load_model(tmp_path / "harmless").kind is ModelKind.SAVED_MODEL
    with pytest.raises(InputError, match="calls 'WriteFile'"):
        load_model(tmp_path / "writing")


def test_what_keras_writes_is_harmless(tmp_path: Path) -> None:
    layers = tf_keras.layers
    tf_keras.Sequential(
        [
            tf_keras.Input((4,), dtype=tf.string),
            layers.StringLookup(vocabulary=["a", "b"]),
            layers.Embedding(3, 2),
            layers.LSTM(2),
            layers.Dropout(0.5),
        ]
    ).save(tmp_path / "model", save_format="tf")
    check_saved_graphs(tmp_path, (tmp_path / "model" / "saved_model.pb").read_bytes())


def test_damage_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"saved_model\.pb is damaged"):
        check_saved_graphs(tmp_path, b"\x0a\xff\xff\xff\xff\x0f")


@pytest.mark.parametrize(
    ("operation", "harmless"),
    [
        ("MatMul", True), ("Conv2D", True), ("VarHandleOp", True), ("RandomUniform", True),
        ("LookupTableFindV2", True), ("StatefulPartitionedCall", True), ("While", True),
        ("NobodyKnowsThis", True), ("PyFunc", False), ("EagerPyFunc", False),
        ("PyFuncStateless", False), ("WriteFile", False), ("ReadFile", False), ("SaveV2", False),
        ("RestoreV2", False), ("DebugIdentityV2", False), ("ImmutableConst", False),
        ("InitializeTableFromTextFileV2", False), ("TextLineReaderV2", False),
        ("TFRecordDatasetV2", False), ("SaveDatasetV2", False), ("RpcClient", False),
        ("FileSystemSetConfiguration", False), ("MatchingFiles", False), ("PrintV2", False),
        ("XlaCustomCall", False), ("LMDBReader", False), ("CreateSummaryFileWriter", False),
        ("DumpTensor", False), ("ImportEvent", False), ("RemoteCall", False),
    ],
)  # fmt: skip
def test_operations_known_by_name(operation: str, harmless: bool) -> None:
    assert is_harmless(operation) is harmless
