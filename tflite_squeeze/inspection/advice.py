"""What could be better in a .tflite file, with the cost of each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tflite_squeeze.inspection.graph_advice import (
    contradictions,
    dynamic_batch,
    foreign_operators,
    unfused_activations,
    unfused_batch_normalization,
)
from tflite_squeeze.inspection.quantization_advice import (
    float_islands,
    legacy_uint8,
    per_channel_overhead,
)
from tflite_squeeze.inspection.record import Advice, AdviceKind
from tflite_squeeze.tables.table import listed
from tflite_squeeze.tflite.links import Links, subgraph_runs


@dataclass(frozen=True, kw_only=True)
class LeftOperator:
    """An operator that the delegate did not take over, as a run of the file showed.

    Attributes:
        name: the operator's name.
        subgraph: the index of its subgraph.
        index: its own index there.
        run_us: its time in one run.
    """

    name: str
    subgraph: int
    index: int
    run_us: float


def file_advice(model: Any, tflite: bytes) -> tuple[Advice, ...]:
    """Advice that follows from the file alone.

    Args:
        model: what `read_model` returned for the file.
        tflite: the file's content.

    Returns:
        The advice, by subgraph, for the subgraphs that a run reaches.

    Example:
        >>> [advice.kind for advice in file_advice(read_model(tflite), tflite)]
        [<AdviceKind.DYNAMIC_BATCH: 'dynamic_batch'>]
    """
    found: list[Advice] = []
    runs, _ = subgraph_runs(model)
    for subgraph, times in runs.items():
        links = Links(model, subgraph)
        found += contradictions(links)
        found += foreign_operators(links)
        if not times:
            continue
        found += dynamic_batch(links, tflite)
        found += float_islands(links)
        # The cells of recurrent layers have their activations for good reason.
        if times == 1:
            found += unfused_batch_normalization(links)
            found += unfused_activations(links)
    return (*found, *legacy_uint8(tflite), *per_channel_overhead(model, len(tflite)))


def delegation_advice(
    left: Sequence[LeftOperator], operators: int, run_us: float
) -> tuple[Advice, ...]:
    """Advice on the operators that XNNPACK leaves to the built-in kernels.

    Args:
        left: these operators.
        operators: how many operators the file has.
        run_us: the total time of one run.

    Returns:
        One line for all of them; none if the delegate took over everything.
    """
    if not left:
        return ()
    cost_us = sum(operator.run_us for operator in left)
    places = tuple(f"{one.name} {one.subgraph}:{one.index}" for one in left)
    share = f" ({cost_us / run_us:.0%} of a run)" if run_us > 0 else ""
    return (
        Advice(
            kind=AdviceKind.NOT_DELEGATED,
            text=f"XNNPACK leaves {len(left)} of {operators} operators to the built-in kernels "
            f"({listed(places)}): measured {cost_us:,.1f} µs{share} on this machine",
            where=places,
            cost_us=cost_us,
        ),
    )
