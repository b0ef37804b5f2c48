"""The child's side of `run`: feeds examples through a file and collects what comes out."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tflite_squeeze.errors import InputError
from tflite_squeeze.runtime.session import (
    Array,
    Endpoint,
    Session,
    dequantized,
    endpoint_of,
    litert_errors,
    quantized,
)

_TRACED_EXAMPLES = 8


def run_job(
    path: Path, request: Mapping[str, Any], arrays: Mapping[str, Array]
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Runs examples; see `tflite_squeeze.runtime.run.run_file` for what goes in and out."""
    threads, signature = request["threads"], request["signature"]
    session = Session(path, signature=signature, threads=threads)
    feeds = fitted(session.inputs, arrays)
    batch = batch_of(session.inputs, feeds)
    collected: dict[str, list[Array]] = {endpoint.name: [] for endpoint in session.outputs}
    count = examples_in(feeds)
    for index, chunk in enumerate(chunks(session.inputs, feeds, batch)):
        fresh = index == 0 or not request["stream"]
        for name, value in session.run(chunk, fresh=fresh).items():
            collected[name].append(value)
    answer = {
        f"output/{out.name}": dequantized(joined(out.name, collected[out.name], batch, count), out)
        for out in session.outputs
    }
    values: dict[str, Any] = {"signature": session.signature, "batch": batch, "tensors": []}
    if request["keep_tensors"]:
        tracer = Session(path, signature=signature, threads=threads, keep_tensors=True)
        values["tensors"] = _trace(tracer, path, feeds, batch, answer)
    return values, answer


def fitted(inputs: list[Endpoint], arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Checks the arrays against a signature's inputs and converts them to the tensors' types.

    Raises:
        InputError: names, shapes, types or numbers of examples do not fit.
    """
    names = [endpoint.name for endpoint in inputs]
    if set(names) != set(arrays):
        raise InputError(
            f"the file takes inputs {', '.join(names)}; got {', '.join(arrays) or 'none'}: "
            f"name the arrays after the inputs"
        )
    counts = {name: len(array) if array.ndim else 0 for name, array in arrays.items()}
    if len(set(counts.values())) > 1 or 0 in counts.values():
        raise InputError(
            f"inputs must hold the same number of examples along axis 0, at least one; got {counts}"
        )
    return {endpoint.name: _as_tensor(arrays[endpoint.name], endpoint) for endpoint in inputs}


def _as_tensor(values: Array, endpoint: Endpoint) -> Array:
    """Examples in the type that the tensor holds."""
    if values.dtype.name == endpoint.dtype:
        return values
    target, kind = np.dtype(endpoint.dtype), values.dtype.kind
    if target.kind == "S" and kind in "SU":
        return np.char.encode(values, "utf-8") if kind == "U" else values
    if target.kind in "iu" and endpoint.scale != 0 and kind in "fiu":
        return quantized(values, endpoint)
    if target.kind == "f" and kind in "fiub":
        return values.astype(target)
    if target.kind in "iu" and kind in "iub":
        limits = np.iinfo(target)
        if values.min() >= limits.min and values.max() <= limits.max:
            return values.astype(target)
    raise InputError(
        f"input {endpoint.name!r} takes {endpoint.dtype}; got {values.dtype.name} that does not "
        f"fit it: convert the array"
    )


def batch_of(inputs: list[Endpoint], feeds: Mapping[str, Array]) -> int:
    """How many examples one run takes: what the file fixes, or 1 where it leaves that open.

    Raises:
        InputError: an array's examples do not have the shape that its input takes.
    """
    batches = set()
    for endpoint in inputs:
        example = feeds[endpoint.name].shape[1:]
        if _fits(endpoint.shape[1:], example) and endpoint.shape:
            batches.add(1 if endpoint.shape[0] < 0 else endpoint.shape[0])
        elif _fits(endpoint.shape, example):
            batches.add(0)  # no batch axis: one example is one tensor
        else:
            raise InputError(
                f"input {endpoint.name!r} takes shape {_text(endpoint.shape)}, so the array must "
                f"be (N, {_text(endpoint.shape[1:])[1:-1]}); got {feeds[endpoint.name].shape}"
            )
    batches.discard(1 if 0 in batches else 0)
    if len(batches) > 1:
        raise InputError(
            f"the file's inputs have different first dimensions {sorted(batches)}, so examples "
            f"cannot be separated: run it on one example with these shapes"
        )
    return max(1, *batches) if batches else 1


def _fits(shape: tuple[int, ...], actual: tuple[int, ...]) -> bool:
    """Whether an array of a shape can be fed where the file declares another (-1: any)."""
    return len(shape) == len(actual) and all(
        size < 0 or size == given for size, given in zip(shape, actual, strict=True)
    )


def _text(shape: tuple[int, ...]) -> str:
    """A shape as text, ? for an open dimension."""
    return "(" + ", ".join("?" if size < 0 else str(size) for size in shape) + ")"


def examples_in(feeds: Mapping[str, Array]) -> int:
    """The number of examples; 1 for a file that takes no input."""
    return min((len(array) for array in feeds.values()), default=1)


def chunks(
    inputs: list[Endpoint], feeds: Mapping[str, Array], batch: int
) -> Iterator[dict[str, Array]]:
    """Feeds for run after run; the last one is filled up with its last example."""
    for start in range(0, examples_in(feeds), batch):
        chunk = {}
        for endpoint in inputs:
            rows = feeds[endpoint.name][start : start + batch]
            if len(rows) < batch:
                rows = np.concatenate([rows, np.repeat(rows[-1:], batch - len(rows), axis=0)])
            unbatched = len(endpoint.shape) == rows.ndim - 1
            chunk[endpoint.name] = np.ascontiguousarray(rows[0] if unbatched else rows)
        yield chunk


def joined(name: str, parts: list[Array], batch: int, count: int) -> Array:
    """One array of all examples out of the outputs of run after run.

    Args:
        name: the output's name, for the message.
        parts: what each run returned.
        batch: examples per run.
        count: examples in all; what filled up the last run is cut off.

    Raises:
        InputError: the output has no axis of examples, or changes its shape between them.
    """
    shapes = {part.shape for part in parts}
    if len(shapes) > 1:
        raise InputError(
            f"output {name!r} changes its shape between examples ({sorted(shapes)[:3]}): run "
            f"them one at a time"
        )
    shape = parts[0].shape
    if shape and shape[0] == batch:
        return np.concatenate(parts)[:count]
    if batch == 1:
        return np.stack([np.asarray(part) for part in parts])
    raise InputError(
        f"output {name!r} has shape {shape} for a batch of {batch}, so examples cannot be "
        f"separated: convert the model with batch 1"
    )


def _trace(
    session: Session, path: Path, feeds: Mapping[str, Array], batch: int, answer: dict[str, Array]
) -> list[dict[str, Any]]:
    """Runs the first examples without the delegate and keeps the outputs of every operator."""
    few = {name: array[:_TRACED_EXAMPLES] for name, array in feeds.items()}
    made = _makers(path, session.subgraph)
    with litert_errors():
        details = {
            detail["index"]: detail
            for detail in session.interpreter.get_tensor_details(session.subgraph)
            # Handles of resources have no values; reading one is what crashes.
            if detail["index"] in made and np.dtype(detail["dtype"]).kind in "biuf"
        }
    collected: dict[int, list[Array]] = {index: [] for index in made if index in details}
    for chunk in chunks(session.inputs, few, batch):
        session.run(chunk)
        for index in list(collected):
            value = _read(session, index)
            if value is None:
                del collected[index]
            else:
                collected[index].append(value)
    tensors = []
    for index, parts in collected.items():
        if len({part.shape for part in parts}) != 1:
            continue  # a shape that depends on the data cannot be laid beside anything
        whole = parts[0].shape[:1] == (batch,)
        values = np.concatenate(parts)[: examples_in(few)] if whole else np.stack(parts)
        endpoint = endpoint_of(details[index]["name"], details[index])
        answer[f"tensor/{index}"] = _reals(values, endpoint, details[index], shifted=not whole)
        operator, name = made[index]
        tensors.append(
            {"index": index, "name": endpoint.name, "operator": operator, "op_name": name}
        )
    return tensors


def _reals(values: Array, endpoint: Endpoint, detail: dict[str, Any], *, shifted: bool) -> Array:
    """A tensor's values, dequantized, also per channel."""
    parameters = detail["quantization_parameters"]
    scales = parameters["scales"]
    if len(scales) < 2:
        return dequantized(values, endpoint)
    axis = int(parameters["quantized_dimension"]) + int(shifted)
    shape = [1] * values.ndim
    shape[axis] = len(scales)
    zero_points = parameters["zero_points"].reshape(shape)
    reals: Array = (values.astype(np.float64) - zero_points) * scales.reshape(shape)
    return reals.astype(np.float32)


def _read(session: Session, index: int) -> Array | None:
    """A tensor's values, or None where nothing was ever computed (a branch not taken)."""
    try:
        value: Array = session.interpreter.get_tensor(index, session.subgraph)
    except ValueError:
        return None
    return value


def _makers(path: Path, subgraph: int) -> dict[int, tuple[int, str]]:
    """Tensor → the operator that computes it (index and name), in order of execution."""
    from ai_edge_litert import schema_py_generated as schema

    names = {value: name for name, value in vars(schema.BuiltinOperator).items() if name[0] != "_"}
    model = schema.Model.GetRootAs(path.read_bytes(), 0)
    graph = model.Subgraphs(subgraph)
    made = {}
    for position in range(graph.OperatorsLength()):
        operator = graph.Operators(position)
        code = model.OperatorCodes(operator.OpcodeIndex())
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        name = names.get(number, str(number))
        if name == "CUSTOM":
            name = (code.CustomCode() or b"CUSTOM").decode(errors="replace")
        for slot in range(operator.OutputsLength()):
            made[operator.Outputs(slot)] = (position, name)
    return made
