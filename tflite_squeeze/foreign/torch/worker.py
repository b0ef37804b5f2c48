"""The side of PyTorch: a program for a Python that has torch, which need not have this package.

It reads requests from standard input, one line of JSON each, and answers each with one line;
`tflite_squeeze.foreign.torch.worker_process` is the other side. Arrays and ONNX files go through
the folder that it is started in.
"""

import copy
import importlib.metadata
import importlib.util
import inspect
import json
import os
import pickle
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils import _pytree as pytree

_OPSETS = {"script": 17, "dynamo": 18}
_BATCH = 2  # exporters take a batch of 1 for a constant


class Refused(Exception):  # noqa: N818  # the message is for the user
    """What cannot be done; the message says why and what to do."""


class Worker:
    """A network and what was asked of it.

    Attributes:
        folder: where files are exchanged.
        program: what was exported, where that was given.
        network: takes the tensors of `inputs` in their order, and returns tensors.
        inputs: name, shape and dtype of each, and the axis that is the batch.
        outputs: names, in order.
        free: whether the batch may have any size.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program: Any = None
        self.network: Any = None
        self.inputs: list[dict[str, Any]] = []
        self.outputs: list[str] = []
        self.free = True

    def load_program(self, path: str, **_: Any) -> dict[str, Any]:
        """Loads a `.pt2` file, which the other side has looked through."""
        try:
            program = torch.export.load(path)
        except Exception as error:
            raise Refused(
                f"it cannot be read by torch {torch.__version__} ({_first_line(error)}): "
                f"export it again by this version"
            ) from error
        # They are code, and would run when the program is called.
        program._guards_code = []
        self.program = program
        network = program.module()
        self.inputs = _inputs_of(program)
        self.free = all(each.pop("free") for each in self.inputs)
        self._take(network, unflatten=_unflattening(program))
        return self._described()

    def load_factory(
        self, path: str, function: str, weights: str | None, inputs: list[Any], **_: Any
    ) -> dict[str, Any]:
        """Runs the user's function, and loads its weights."""
        network = _built(Path(path), function)
        if weights is not None:
            _load_weights(network, Path(weights))
        network.eval()
        names = _argument_names(network)
        if not inputs:
            raise Refused(
                f"{function}'s network takes ({', '.join(names)}): pass --input with the shape of "
                f"each, such as --input 1x3x224x224"
            )
        self.inputs = [
            {
                "name": name or (names[index] if index < len(names) else f"input_{index}"),
                "shape": shape,
                "dtype": dtype,
                "batch_axis": shape.index(1) if 1 in shape else 0,
            }
            for index, (name, shape, dtype) in enumerate(inputs)
        ]
        self._take(network)
        return self._described()

    def export(self, exporter: str, **_: Any) -> dict[str, Any]:
        """Writes the network as ONNX, with its batch normalization."""
        path = str(self.folder / f"{exporter}.onnx")
        common: dict[str, Any] = {
            "input_names": [each["name"] for each in self.inputs],
            "output_names": self.outputs,
            "opset_version": _OPSETS[exporter],
        }
        try:
            if exporter == "script":
                self._export_traced(path, common)
            else:
                self._export_captured(path, common)
        except Exception as error:
            raise Refused(_first_line(error)) from error
        return {"path": path}

    def _export_traced(self, path: str, common: dict[str, Any]) -> None:
        # A program's sizes are numbers when it is traced, and 1 is what readers know for a batch.
        free = self.free and self.program is None
        torch.onnx.export(
            self.network, self._example(_BATCH if free else 1), path, dynamo=False,
            training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
            dynamic_axes={each["name"]: {each["batch_axis"]: "batch"} for each in self.inputs}
            if free else None, **common,
        )  # fmt: skip

    def _export_captured(self, path: str, common: dict[str, Any]) -> None:
        program = self.program
        if program is None:
            batch = torch.export.Dim("batch")
            shapes = tuple({each["batch_axis"]: batch} for each in self.inputs)
            program = torch.export.export(
                copy.deepcopy(self.network), self._example(_BATCH if self.free else 1),
                # one level more, as they are what *tensors takes
                dynamic_shapes=(shapes,) if self.free else None,
            )  # fmt: skip
        torch.onnx.export(program, (), path, dynamo=True, optimize=False, verbose=False, **common)

    def export_tflite(self, **_: Any) -> dict[str, Any]:
        """Writes the network as a `.tflite` file, and says how far its answers are."""
        try:
            import litert_torch
        except ImportError:
            return {"path": None}
        path, example = str(self.folder / "network.tflite"), self._example(1)
        converted = litert_torch.convert(self.network, example)
        converted.export(path)
        found = converted(*example)
        answers = found if isinstance(found, tuple | list) else [found]
        difference = max(
            float(np.abs(np.asarray(mine) - right.numpy()).max() / (right.abs().max() or 1.0))
            for mine, right in zip(answers, self._answers(example), strict=True)
        )
        version = importlib.metadata.version("litert-torch")
        return {"path": path, "difference": difference, "version": version}

    def run(self, **_: Any) -> dict[str, Any]:
        """Computes the arrays of `inputs.npz` into `outputs.npz`."""
        with np.load(self.folder / "inputs.npz", allow_pickle=False) as data:
            given = {each["name"]: data[str(n)] for n, each in enumerate(self.inputs)}
        answers = self._answers(
            tuple(
                torch.from_numpy(given[each["name"]]).to(getattr(torch, each["dtype"]))
                for each in self.inputs
            )
        )
        np.savez(
            self.folder / "outputs.npz", **{str(n): each.numpy() for n, each in enumerate(answers)}
        )
        return {}

    def _take(self, network: Any, unflatten: Any = None) -> None:
        """Keeps a network, made to take and return plain tensors, and tries it."""
        # On the instance, so that parameters keep their names.
        original = network.forward
        named: list[str] = []

        def forward(*tensors: torch.Tensor) -> Any:
            args, kwargs = unflatten(tensors) if unflatten else (tensors, {})
            found, _ = pytree.tree_flatten_with_path(original(*args, **kwargs))
            kept = [(path, each) for path, each in found if isinstance(each, torch.Tensor)]
            if not kept:
                raise Refused("the network returns no tensor")
            named[:] = [_output_name(path) for path, _ in kept]
            answers = tuple(each for _, each in kept)
            return answers if len(answers) > 1 else answers[0]

        network.forward = forward
        self.network = network
        if self.free:
            try:
                self._answers(self._example(_BATCH))
            except Exception:  # noqa: BLE001  # whatever a network says to a second example
                self.free = False
        self._answers(self._example(1))
        taken = {each["name"] for each in self.inputs}
        self.outputs = []
        for name in named:
            free, number = name, 1
            while free in taken:
                number += 1
                free = f"{name}_{number}"
            taken.add(free)
            self.outputs.append(free)

    def _example(self, count: int) -> tuple[torch.Tensor, ...]:
        made = []
        for each in self.inputs:
            shape, dtype = list(each["shape"]), getattr(torch, each["dtype"])
            if shape[each["batch_axis"]] == 1:
                shape[each["batch_axis"]] = count
            made.append(
                torch.rand(shape).to(dtype)
                if dtype.is_floating_point
                else torch.zeros(shape).to(dtype)
            )
        return tuple(made)

    def _answers(self, tensors: tuple[torch.Tensor, ...]) -> list[torch.Tensor]:
        with torch.no_grad():
            found = self.network(*tensors)
        return [found] if isinstance(found, torch.Tensor) else list(found)

    def _described(self) -> dict[str, Any]:
        return {
            "torch": torch.__version__,
            "inputs": self.inputs,
            "outputs": self.outputs,
            "free": self.free,
        }


def _inputs_of(program: Any) -> list[dict[str, Any]]:
    """The inputs of a program; sizes that it leaves open are 1 on the batch's axis."""
    described = []
    wanted = set(program.graph_signature.user_inputs)
    for node in program.graph.nodes:
        if node.op != "placeholder" or node.name not in wanted:
            continue
        value = node.meta.get("val")
        if not isinstance(value, torch.Tensor):
            raise Refused(f"its input {node.name} is no tensor: export it without")
        sizes = [int(size) if isinstance(size, int) else None for size in value.shape]
        open_axes = [axis for axis, size in enumerate(sizes) if size is None]
        if len(open_axes) > 1:
            raise Refused(
                f"its input {node.name} leaves {len(open_axes)} sizes open: export it with the "
                f"batch alone in dynamic_shapes"
            )
        if not open_axes and 1 not in sizes:
            raise Refused(
                f"its input {node.name} of shape {sizes} has no batch that is free or 1: export it "
                f"with dynamic_shapes"
            )
        batch_axis = open_axes[0] if open_axes else sizes.index(1)
        described.append({
            "name": node.name,
            "shape": [1 if size is None else size for size in sizes],
            "dtype": str(value.dtype).removeprefix("torch."),
            "batch_axis": batch_axis,
            "free": bool(open_axes),
        })  # fmt: skip
    return described


def _unflattening(program: Any) -> Any:
    """From tensors in order to the arguments of a program."""
    spec = program.call_spec.in_spec

    def unflatten(tensors: tuple[torch.Tensor, ...]) -> Any:
        return pytree.tree_unflatten(list(tensors), spec)

    return unflatten


def _output_name(path: Any) -> str:
    """`scores` for a dictionary's, `output_1` for the second of a tuple."""
    parts = [
        str(getattr(key, "key", getattr(key, "idx", getattr(key, "name", key)))) for key in path
    ]
    named = "_".join(parts)
    return named if named and not named[0].isdigit() else "_".join(["output", *parts])


def _built(path: Path, function: str) -> torch.nn.Module:
    sys.path.insert(0, str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise Refused(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # as a script that reads its command line does
        raise Refused(f"{path} raised {_raised(error, path)}") from error
    build = getattr(module, function, None)
    if not callable(build):
        raise Refused(f"{path} has no function {function}")
    try:
        network = build()
    except (Exception, SystemExit) as error:
        raise Refused(f"{function} in {path} raised {_raised(error, path)}") from error
    if not isinstance(network, torch.nn.Module):
        raise Refused(
            f"{function} in {path} returned {type(network).__name__}: return a torch.nn.Module"
        )
    return network


def _load_weights(network: torch.nn.Module, path: Path) -> None:
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:  # its text is of how to run the code all the same
        raise Refused(
            f"weights {path} hold more than tensors, which is not read: save network.state_dict()"
        ) from error
    except Exception as error:
        raise Refused(f"weights {path} cannot be read ({_first_line(error)})") from error
    for key in ("state_dict", "model_state_dict", "model"):  # of checkpoints
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
            break
    if not isinstance(found, dict):
        raise Refused(f"weights {path} hold {type(found).__name__}: save network.state_dict()")
    state = {name.removeprefix("module."): value for name, value in found.items()}
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise Refused(
            f"weights {path} do not fit the network ({' '.join(str(error).split())[:400]})"
        ) from error


def _argument_names(network: torch.nn.Module) -> list[str]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    found = inspect.signature(network.forward).parameters.values()
    return [each.name for each in found if each.kind in kinds]


def _first_line(error: BaseException) -> str:
    # The dynamo exporter says what it was at; why is in what it was raised from.
    while type(error).__name__.startswith("TorchExport") and error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def _raised(error: BaseException, path: Path) -> str:
    """What the user's code raised, and in which of its lines."""
    here = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename) == path
    ]
    return _first_line(error) + (f" in line {here[-1]}" if here else "")


def main() -> None:
    """Answers requests until there are none."""
    # What the user's code prints is no answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    worker = Worker(Path(sys.argv[1]))
    requests = os.fdopen(os.dup(0))
    # Nor are requests there for what it asks the user.
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    sys.stdin = os.fdopen(nothing)
    for line in requests:
        request = json.loads(line)
        try:
            answer = getattr(worker, request.pop("do"))(**request)
        except Refused as error:
            answer = {"refused": str(error)}
        except Exception as error:  # noqa: BLE001  # of the user's network, on its own inputs
            answer = {"refused": f"the network raised {_first_line(error)}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
