"""Contradictions within a graph that no runtime notices: it runs, and answers wrongly."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tflite_squeeze.tflite.fields import dtype_name, integers, scales_of, text, zero_points_of
from tflite_squeeze.tflite.links import Links

# Operators whose integer kernels copy or compare the stored numbers as they are, and the inputs
# that must have the scale of the outputs; None stands for all of them.
_FIRST = frozenset({
    "BATCH_TO_SPACE_ND", "BROADCAST_TO", "DEPTH_TO_SPACE", "EXPAND_DIMS", "GATHER", "GATHER_ND",
    "MAX_POOL_2D", "MIRROR_PAD", "PAD", "REDUCE_MAX", "REDUCE_MIN", "RESHAPE", "RESIZE_BILINEAR",
    "RESIZE_NEAREST_NEIGHBOR", "REVERSE_SEQUENCE", "REVERSE_V2", "SLICE", "SPACE_TO_BATCH_ND",
    "SPACE_TO_DEPTH", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE", "TILE", "TOPK_V2", "TRANSPOSE",
    "UNPACK",
})  # fmt: skip
MOVED_INPUTS: dict[str, tuple[int, ...] | None] = {
    **dict.fromkeys(_FIRST, (0,)),
    "CONCATENATION": None,
    "PACK": None,
    "MAXIMUM": (0, 1),
    "MINIMUM": (0, 1),
    "DYNAMIC_UPDATE_SLICE": (0, 1),
    "PADV2": (0, 2),
    "SCATTER_ND": (1,),
    "SELECT": (1, 2),
    "SELECT_V2": (1, 2),
    "SPLIT": (1,),
}
# The unsigned kernel of an old file does rescale.
_RESCALED = frozenset({("CONCATENATION", "uint8")})
_INTEGERS = frozenset({"int8", "uint8", "int16"})
# Inputs of operators that are their own state, read and written in place.
_STATES: dict[str, tuple[int, ...]] = {
    "BIDIRECTIONAL_SEQUENCE_LSTM": (35, 36, 37, 38),
    "BIDIRECTIONAL_SEQUENCE_RNN": (4, 8),
    "LSTM": (18, 19),
    "RNN": (4,),
    "SVDF": (4,),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (18, 19),
    "UNIDIRECTIONAL_SEQUENCE_RNN": (4,),
}


@dataclass(frozen=True, kw_only=True)
class UnequalScale:
    """An operator that only moves numbers, between tensors that count in different units.

    Attributes:
        operator: its index in the subgraph.
        slot: which of its inputs has another scale than its output.
        input: that tensor.
        output: the output.
    """

    operator: int
    slot: int
    input: int
    output: int


@dataclass(frozen=True, kw_only=True)
class SharedState:
    """A variable tensor that is not the state of exactly one operator.

    Attributes:
        tensor: the variable.
        owners: operators, and their inputs, whose state it is.
        others: operators, and their inputs, that read it otherwise.
        writers: operators that put it out.
    """

    tensor: int
    owners: tuple[tuple[int, int], ...]
    others: tuple[tuple[int, int], ...]
    writers: tuple[int, ...]


def unequal_scales(links: Links) -> Iterator[UnequalScale]:
    """Operators that copy integers from one scale to another.

    Args:
        links: the subgraph.
    """
    for index, name in enumerate(links.names):
        slots = MOVED_INPUTS.get(name, ())
        inputs, outputs = integers(links.graph.operators[index].inputs), links.outputs(index)
        if slots == () or not outputs or links.dtype(outputs[0]) not in _INTEGERS:
            continue
        if (name, links.dtype(outputs[0])) in _RESCALED:
            continue
        for slot in range(len(inputs)) if slots is None else slots:
            if slot < len(inputs) and inputs[slot] >= 0:
                yield from (
                    UnequalScale(operator=index, slot=slot, input=inputs[slot], output=output)
                    for output in outputs
                    if _differ(links.graph.tensors[inputs[slot]], links.graph.tensors[output])
                )


def _differ(one: Any, other: Any) -> bool:
    """Whether two tensors of one type have a scale each, and not the same."""
    scales = scales_of(one), scales_of(other)
    if dtype_name(one) != dtype_name(other) or any(len(scale) != 1 for scale in scales):
        return False
    return not np.array_equal(*scales) or not np.array_equal(
        zero_points_of(one), zero_points_of(other)
    )


def shared_states(links: Links) -> Iterator[SharedState]:
    """Variable tensors that are not read and written by one operator alone, as its state.

    Args:
        links: the subgraph.
    """
    for tensor, about in enumerate(links.graph.tensors):
        if not about.isVariable:
            continue
        owners: list[tuple[int, int]] = []
        others: list[tuple[int, int]] = []
        for operator in dict.fromkeys(links.readers.get(tensor, [])):
            for slot, given in enumerate(integers(links.graph.operators[operator].inputs)):
                if given == tensor:
                    own = slot in _STATES.get(links.names[operator], ())
                    # Whoever is not known to keep state may be a custom operator that does.
                    (owners if own or links.is_custom(operator) else others).append(
                        (operator, slot)
                    )
        writers = [at for at in range(len(links.names)) if tensor in links.outputs(at)]
        if len(owners) > 1 or others or writers:
            yield SharedState(
                tensor=tensor, owners=tuple(owners), others=tuple(others), writers=tuple(writers)
            )


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A contradiction in words.

    Attributes:
        text: which it is and what it does.
        operators: where, by index in the subgraph.
    """

    text: str
    operators: tuple[int, ...]


def faults_of(links: Links) -> Iterator[Fault]:
    """What contradicts itself in a subgraph.

    Args:
        links: the subgraph.
    """
    for one in unequal_scales(links):
        yield Fault(
            text=f"{links.place(one.operator)} moves integers from scale "
            f"{_scale(links, one.input)} to {_scale(links, one.output)} as they are, so that all "
            f"of them are off",
            operators=(one.operator,),
        )
    for state in shared_states(links):
        users = _users(state)
        name = text(links.graph.tensors[state.tensor].name) or f"{links.subgraph}:{state.tensor}"
        yield Fault(
            text=f"the state {name} is shared by {', '.join(links.places(users))}: each changes "
            f"what the others start from",
            operators=tuple(users),
        )


def structural_faults(model: Any) -> tuple[str, ...]:
    """What contradicts itself in a file, a line each.

    Args:
        model: what `read_model` returned.

    Example:
        >>> structural_faults(read_model(tflite))
        ()
    """
    return tuple(
        fault.text
        for subgraph in range(len(model.subgraphs))
        for fault in faults_of(Links(model, subgraph))
    )


def _users(state: SharedState) -> list[int]:
    used = [operator for operator, _ in (*state.owners, *state.others)]
    return list(dict.fromkeys([*used, *state.writers]))


def _scale(links: Links, tensor: int) -> str:
    about = links.graph.tensors[tensor]
    return f"{scales_of(about)[0]:.4g} ({zero_points_of(about)[0]:+d})"
