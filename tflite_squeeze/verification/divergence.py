"""Where inside a file the numbers go wrong: tensor by tensor beside a float conversion."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.converter import emit
from tflite_squeeze.errors import SqueezeError
from tflite_squeeze.network.loading import LoadedModel
from tflite_squeeze.runtime.fidelity import largest_difference, sqnr_db
from tflite_squeeze.runtime.run import Tensor, run_file
from tflite_squeeze.verification.record import TensorFidelity


def compare_tensors(
    reference: tuple[Tensor, ...], tensors: tuple[Tensor, ...]
) -> tuple[TensorFidelity, ...]:
    """The tensors that both files compute, by name, in the file's order of execution.

    Args:
        reference: tensors of the float file.
        tensors: tensors of the file in question.
    """
    known = {item.name: item for item in reference}
    return tuple(
        TensorFidelity(
            tensor=item.name,
            operator=item.op_name,
            sqnr_db=sqnr_db(known[item.name].values, item.values),
            max_abs_difference=largest_difference(known[item.name].values, item.values),
        )
        for item in tensors
        if item.name in known
        and item.values.shape == known[item.name].values.shape
        and np.issubdtype(item.values.dtype, np.floating)
    )


def first_collapse(tensors: tuple[TensorFidelity, ...], least_db: float) -> str | None:
    """The first tensor whose SQNR collapses.

    Args:
        tensors: in order of execution.
        least_db: what an output has to reach.

    Returns:
        The first tensor below `least_db`; when all are above, the one at which the SQNR falls
        most from the tensor before; None when there is nothing to compare.
    """
    if not tensors:
        return None
    for item in tensors:
        if not item.sqnr_db >= least_db:
            return item.tensor
    finite = [min(item.sqnr_db, 200.0) for item in tensors]
    falls = [200.0 - finite[0]] + [a - b for a, b in itertools.pairwise(finite)]
    return tensors[int(np.argmax(falls))].tensor


def divergence(
    source: LoadedModel,
    tflite: bytes,
    inputs: Mapping[str, NDArray[Any]],
    file_inputs: Mapping[str, str],
    signatures: tuple[str, str | None],
    config: Convert,
) -> tuple[tuple[TensorFidelity, ...], tuple[str, ...]]:
    """Runs a float conversion of the model and the file on a few examples, all tensors kept.

    Args:
        source: the model.
        tflite: the file in question.
        inputs: examples by the model's input names.
        file_inputs: the file's input name by the model's.
        signatures: the model's signature and the file's.
        config: batch and shapes of the file.

    Returns:
        The comparison, and notes when there is none.
    """
    float_config = Convert(batch=config.batch, input_shapes=config.input_shapes)
    few = {name: array[:8] for name, array in inputs.items()}
    try:
        reference = run_file(
            emit(source, float_config).tflite, few, signature=signatures[0], keep_tensors=True
        )
        there = {file_inputs[name]: array for name, array in few.items()}
        found = run_file(tflite, there, signature=signatures[1], keep_tensors=True)
    except SqueezeError as error:
        return (), (f"no comparison inside the file: {error}",)
    tensors = compare_tensors(reference.tensors, found.tensors)
    if not tensors:
        return (), ("no comparison inside the file: no tensor has a name that both files know",)
    return tensors, ()
