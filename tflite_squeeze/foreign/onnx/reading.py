"""ONNX files read in bounded work: nothing of them runs, nothing outside their folder is opened."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tflite_squeeze.errors import InputError, UsageError, reason_of
from tflite_squeeze.files.files import read_file

if TYPE_CHECKING:
    from onnx import ModelProto

SUFFIX = ".onnx"
_MOST_BYTES = 2**31 - 1  # of a protocol buffer
_MOST_NODES = 50_000
_OLDEST_OPSET = 7
_EXPORT_AGAIN = "export it again"


def read_onnx(path: Path) -> "ModelProto":
    """Reads an ONNX file, with the weights that lie beside it.

    Args:
        path: the file. Its external data has to be in its folder, or below.

    Returns:
        The model, its own functions replaced by their nodes.

    Raises:
        UsageError: onnx is not installed.
        InputError: it is damaged, too large, or names files outside its folder.
    """
    onnx = _library()
    from google.protobuf.message import DecodeError

    content = read_file(path, "model", most_bytes=_MOST_BYTES)
    try:
        model = onnx.ModelProto.FromString(content)
    except DecodeError as error:
        raise InputError(f"{path} is not an ONNX model, or damaged: {_EXPORT_AGAIN}") from error
    _check_limits(model, path)
    _read_external(model, path)
    try:
        onnx.checker.check_model(model)
        if model.functions:
            from onnx.inliner import inline_local_functions

            model = inline_local_functions(model)
    except (onnx.checker.ValidationError, RuntimeError, ValueError, TypeError) as error:
        raise InputError(
            f"model {path} is no valid ONNX ({reason_of(error)}): {_EXPORT_AGAIN}"
        ) from error
    return model


def _library() -> Any:
    try:
        import onnx
        import onnx.checker
        import onnx.external_data_helper
        import onnx.numpy_helper
    except ImportError as error:
        raise UsageError(
            "reading .onnx files needs the onnx package: pip install 'tflite_squeeze[onnx]'"
        ) from error
    return onnx


def _check_limits(model: "ModelProto", path: Path) -> None:
    count = len(model.graph.node) + sum(len(each.node) for each in model.functions)
    if not count:
        raise InputError(f"model {path} has no nodes, or is no ONNX model: {_EXPORT_AGAIN}")
    if count > _MOST_NODES:
        raise InputError(f"model {path} has {count:,} nodes, more than {_MOST_NODES:,}")
    versions = [each.version for each in model.opset_import if each.domain in ("", "ai.onnx")]
    if not versions or max(versions) < _OLDEST_OPSET:
        raise InputError(
            f"model {path} uses opset {max(versions, default='none')}, older than "
            f"{_OLDEST_OPSET}: export it again with opset_version=17"
        )
    if model.graph.sparse_initializer:
        raise InputError(f"model {path} has sparse initializers: export it with dense ones")


def _read_external(model: "ModelProto", path: Path) -> None:
    """Loads the tensors that are in files of their own, the sizes checked first."""
    import onnx

    folder = path.resolve().parent
    for tensor in model.graph.initializer:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        said = {entry.key: entry.value for entry in tensor.external_data}
        file = (folder / said.get("location", "")).resolve()
        if not file.is_relative_to(folder) or file == folder:
            raise InputError(
                f"model {path} keeps {tensor.name!r} in {said.get('location')!r}, outside its "
                f"folder: put the file beside it and export again"
            )
        if not file.is_file():
            raise InputError(
                f"model {path} keeps its weights in {file.name}, which is not beside it: copy it "
                f"there"
            )
        tensor.raw_data = _part(tensor, file, said, path)
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]


def _part(tensor: Any, file: Path, said: dict[str, str], path: Path) -> bytes:
    import math

    import onnx

    try:
        width = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        offset, size = int(said.get("offset", 0)), width * math.prod(tensor.dims)
        stated = int(said.get("length", size))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"model {path} describes {tensor.name!r} in no usable way ({reason_of(error)}): "
            f"{_EXPORT_AGAIN}"
        ) from error
    if offset < 0 or size < 0 or stated != size or offset + size > file.stat().st_size:
        raise InputError(
            f"model {path} asks for {size:,} bytes at {offset:,} of {file.name}, which has "
            f"{file.stat().st_size:,}: copy both files again"
        )
    with file.open("rb") as opened:
        opened.seek(offset)
        return opened.read(size)
