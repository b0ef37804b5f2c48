"""What is decided about the encoding of every weight tensor of a file, and why."""

from typing import Literal

from tflite_squeeze.frozen import Frozen

SparsityMode = Literal["auto", "dense", "smallest", "sparse"]
Kind = Literal["dense", "csr", "blocks"]


class Encoding(Frozen):
    """One way to store a tensor that the stock LiteRT interpreter runs.

    Attributes:
        kind: "dense", "csr" (positions of single values) or "blocks" (of dense blocks).
        detail: what it looks like: the kernel that covers a Dense layer's input, the bits of a
            position, the size of a block.
        bytes: data, positions and row ends, with an estimate of the tables and operators that
            a sparse encoding adds to the graph.
    """

    kind: Kind
    detail: str = ""
    bytes: int


class TensorPlan(Frozen):
    """What is decided about a weight tensor.

    Attributes:
        tensor: its name in the file.
        operator: the operator that reads it.
        shape: its shape.
        dtype: the type that it is stored in.
        zeros: the share of its values that are 0, in [0, 1].
        encodings: those that were considered, the smallest first.
        chosen: the kind that is written.
        reason: why it stays dense, where it has zeros; empty otherwise.
    """

    tensor: str
    operator: str
    shape: tuple[int, ...]
    dtype: str
    zeros: float
    encodings: tuple[Encoding, ...]
    chosen: Kind
    reason: str = ""

    @property
    def chosen_bytes(self) -> int:
        """The bytes of the encoding that is written."""
        return next(one.bytes for one in self.encodings if one.kind == self.chosen)

    @property
    def dense_bytes(self) -> int:
        """The bytes of the values written out."""
        return next(one.bytes for one in self.encodings if one.kind == "dense")


class SparsityPlan(Frozen):
    """What is decided about a file.

    Attributes:
        mode: the requested mode.
        tensors: every weight tensor that has zeros (5% of them, but for "sparse"), in order.
        raw_bytes_before: the file with dense weights.
        raw_bytes_after: the file as planned.
        unpacked_bytes: RAM that the sparse tensors take once they are unpacked, at load.
        sparse_kernels: whether XNNPACK would compute with its sparse kernels, and why not.
    """

    mode: SparsityMode
    tensors: tuple[TensorPlan, ...] = ()
    raw_bytes_before: int
    raw_bytes_after: int
    unpacked_bytes: int = 0
    sparse_kernels: str = ""

    @property
    def sparse_tensors(self) -> tuple[TensorPlan, ...]:
        """The tensors that are written sparse."""
        return tuple(one for one in self.tensors if one.chosen != "dense")
