"""`convert --sparsity sparse` beside TensorFlow's EXPERIMENTAL_SPARSITY."""

from collections.abc import Iterator

import sparse_files

from tflite_squeeze.conversion.convert import convert
from tflite_squeeze.emission.config import Convert
from tflite_squeeze.emission.sparse.emit import sparsify
from tflite_squeeze.errors import RuntimeFailure
from tflite_squeeze.runtime.intervals import median_interval
from tflite_squeeze.runtime.turns import turn_by_turn

from .files import first_line, size_rows, turns_of
from .results import Row


def encoded(zeros: float, *, quick: bool = False) -> Iterator[Row]:
    """Bytes of both encodings, and time over the dense file of the same side."""
    model = sparse_files.pruned(zeros)
    config = Convert(quantize="int8", per_channel_dense=False, sparsity="dense")
    dense = convert(model, config, data=sparse_files.SAMPLES, verification=None).tflite
    here = sparsify(dense).tflite
    bare = sparse_files.tensorflow_file(model, "int8", sparse=False)
    peer = sparse_files.tensorflow_file(model, "int8", sparse=True)
    what = f"lenet_300_100, {zeros:.0%} zeros"
    yield from size_rows(what, here, peer)
    turns = turns_of(quick=quick)
    mine = turn_by_turn({"sparse": here, "dense": dense}, turns=turns)
    ratio = median_interval(mine["sparse"] / mine["dense"]).difference
    try:
        times = turn_by_turn({"sparse": peer, "dense": bare}, turns=turns)
    except RuntimeFailure as error:
        reason = f"the peer's file does not run: {first_line(error)}"
        yield Row(what=what, measure="slowdown", here=ratio, peer=None, note=reason)
        return
    theirs = median_interval(times["sparse"] / times["dense"]).difference
    yield Row(what=what, measure="slowdown", here=ratio, peer=theirs)
