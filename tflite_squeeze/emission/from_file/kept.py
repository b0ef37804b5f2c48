"""Operators of a file that stay in float, by patterns of their names and types."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from tflite_squeeze.emission.low_bit.emit import FEW_WEIGHTS
from tflite_squeeze.emission.low_bit.few_bits import stored_weights
from tflite_squeeze.emission.low_bit.weight_only import behind_dequantize
from tflite_squeeze.network.quantization.in_float import matches_none
from tflite_squeeze.tflite.fields import dtype_name, items, text
from tflite_squeeze.tflite.flatbuffer import pack_model, read_model
from tflite_squeeze.tflite.links import Links
from tflite_squeeze.tflite.structure import MOVED_INPUTS

# What exporters append to the name of a layer that they call again.
_AGAIN = re.compile(r"_\d+$")


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What of a file stays in float.

    Attributes:
        named: names of what the operators put out that patterns mean.
        around: the same of those that read or write a value that may not be rounded.
        values: names of the tensors that are not rounded.
    """

    named: frozenset[str] = frozenset()
    around: frozenset[str] = frozenset()
    values: frozenset[str] = frozenset()

    @property
    def operators(self) -> frozenset[str]:
        """Names of what all operators put out that compute in float."""
        return self.named | self.around

    def and_also(self, other: "Kept") -> "Kept":
        """Both together."""
        return Kept(
            named=self.named | other.named,
            around=self.around | other.around,
            values=self.values | other.values,
        )

    def with_operators(self, names: frozenset[str]) -> "Kept":
        """The same and some operators, by what they put out."""
        return Kept(named=self.named | names, around=self.around - names, values=self.values)


def kept_tensors(tflite: bytes, names: Collection[str]) -> Kept:
    """The same by whole names of tensors, which may all be unknown.

    Args:
        tflite: as in `kept_in_float`.
        names: of what operators put out, and of inputs.
    """
    model = read_model(tflite)
    graphs = [_Graph(Links(model, subgraph)) for subgraph in range(len(model.subgraphs))]
    for graph in graphs:
        graph.keep_tensors(names)
    return _kept(graphs)


def with_names(tflite: bytes) -> bytes:
    """A file in which each operator can be named by what it puts out.

    Args:
        tflite: the file.

    Raises:
        InputError: the file is damaged.
    """
    model = read_model(tflite)
    for subgraph in range(len(model.subgraphs)):
        links = Links(model, subgraph)
        for operator, name in enumerate(links.names):
            for place, tensor in enumerate(links.outputs(operator)):
                about = links.graph.tensors[tensor]
                if not text(about.name):
                    about.name = f"{name}_{subgraph}_{operator}_{place}"
    return pack_model(model)


def kept_in_float(tflite: bytes, patterns: Iterable[str], option: str = "keep_float") -> Kept:
    """The operators that patterns mean, and those around them.

    What an operator puts out that is named is not rounded, so that what reads it computes in
    float, too. Operators that only move numbers do what those on their other side do.

    Args:
        tflite: a float file, each operator of which puts out a tensor with a name.
        patterns: of types ("type:SOFTMAX"), of inputs and outputs, of whole names of tensors or of
            parts of them between slashes and semicolons; without the number that exporters
            append, where nothing has the name with it.
        option: whose patterns they are, for messages.

    Raises:
        UsageError: a pattern matches nothing.

    Example:
        >>> kept_in_float(tflite, ["scores"]).named
        frozenset({'dense/scores/Softmax'})
    """
    model = read_model(tflite)
    graphs = [_Graph(Links(model, subgraph)) for subgraph in range(len(model.subgraphs))]
    for pattern in patterns:
        means = _meaning(option, pattern, [name for graph in graphs for name in graph.all_names()])
        for graph in graphs:
            graph.keep(means)
    return _kept(graphs)


def _kept(graphs: list["_Graph"]) -> Kept:
    """What is marked, and what is around."""
    for graph in graphs:
        graph.spread()
    return Kept(
        named=frozenset(name for graph in graphs for name in graph.names_of(graph.named)),
        around=frozenset(
            name for graph in graphs for name in graph.names_of(graph.around - graph.named)
        ),
        values=frozenset(graph.name(tensor) for graph in graphs for tensor in graph.values),
    )


@dataclass
class _Graph:
    """A subgraph, and what of it stays in float."""

    links: Links
    named: set[int] = field(default_factory=set)
    around: set[int] = field(default_factory=set)
    values: set[int] = field(default_factory=set)

    def name(self, tensor: int) -> str:
        return text(self.links.graph.tensors[tensor].name)

    def names_of(self, operators: Iterable[int]) -> Iterator[str]:
        return (self.name(self.links.outputs(one)[0]) for one in operators)

    def all_names(self) -> Iterator[str]:
        """All that a pattern may mean here."""
        for tensor in self._tensors():
            yield from self._names(tensor)
        for kind in self.links.names:
            yield from (kind, f"type:{kind}")

    def _tensors(self) -> list[int]:
        """The inputs, and what operators put out."""
        return [*sorted(self.links.starts), *self.links.producer]

    def _names(self, tensor: int) -> list[str]:
        """A tensor's name, its parts, and its names in signatures."""
        whole = self.name(tensor)
        ends = [
            text(end.name)
            for signature in items(self.links.model.signatureDefs)
            if signature.subgraphIndex == self.links.subgraph
            for end in items(signature.inputs) + items(signature.outputs)
            if end.tensorIndex == tensor
        ]
        return [whole, *re.split("[/;]", whole), *ends]

    def keep(self, means: set[str]) -> None:
        """Marks what has one of some names."""
        for tensor in self._tensors():
            operator = self.links.producer.get(tensor)
            names = set(self._names(tensor))
            if operator is not None:
                names |= {self.links.names[operator], f"type:{self.links.names[operator]}"}
            if names & means:
                self.values.add(tensor)
                if operator is not None:
                    self.named.add(operator)

    def keep_tensors(self, names: Collection[str]) -> None:
        """Marks tensors of some names."""
        for tensor in self._tensors():
            if self.name(tensor) in names and self._is_float(tensor):
                self.values.add(tensor)
                if tensor in self.links.producer:
                    self.named.add(self.links.producer[tensor])

    def spread(self) -> None:
        """Marks who reads and who writes what may not be rounded."""
        pending = list(self.values)
        while pending:
            tensor = pending.pop()
            readers = self.links.readers.get(tensor, [])
            writer = self.links.producer.get(tensor)
            self.around.update(readers)
            more = [
                other
                for at in readers
                if self.links.names[at] in MOVED_INPUTS
                for other in self.links.outputs(at)
            ]
            if writer is not None:
                self.around.add(writer)
                if self.links.names[writer] in MOVED_INPUTS:
                    more += self.links.computed(writer)
            fresh = {one for one in more if self._is_float(one)} - self.values
            self.values |= fresh
            pending += fresh

    def _is_float(self, tensor: int) -> bool:
        return dtype_name(self.links.graph.tensors[tensor]) == "float32"


def _meaning(option: str, pattern: str, names: list[str]) -> set[str]:
    """The names that a pattern matches.

    Raises:
        UsageError: there are none.
    """
    found = {name for name in names if fnmatchcase(name, pattern)}
    found = found or {name for name in names if fnmatchcase(_AGAIN.sub("", name), pattern)}
    if found:
        return found
    raise matches_none(
        option, pattern, (name for name in names if name and not set("/;") & set(name))
    )


def rounded_in_file(tflite: bytes, kept: Kept) -> tuple[str, ...]:
    """The tensors of a file that should not have been rounded and were.

    Args:
        tflite: what the quantizer made.
        kept: what was asked for.
    """
    model = read_model(tflite)
    return tuple(
        text(tensor.name)
        for graph in model.subgraphs
        for tensor in graph.tensors
        if text(tensor.name) in kept.values and dtype_name(tensor) in ("int8", "uint8")
    )


def kinds_in_integers(plain: bytes, tflite: bytes, kept: Kept) -> frozenset[str]:
    """The types of operators that should compute in float and do not.

    TensorFlow's quantizer knows operators by names, and has given some of them others before it
    looks.

    Args:
        plain: the float file.
        tflite: what the quantizer made of it.
        kept: what was asked for.
    """
    if not kept.operators:
        return frozenset()
    before = _outputs(plain, "float32")
    asked = {kind for kind, name in before if name in kept.operators}
    others = Counter(kind for kind, name in before if name not in kept.operators)
    rounded = Counter(kind for kind, _ in _outputs(tflite, "int8"))
    return frozenset(kind for kind in asked if rounded[kind] > others[kind])


def _outputs(tflite: bytes, dtype: str) -> list[tuple[str, str]]:
    """Types of operators, and the names of what they put out first, where that has a type."""
    model = read_model(tflite)
    graphs = [Links(model, subgraph) for subgraph in range(len(model.subgraphs))]
    first = [
        (kind, links.graph.tensors[links.outputs(at)[0]])
        for links in graphs
        for at, kind in enumerate(links.names)
        if links.outputs(at)
    ]
    return [(kind, text(tensor.name)) for kind, tensor in first if dtype_name(tensor) == dtype]


def with_stored_kernels(tflite: bytes, kept: Kept) -> bytes:
    """Stores kernels of operators around those that are named in 8 bits, behind a DEQUANTIZE.

    Args:
        tflite: what the quantizer made.
        kept: what computes in float.
    """
    model: Any = read_model(tflite)
    changed = False
    for weight in list(stored_weights(model, "float32", ("float32",))):
        output = text(weight.graph.tensors[int(weight.operator.outputs[0])].name)
        if output not in kept.around or weight.values.size < FEW_WEIGHTS:
            continue
        if int(weight.operator.inputs[1]) == weight.index and np.isfinite(weight.values).all():
            behind_dequantize(model, weight, *weight.rounded())
            changed = True
    return pack_model(model) if changed else tflite
