"""Programs of ExecuTorch, in the Python that has torch, since the runtime is part of it."""

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from tflite_squeeze.errors import InputError, RuntimeFailure
from tflite_squeeze.files.temporary import temporary_folder
from tflite_squeeze.foreign.torch.environments import find_torch
from tflite_squeeze.foreign.torch.worker_process import TorchWorker, started
from tflite_squeeze.runtime.session import Endpoint

Array = NDArray[Any]
Arrays = Mapping[str, Array]

RUNTIME = "ExecuTorch"
_PROGRAM = Path(__file__).with_name("executorch_worker.py")


class ExecutorchSession:
    """One program, opened in a process of its own.

    Args:
        content: of the file.
        threads: threads for the kernels.

    Attributes:
        inputs: in order; programs have no names for them.
        signature: None.
        init_ns: nanoseconds that loading took.

    Raises:
        UsageError: no Python with torch is known.
        RuntimeFailure: it lacks ExecuTorch, or this refuses the file.
    """

    def __init__(self, content: bytes, *, threads: int = 1) -> None:
        environment = find_torch()
        stack = ExitStack()
        self._end = finalize(self, stack.close)  # the process ends with what uses it
        folder = stack.enter_context(temporary_folder())
        (folder / "model.pte").write_bytes(content)
        self._worker: TorchWorker = stack.enter_context(
            started(environment, folder, tensors_alone=True, program=_PROGRAM)
        )
        begin = time.perf_counter_ns()
        try:
            found = self._worker.ask("load", threads=threads)
        except InputError as error:
            raise RuntimeFailure(str(error)) from error
        self.init_ns = time.perf_counter_ns() - begin
        self.signature = None
        self.inputs = [
            Endpoint(
                name=f"input_{index}", index=index, shape=tuple(shape), dtype=dtype,
                scale=0.0, zero_point=0,
            )
            for index, (dtype, *shape) in enumerate(found["inputs"])
        ]  # fmt: skip

    def run_each(self, examples: Iterable[Arrays]) -> list[dict[str, Array]]:
        """Runs on each, on arrays of the tensors' own types."""
        given = list(examples)
        stacks = self._worker.run(
            [np.stack([one[end.name] for one in given]) for end in self.inputs]
        )
        return [
            {f"output_{index}": one for index, one in enumerate(answers)}
            for answers in zip(*stacks, strict=True)
        ]

    def invoker(self, feeds: Arrays) -> "RemoteCall":
        """What runs once, with the inputs that the program already has."""
        return self._remote(feeds, whole=False)

    def caller(self, feeds: Arrays) -> "RemoteCall":
        """What runs once, from NumPy arrays to NumPy arrays."""
        return self._remote(feeds, whole=True)

    def _remote(self, feeds: Arrays, *, whole: bool) -> "RemoteCall":
        self.run_each([feeds])  # and keeps them there
        return RemoteCall(partial(self._worker.ask, "time", whole=whole))


class RemoteCall:
    """A call that another process makes and times.

    Args:
        ask: asks for the times, in microseconds.
    """

    def __init__(self, ask: Callable[..., dict[str, Any]]) -> None:
        self._ask = ask

    def __call__(self) -> None:
        """Calls it once."""
        self.timed(runs=1, min_seconds=0.0)

    def timed(self, *, runs: int, min_seconds: float) -> list[float]:
        """The same as `latency.timed`, on the other side."""
        return [float(one) for one in self._ask(runs=runs, min_seconds=min_seconds)["times_us"]]
