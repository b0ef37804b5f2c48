"""Decides, on the file itself, whether its zeros are worth a sparse encoding."""

from dataclasses import dataclass

from tflite_squeeze.emission.sparse.emit import sparsify
from tflite_squeeze.emission.sparse.plan import SparsityMode, SparsityPlan
from tflite_squeeze.emission.sparse.record import SparseRun, SparsityRecord, compare_sparse
from tflite_squeeze.errors import CheckFailed, RuntimeFailure, UnsupportedError
from tflite_squeeze.tflite.size import download_bytes

LATENCY_LIMIT = 1.1  # as much slower as a smaller file may be
_DENSIFY_NOTE = (
    "the sparse weights lie behind DENSIFY: LiteRT with XNNPACK unpacks them when it loads the "
    "file; TensorFlow Lite Micro and Vela lack that operator"
)
_FLOAT16_NOTE = (
    "where XNNPACK is switched off, LiteRT unpacks float16 sparse weights on every run, which "
    "is many times slower"
)


@dataclass(frozen=True, kw_only=True)
class Decided:
    """A file with the encoding that pays off, and its record."""

    tflite: bytes
    record: SparsityRecord


def with_best_encoding(tflite: bytes, mode: SparsityMode = "auto") -> Decided:
    """Writes weights sparse where the file gets smaller and stays as fast.

    Args:
        tflite: the file's content.
        mode: "auto" keeps the sparse file if it is smaller, gives bit for bit the outputs
            of the same graph with dense weights, and takes at most 1.1 times as long in an
            interleaved measurement; "smallest" keeps it even where it is slower, "sparse" even
            where it is larger or slower; "dense" leaves the file alone. A file without zeros is
            not measured.

    Returns:
        The file and the record.

    Raises:
        InputError: the file is damaged.
        RuntimeFailure: with "sparse", the runtime refuses the sparse file.
        UnsupportedError: with "sparse", no inputs can be generated for it.
        CheckFailed: with "sparse", the sparse file gives other outputs.

    Example:
        >>> with_best_encoding(tflite).record.sparse
        True
    """
    made = sparsify(tflite, mode)
    if not made.plan.sparse_tensors:
        return Decided(tflite=tflite, record=_record(tflite, tflite, made.plan))
    reason, run = "", None
    if mode != "sparse" and len(made.tflite) >= len(tflite):
        reason = f"the sparse file is not smaller: {len(made.tflite):,} bytes"
    else:
        try:
            run = _compared(tflite, made.tflite)
            reason = _objection(run, mode)
        except (RuntimeFailure, UnsupportedError) as error:
            if mode == "sparse":
                raise
            reason = f"the sparse file could not be compared: {error}"
    kept = tflite if reason else made.tflite
    return Decided(tflite=kept, record=_record(tflite, kept, made.plan, reason, run))


def _compared(dense: bytes, sparse: bytes) -> SparseRun:
    """Both files side by side, again where the first look says that the sparse one is slower."""
    run = compare_sparse(dense, sparse)
    if run.latency_ratio <= LATENCY_LIMIT:
        return run
    # What else the machine does can make a file look slow, but hardly twice.
    return min(run, compare_sparse(dense, sparse), key=lambda one: one.latency_ratio)


def _objection(run: SparseRun, mode: SparsityMode) -> str:
    """Why a sparse file should not be kept; empty if it should."""
    if not run.identical:
        reason = "the sparse file does not give the outputs of the same graph with dense weights"
        if mode == "sparse":
            raise CheckFailed(f"{reason}: convert with --sparsity dense, and report this")
        return reason
    if mode == "auto" and run.latency_ratio > LATENCY_LIMIT:
        return (
            f"the sparse file takes {run.latency_ratio:.2f} times as long ({run.sparse_us:.1f} "
            f"against {run.dense_us:.1f} us in turns); --sparsity smallest writes it anyway"
        )
    return ""


def _record(
    before: bytes,
    after: bytes,
    plan: SparsityPlan,
    reason: str = "",
    run: SparseRun | None = None,
) -> SparsityRecord:
    sparse = bool(plan.sparse_tensors) and not reason
    notes = [_DENSIFY_NOTE] if sparse else []
    if sparse and any(one.dtype == "float16" for one in plan.sparse_tensors):
        notes.append(_FLOAT16_NOTE)
    return SparsityRecord(
        plan=plan,
        sparse=sparse,
        reason=reason,
        raw_bytes=len(after),
        dense_raw_bytes=len(before),
        download_bytes=download_bytes(after),
        dense_download_bytes=download_bytes(before),
        unpacked_bytes=plan.unpacked_bytes if sparse else 0,
        run=run,
        notes=tuple(notes),
    )
