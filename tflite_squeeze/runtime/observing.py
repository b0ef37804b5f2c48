"""What tensors inside of a file are on samples."""

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.files.temporary import temporary_folder
from tflite_squeeze.runtime.session import Session, litert_errors
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.links import Links

Batches = Callable[[], Iterator[dict[str, NDArray[Any]]]]


class Observed(NamedTuple):
    """A tensor's values on one batch."""

    subgraph: int
    tensor: int
    values: NDArray[Any]


def observed(
    tflite: bytes,
    samples: Mapping[str, Batches],
    wanted: Callable[[int, Links], Collection[int]],
) -> Iterator[Observed]:
    """Runs a file on samples, and reads tensors inside of it.

    Args:
        tflite: a file that runs.
        samples: by signature ("" for a file without any), a function that returns batches by input
            name, of the shapes that the file takes.
        wanted: which tensors of a subgraph, by its number and its links.

    Yields:
        Each tensor after each batch.

    Raises:
        InputError: LiteRT cannot run the file on the samples.

    Example:
        >>> for _, tensor, values in observed(tflite, {"": batches}, lambda _, links: links.starts):
        ...     print(tensor, values.max())
    """
    model = read_model(tflite)
    with temporary_folder() as folder:
        path = Path(folder) / "model.tflite"
        path.write_bytes(tflite)
        for name, batches in samples.items():
            session = Session(path, signature=name or None, threads=1, keep_tensors=True)
            tensors = wanted(session.subgraph, Links(model, session.subgraph))
            for batch in batches():
                session.run(batch)
                for tensor in tensors:
                    with litert_errors():
                        values = session.interpreter.get_tensor(tensor, session.subgraph)
                    yield Observed(session.subgraph, tensor, np.asarray(values))
