"""Times of operators as node data of Model Explorer, which shows them in its graph of the file.

Format: https://github.com/google-ai-edge/model-explorer, "custom node data". Model Explorer calls
an operator by its index, and a graph by the name of its subgraph.
"""

import json
from collections.abc import Sequence
from typing import Any

from tflite_squeeze.errors import RuntimeFailure
from tflite_squeeze.profiling.kernels import TimesByOperator, times_by_operator
from tflite_squeeze.profiling.record import ProfileRecord
from tflite_squeeze.tables.table import listed
from tflite_squeeze.tflite.fields import text
from tflite_squeeze.tflite.flatbuffer import read_model
from tflite_squeeze.tflite.graph import OperatorRecord, file_operators

_NAME = "µs per run"
_GRADIENT = [
    {"stop": 0, "bgColor": "#ffffff", "textColor": "#000000"},
    {"stop": 1, "bgColor": "#f2a65a", "textColor": "#000000"},
]


def node_data(tflite: bytes, record: ProfileRecord) -> tuple[str, tuple[str, ...]]:
    """Writes the time of each operator in the format of Model Explorer.

    Args:
        tflite: the file's content.
        record: its profile.

    Returns:
        The JSON, and what has to be known about it, one line each.

    Raises:
        RuntimeFailure: the times of operators are not available.

    Example:
        >>> text, notes = node_data(tflite, profile(tflite))
        >>> json.loads(text)["results"]["1"]["value"]
        5.584
    """
    if record.operators.unavailable is not None:
        raise RuntimeFailure(
            f"--node-data needs the times of operators, which are unavailable "
            f"({record.operators.unavailable}): leave it out"
        )
    model = read_model(tflite)
    operators = file_operators(model)
    times = times_by_operator(record.operators, operators)
    graphs: dict[int, dict[str, Any]] = {}
    for (subgraph, index), us in sorted(times.us.items()):
        results = graphs.setdefault(subgraph, {})
        results[str(index)] = {"value": round(us, 3)}
    whole = {at: {"name": _NAME, "results": results, "gradient": _GRADIENT}
             for at, results in graphs.items()}  # fmt: skip
    # Without a name of a graph, data are those of the graph that is shown.
    content: Any = whole.get(0, {"name": _NAME, "results": {}})
    if len(model.subgraphs) > 1:
        content = {text(model.subgraphs[at].name): data for at, data in whole.items()}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n", _notes(times, operators)


def _notes(times: TimesByOperator, operators: Sequence[OperatorRecord]) -> tuple[str, ...]:
    """What the times of operators leave out."""
    notes = []
    if times.helpers:
        kinds = ", ".join(dict.fromkeys(times.helpers))
        notes.append(f"{len(times.helpers)} helpers count with a neighbour ({kinds})")
    if times.lost:
        kinds = ", ".join(dict.fromkeys(times.lost))
        notes.append(f"{len(times.lost)} kernels belong to no operator of the file ({kinds})")
    reached = {place for place, _ in times.us}
    bare = [one.place for one in operators if one.subgraph in reached
            and (one.subgraph, one.index) not in times.us]  # fmt: skip
    if bare:
        notes.append(f"no time of their own: {listed(tuple(bare))}")
    return tuple(notes)
