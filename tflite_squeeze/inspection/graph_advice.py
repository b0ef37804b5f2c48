"""Advice about the graph of a file's operators."""

from collections.abc import Iterator

from tflite_squeeze.inspection.record import Advice, AdviceKind
from tflite_squeeze.tables.table import listed
from tflite_squeeze.tflite.fields import LITERT_CUSTOM_OPERATORS, TFLM_OPERATORS
from tflite_squeeze.tflite.links import Links
from tflite_squeeze.tflite.regions import operator_table_bytes, tensor_table_bytes
from tflite_squeeze.tflite.structure import faults_of

# Activations that are no field of an operator, so that each is an operator of its own.
_SEPARATE = frozenset({
    "ELU", "GELU", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "PRELU", "TANH",
})  # fmt: skip
_SHAPE_SOURCES = frozenset({"SHAPE", "RANK"})


def contradictions(links: Links) -> Iterator[Advice]:
    """What a runtime computes without complaint, and wrongly.

    Args:
        links: the subgraph.
    """
    for fault in faults_of(links):
        yield Advice(
            kind=AdviceKind.CONTRADICTION,
            text=f"{fault.text}: convert the model again with tflite-squeeze convert, which "
            f"repairs this",
            where=links.places(list(fault.operators)),
        )


def dynamic_batch(links: Links, tflite: bytes) -> Iterator[Advice]:
    """Operators that only recompute shapes, since the file leaves a dimension open.

    Args:
        links: the subgraph.
        tflite: the file's content.
    """
    opened = [tensor for tensor in sorted(links.starts) if -1 in links.shape(tensor)]
    chain = _shape_operators(links)
    if not opened or not chain:
        return
    cost = sum(_removable_bytes(links, tflite, operator, set(chain)) for operator in chain)
    names = ", ".join(sorted({links.names[operator] for operator in chain}))
    yield Advice(
        kind=AdviceKind.DYNAMIC_BATCH,
        text=f"an open dimension of the input costs {len(chain)} operators ({names}) that compute "
        f"shapes in every run, at least {cost:,} bytes of the file: convert with a fixed batch",
        where=links.places(chain),
        cost_bytes=cost,
    )


def _shape_operators(links: Links) -> list[int]:
    """SHAPE operators, and those that compute integers from nothing but these."""
    found: list[int] = []
    derived: set[int] = set()
    for operator, name in enumerate(links.names):
        outputs, inputs = links.outputs(operator), links.computed(operator)
        follows = bool(inputs) and derived.issuperset(inputs)
        whole = all(links.dtype(tensor) in ("int32", "int64") for tensor in outputs)
        if name in _SHAPE_SOURCES or (follows and whole and outputs):
            found.append(operator)
            derived.update(outputs)
    return found


def _removable_bytes(links: Links, tflite: bytes, operator: int, chain: set[int]) -> int:
    """The bytes saved without an operator: its own, its outputs' and its constants'."""
    total = operator_table_bytes(tflite, links.subgraph, operator)
    for tensor in links.outputs(operator):
        total += tensor_table_bytes(tflite, links.subgraph, tensor)
    for tensor in set(links.inputs(operator)):
        readers = links.readers[tensor]
        # A constant that several of them read goes away with the last.
        if links.is_constant(tensor) and chain.issuperset(readers) and operator == max(readers):
            total += tensor_table_bytes(tflite, links.subgraph, tensor) + links.data_bytes(tensor)
    return total


def unfused_batch_normalization(links: Links) -> Iterator[Advice]:
    """A multiplication and an addition per channel that a convolution could have absorbed.

    Args:
        links: the subgraph.
    """
    for operator, name in enumerate(links.names):
        after = _only_reader(links, operator)
        if name != "MUL" or after is None or links.names[after] not in ("ADD", "SUB"):
            continue
        if not (_is_per_channel(links, operator) and _is_per_channel(links, after)):
            continue
        elements = 2 * links.elements(links.outputs(operator)[0])
        constants = [
            tensor
            for one in (operator, after)
            for tensor in links.inputs(one)
            if links.is_constant(tensor)
        ]
        cost = sum(links.data_bytes(tensor) for tensor in constants)
        yield Advice(
            kind=AdviceKind.UNFUSED_BATCH_NORMALIZATION,
            text=f"{links.place(operator)} and {links.place(after)} apply a BatchNormalization "
            f"that could not be folded: {elements:,} multiplications and additions in every run, "
            f"{cost:,} bytes of constants: put it between the layer and its activation",
            where=links.places([operator, after]),
            cost_bytes=cost,
            cost_elements=elements,
        )


def _only_reader(links: Links, operator: int) -> int | None:
    """The one operator that reads what this one computes."""
    outputs = links.outputs(operator)
    if len(outputs) != 1 or outputs[0] in links.ends:
        return None
    readers = links.readers.get(outputs[0], [])
    return readers[0] if len(readers) == 1 else None


def _is_per_channel(links: Links, operator: int) -> bool:
    """Whether an operator combines a computed image with a constant per channel."""
    outputs, computed = links.outputs(operator), links.computed(operator)
    constants = [tensor for tensor in links.inputs(operator) if links.is_constant(tensor)]
    if len(outputs) != 1 or len(computed) != 1 or len(constants) != 1:
        return False
    shape = links.shape(outputs[0])
    channels = shape[-1] if shape else 0
    return channels > 1 and links.elements(constants[0]) == channels


def unfused_activations(links: Links) -> Iterator[Advice]:
    """Activations that run as separate operators, except those of the outputs.

    Args:
        links: the subgraph.
    """
    by_name: dict[str, list[int]] = {}
    for operator, name in enumerate(links.names):
        outputs = links.outputs(operator)
        if name in _SEPARATE and outputs and links.ends.isdisjoint(_ends_of(links, operator)):
            label = "LOGISTIC and MUL (swish)" if _is_swish(links, operator) else name
            by_name.setdefault(label, []).append(operator)
    for label, operators in by_name.items():
        elements = sum(links.elements(links.outputs(operator)[0]) for operator in operators)
        moved = sum(
            links.run_bytes(links.inputs(operator)[0]) + links.run_bytes(links.outputs(operator)[0])
            for operator in operators
            if links.inputs(operator)
        )
        verb = "runs" if len(operators) == 1 else f"runs {len(operators)} times"
        yield Advice(
            kind=AdviceKind.UNFUSED_ACTIVATION,
            text=f"{label} {verb} as a separate operator: {elements:,} numbers, {moved:,} bytes "
            f"read and written again in every run: RELU and RELU6 cost no pass of their own",
            where=links.places(operators),
            cost_bytes=moved,
            cost_elements=elements,
        )


def _ends_of(links: Links, operator: int) -> set[int]:
    """The tensors that an operator computes, seen through one DEQUANTIZE or QUANTIZE."""
    seen = set(links.outputs(operator))
    for tensor in links.outputs(operator):
        for reader in links.readers.get(tensor, []):
            if links.names[reader] in ("DEQUANTIZE", "QUANTIZE"):
                seen.update(links.outputs(reader))
    return seen


def _is_swish(links: Links, operator: int) -> bool:
    """Whether a LOGISTIC is multiplied with its own input."""
    after = _only_reader(links, operator)
    if links.names[operator] != "LOGISTIC" or after is None or links.names[after] != "MUL":
        return False
    return set(links.inputs(operator)[:1]) <= set(links.inputs(after))


def foreign_operators(links: Links) -> Iterator[Advice]:
    """Operators that LiteRT lacks: TensorFlow's (Flex), TFLM's and custom ones.

    Args:
        links: the subgraph.
    """
    custom = [
        operator
        for operator, name in enumerate(links.names)
        if links.is_custom(operator) and name not in LITERT_CUSTOM_OPERATORS
    ]
    flex = [operator for operator in custom if links.names[operator].startswith("Flex")]
    tflm = [operator for operator in custom if links.names[operator] in TFLM_OPERATORS]
    other = [operator for operator in custom if operator not in (*flex, *tflm)]
    total = len(links.names)
    if flex:
        recurrent = any(links.names[operator].startswith("FlexTensorList") for operator in flex)
        yield Advice(
            kind=AdviceKind.FLEX_OPERATORS,
            text=f"{len(flex)} of {total} operators are TensorFlow's ({_names(links, flex)}): an "
            f"app has to ship the Flex delegate to run them, and no accelerator takes them: "
            f"replace the layers that they come from"
            + (
                ", or fix the shapes: a fixed batch turns LSTM and GRU into built-in operators"
                if recurrent
                else ""
            ),
            where=links.places(flex),
        )
    if tflm:
        yield Advice(
            kind=AdviceKind.TFLM_OPERATORS,
            text=f"{len(tflm)} of {total} operators are TFLM's own ({_names(links, tflm)}): "
            f"TensorFlow Lite for Microcontrollers runs the file, LiteRT cannot",
            where=links.places(tflm),
        )
    if other:
        larq = all(links.names[operator].startswith("Lce") for operator in other)
        where = "Larq Compute Engine" if larq else "a runtime with these kernels registered"
        yield Advice(
            kind=AdviceKind.CUSTOM_OPERATORS,
            text=f"{len(other)} of {total} operators are custom ({_names(links, other)}): only "
            f"{where} runs the file",
            where=links.places(other),
        )


def _names(links: Links, operators: list[int]) -> str:
    return listed(tuple(sorted({links.names[operator] for operator in operators})))
