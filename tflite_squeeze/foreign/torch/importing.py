"""From a PyTorch network to a Keras model that is checked against it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tflite_squeeze.errors import CheckFailed, InputError, SqueezeError, UnsupportedError
from tflite_squeeze.files.temporary import temporary_folder
from tflite_squeeze.foreign.onnx.checking import Array, Reference
from tflite_squeeze.foreign.onnx.importing import TOLERANCE, Imported, import_onnx
from tflite_squeeze.foreign.torch.environments import INSTALL_LITERT, find_torch
from tflite_squeeze.foreign.torch.programs import check_program
from tflite_squeeze.foreign.torch.source import Factory
from tflite_squeeze.foreign.torch.worker_process import PROGRAM, TorchWorker, started

# Both are tried: the first writes plain graphs, the second knows newer operators.
_EXPORTERS = {"script": "TorchScript", "dynamo": "dynamo"}


@dataclass(frozen=True, kw_only=True)
class TorchFile:
    """A network as a `.tflite` file, where layers cannot compute it.

    Attributes:
        tflite: its content.
        notes: why, and how far it is from the network.
    """

    tflite: bytes
    notes: tuple[str, ...]


def import_torch(
    source: Path | Factory, *, tolerance: float = TOLERANCE, allow_unsafe: bool = False
) -> Imported:
    """Rebuilds a PyTorch network of Keras 3 layers, channels last, and compares the two.

    torch runs in a process of its own, in the Python that `find_torch` finds. It exports ONNX, with
    batch normalization kept, and computes the answers that the Keras model is compared with.

    Args:
        source: a `.pt2` file, or a function that builds the network.
        tolerance: the largest difference, relative to the largest value of an output.
        allow_unsafe: whether a `.pt2` file may run code of its own.

    Raises:
        InputError: the file or the function cannot be used.
        UsageError: torch is not installed.
        UnsupportedError: the network has operators that no layer computes.
        CheckFailed: the models differ by more than the tolerance.
        RuntimeFailure: the process with torch ended.
    """
    with _network(source, allow_unsafe=allow_unsafe) as (worker, told):
        return _rebuilt(worker, told, source, tolerance)


def load_torch(source: Path | Factory, *, allow_unsafe: bool = False) -> Imported | TorchFile:
    """The same; where layers cannot compute it, the `.tflite` file that litert-torch writes.

    Raises:
        SqueezeError: as `import_torch`; the UnsupportedError only where litert-torch is not
            installed, or cannot write it either.
    """
    with _network(source, allow_unsafe=allow_unsafe) as (worker, told):
        try:
            return _rebuilt(worker, told, source, TOLERANCE)
        except UnsupportedError as error:
            return _as_file(worker, told, error)


@contextmanager
def _network(
    source: Path | Factory, *, allow_unsafe: bool
) -> Iterator[tuple[TorchWorker, dict[str, Any]]]:
    """A worker that holds the network, and what it says of it."""
    if isinstance(source, Factory):
        weights = None if source.weights is None else str(source.weights.resolve())
        guarded = False
        request: dict[str, Any] = {
            "do": "load_factory", "path": str(source.path.resolve()), "function": source.function,
            "weights": weights, "inputs": source.inputs,
        }  # fmt: skip
    else:
        guarded = not allow_unsafe
        request = {"do": "load_program", "path": str(source.resolve())}
        if guarded:
            check_program(source)
    environment = find_torch()
    with (
        temporary_folder() as folder,
        started(environment, folder, tensors_alone=guarded, program=PROGRAM) as worker,
    ):
        try:
            told = worker.ask(**request)
        except InputError as error:
            raise InputError(f"{source}: {error}") from error
        yield worker, told


def _rebuilt(
    worker: TorchWorker, told: Mapping[str, Any], source: Path | Factory, tolerance: float
) -> Imported:
    reference = Reference(
        name=f"PyTorch {told['torch']}",
        origin="PyTorch",
        compute=lambda inputs: _outputs(worker, told, inputs),
        takes_batches=told["free"],
    )
    path = source.path if isinstance(source, Factory) else source
    failures: dict[str, SqueezeError] = {}
    for exporter, called in _EXPORTERS.items():
        try:
            exported = Path(worker.ask("export", exporter=exporter)["path"])
            imported = import_onnx(
                exported, tolerance=tolerance, reference=reference, name=path.stem
            )
        except SqueezeError as error:
            failures[called] = error
        else:
            return replace(imported, way=f"exported by {called}", origin="PyTorch")
    first = next(iter(failures.values()))
    shapes = [each["shape"] for each in told["inputs"] if each["shape"][0] != 1]
    if shapes and not told["free"]:
        raise type(first)(
            f"{source}: is the batch of {shapes[0]} its first size? then export it with "
            f"dynamic_shapes, or with 1 there: {first}"
        )
    if isinstance(first, UnsupportedError | CheckFailed):
        raise type(first)(f"{source}: {first}")
    kinds = {type(each) for each in failures.values()}
    kind = UnsupportedError if UnsupportedError in kinds else type(first)
    said = "; ".join(f"by {called}: {str(each)[:130]}" for called, each in failures.items())
    raise kind(f"{source} cannot be rebuilt, {said}")


def _outputs(
    worker: TorchWorker, told: Mapping[str, Any], inputs: Mapping[str, Array]
) -> dict[str, Array]:
    """What torch makes of inputs by name; those that the exporter has dropped are zeros."""
    axes = {each["name"]: each["batch_axis"] for each in told["inputs"]}
    count = next(array.shape[axes[name]] for name, array in inputs.items())
    arrays = []
    for each in told["inputs"]:
        shape = list(each["shape"])
        shape[each["batch_axis"]] *= count
        arrays.append(inputs.get(each["name"], np.zeros(shape, np.float32)))
    return dict(zip(told["outputs"], worker.run(arrays), strict=True))


def _as_file(worker: TorchWorker, told: Mapping[str, Any], error: UnsupportedError) -> TorchFile:
    """What litert-torch makes of a network that has no layers for something.

    Raises:
        UnsupportedError: it is not installed, or cannot convert it.
        CheckFailed: its file differs.
    """
    try:
        written = worker.ask("export_tflite")
    except InputError as second:
        raise UnsupportedError(f"{error}; nor can litert-torch convert it ({second})") from second
    if written["path"] is None:
        raise UnsupportedError(
            f"{error}; to take it as a .tflite file, which can be quantized:",
            command=INSTALL_LITERT,
        ) from error
    if not written["difference"] <= TOLERANCE:
        raise CheckFailed(
            f"the file of litert-torch differs from PyTorch by {written['difference']:.2g} of the "
            f"largest value of an output, more than {TOLERANCE:g}: {error}"
        ) from error
    return TorchFile(
        tflite=Path(written["path"]).read_bytes(),
        notes=(
            str(error),
            f"so it is taken as the .tflite file of litert-torch {written['version']}, whose "
            f"largest difference to PyTorch {told['torch']} is {written['difference']:.1e} of the "
            f"largest output",
        ),
    )
