"""Files that are damaged, too large, or look outside their folder are refused in one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from tests.onnx_files import classifier, node, onnx_file, onnx_model, weight, whole
from tflite_squeeze.errors import InputError, UnsupportedError
from tflite_squeeze.foreign.onnx.importing import import_onnx
from tflite_squeeze.foreign.onnx.reading import read_onnx


def with_external(folder: Path, location: str, **said: Any) -> Path:
    """A classifier whose matrix is in another file."""
    model = onnx_model(*classifier())
    tensor = next(each for each in model.graph.initializer if each.name == "fc.weight")
    content = tensor.raw_data
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **said}.items():
        tensor.external_data.add(key=key, value=str(value))
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    (folder / "weights.bin").write_bytes(b"1234" + content)
    return path


def test_weights_beside_the_file_are_read(tmp_path: Path) -> None:
    path = with_external(tmp_path, "weights.bin", offset=4, length=4 * 5 * 64)
    assert import_onnx(path).model.get_layer("fc").units == 5


@pytest.mark.parametrize(
    ("location", "said", "error"),
    [
        ("../weights.bin", {}, "outside its folder"),
        ("/etc/passwd", {}, "outside its folder"),
        ("link.bin", {}, "outside its folder"),
        ("nothing.bin", {}, "not beside it"),
        ("weights.bin", {"offset": 4096}, "copy both files again"),
        ("weights.bin", {"offset": -4}, "copy both files again"),
        ("weights.bin", {"length": 8}, "copy both files again"),
        ("weights.bin", {"offset": "many"}, "no usable way"),
    ],
)
def test_other_external_data_is_refused(
    location: str, said: Any, error: str, tmp_path: Path
) -> None:
    (tmp_path / "link.bin").symlink_to("/etc/passwd")
    with pytest.raises(InputError, match=error):
        read_onnx(with_external(tmp_path, location, **said))


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    for content, error in ((b"\xff" * 40, "not an ONNX model"), (b"", "no nodes")):
        path.write_bytes(content)
        with pytest.raises(InputError, match=error):
            read_onnx(path)


def test_unknown_operators_are_all_named_with_their_counts(tmp_path: Path) -> None:
    nodes = [
        node("Det", "x", "a"), node("Det", "x", "b"), node("StringNormalizer", "x", "c"),
        node("Add", "a b", "d"), node("Add", "d c", "y"),
    ]  # fmt: skip
    with pytest.raises(UnsupportedError, match="Det x 2, StringNormalizer x 1"):
        import_onnx(onnx_file(tmp_path, nodes, {"x": ["b", 2, 2]}))


@pytest.mark.parametrize(
    ("nodes", "weights"),
    [
        ([node("Expand", "x s", "y")], {"s": whole(2**20, 2**20)}),
        ([node("Tile", "x s", "y")], {"s": whole(2**20, 2**20)}),
        ([node("Resize", "x - s", "y")], {"s": np.array([1, 1e9], np.float32)}),
        ([node("ConstantOfShape", "s", "a"), node("Add", "a x", "y")], {"s": whole(2**33)}),
    ],
)
def test_what_would_fill_the_memory_is_not_computed(
    nodes: Any, weights: Any, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"makes [\d,]+ elements"):
        import_onnx(onnx_file(tmp_path, nodes, {"x": [1, 4]}, weights))


@pytest.mark.parametrize(
    ("shape", "error"),
    [(["b", 3, "h", "w"], "leaves its shape open"), ([4, 3, 8, 8], "fixes the batch to 4"),
     ([], "a single number")],
)  # fmt: skip
def test_shapes_that_cannot_be_built_are_refused(shape: Any, error: str, tmp_path: Path) -> None:
    nodes, _, weights = classifier()
    with pytest.raises(InputError, match=error):
        import_onnx(onnx_file(tmp_path, nodes, {"x": shape}, weights))


def test_an_open_shape_can_be_stated(tmp_path: Path) -> None:
    nodes, _, weights = classifier()
    path = onnx_file(tmp_path, nodes, {"x": ["b", 3, "h", "w"]}, weights)
    model = import_onnx(path, input_shapes={"x": (1, 3, 8, 8)}).model
    assert model.input_shape == (None, 8, 8, 3)
    for given, error in (({"x": (1, 4, 8, 8)}, "but the ONNX model has"), ({"z": (1,)}, "'z'")):
        with pytest.raises(InputError, match=error):
            import_onnx(path, input_shapes=given)


def test_halves_are_computed_in_single_precision(tmp_path: Path) -> None:
    nodes = [
        node("Cast", "x", "h", to=10),
        node("MatMul", "h w", "m"),
        node("Cast", "m", "y", to=1),
    ]
    weights = {"w": weight(8, 3).astype(np.float16)}
    made = import_onnx(onnx_file(tmp_path, nodes, {"x": ["b", 8]}, weights))
    assert made.model.get_layer(index=1).kernel.dtype == "float32"
