"""The child's side of `tflite_squeeze.runtime.process`: does one job and writes its answer.

It loads NumPy and the runtime only, so that the memory that it reports is the runtime's own.
"""

import ctypes
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from tflite_squeeze.errors import SqueezeError

# Job → module and function: (path of the file, request, arrays) → (values, arrays).
JOBS = {
    "run": "tflite_squeeze.runtime.runner:run_job",
    "cases": "tflite_squeeze.runtime.run:cases_job",
    "latency": "tflite_squeeze.runtime.latency:latency_job",
    "ethos_u": "tflite_squeeze.microcontrollers.ethos_u_compiler:ethos_u_job",
    "memory": "tflite_squeeze.runtime.memory:memory_job",
    "micro": "tflite_squeeze.microcontrollers.runner:micro_job",
    "operators": "tflite_squeeze.runtime.operators:operators_job",
    "sparsity": "tflite_squeeze.emission.sparse.record:sparsity_job",
    "larq_run": "tflite_squeeze.runtime.larq:larq_run_job",
    "larq_latency": "tflite_squeeze.runtime.larq:larq_latency_job",
    "larq_operators": "tflite_squeeze.runtime.larq:larq_operators_job",
    "foreign_inputs": "tflite_squeeze.runtime.foreign:foreign_inputs_job",
    "foreign_run": "tflite_squeeze.runtime.foreign:foreign_run_job",
    "foreign_latency": "tflite_squeeze.runtime.foreign:foreign_latency_job",
    "turns": "tflite_squeeze.runtime.turns:turns_job",
}

_PR_SET_PDEATHSIG = 1


def main(job: str, folder: Path) -> int:
    """Does a job and writes its answer, or the error that it raised, into the folder."""
    _be_a_good_child()
    from tflite_squeeze.runtime.process import read_message, write_message

    request = read_message(folder / "request")
    try:
        module, function = JOBS[job].split(":")
        work: Callable[..., tuple[dict[str, Any], dict[str, Any]]]
        work = getattr(import_module(module), function)
        values, arrays = work(folder / "model.tflite", request.values, request.arrays)
    except SqueezeError as error:
        line = json.dumps({"kind": type(error).__name__, "message": str(error)})
        (folder / "error.json").write_text(line)
        return 0
    write_message(folder / "answer", values, arrays)
    return 0


def _be_a_good_child() -> None:
    """Leaves no core file, dies with its parent, and is the first to go when memory runs out."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    die_with_parent()
    if sys.platform != "linux":
        return
    Path("/proc/self/oom_score_adj").write_text("1000")
    # A damaged shape can ask for any amount of memory; more than the machine has ends here.
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    if most == resource.RLIM_INFINITY or memory < most:
        resource.setrlimit(resource.RLIMIT_AS, (memory, most))


def die_with_parent() -> None:
    """Asks the kernel to kill this process when its parent ends, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
