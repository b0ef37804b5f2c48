"""The decision on the file itself."""

import pytest

from tests.emission.sparse.sparse_files import answer, dense_chain
from tflite_squeeze.emission.sparse import decision as sparsity
from tflite_squeeze.emission.sparse.decision import with_best_encoding
from tflite_squeeze.emission.sparse.record import SparseRun, SparsityRecord, compare_sparse
from tflite_squeeze.emission.sparse.tables import sparsity_tables
from tflite_squeeze.errors import CheckFailed, RuntimeFailure
from tflite_squeeze.tflite.size import download_bytes

SOUND = {
    "identical": True, "max_abs_difference": 0.0, "dense_us": 2.0, "sparse_us": 2.0,
    "latency_ratio": 1.0,
}  # fmt: skip


@pytest.fixture
def pruned() -> bytes:
    return dense_chain("int8")


def _finds(monkeypatch: pytest.MonkeyPatch, *runs: dict[str, object] | Exception) -> list[int]:
    """Lets the comparisons find these, in turn; returns a list that grows with each."""
    calls: list[int] = []

    def compare(dense: bytes, sparse: bytes) -> SparseRun:
        calls.append(len(sparse))
        found = runs[min(len(calls), len(runs)) - 1]
        if isinstance(found, Exception):
            raise found
        return SparseRun(**{**SOUND, **found})  # type: ignore[arg-type]

    monkeypatch.setattr(sparsity, "compare_sparse", compare)
    return calls


def test_a_pruned_file_gets_sparse_weights(pruned: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    _finds(monkeypatch, {})
    decided = with_best_encoding(pruned)
    record = decided.record
    assert record.sparse
    assert answer(decided.tflite) == answer(pruned)
    assert (record.raw_bytes, record.dense_raw_bytes) == (len(decided.tflite), len(pruned))
    assert record.download_bytes == download_bytes(decided.tflite)
    assert record.unpacked_bytes == 96 * 512 + 10 * 96
    assert "DENSIFY" in record.notes[0]
    assert SparsityRecord.model_validate_json(record.model_dump_json()) == record
    tensors, file = sparsity_tables(record)
    assert tensors.rows[0][-1] == "csr, kernel 1x2x256, positions of 8 bits"
    assert file.rows[0] == ("file (bytes)", len(pruned), len(decided.tflite))
    assert any("sparse kernels: no" in note for note in file.notes)


def test_a_slower_file_is_refused_unless_asked_for(
    pruned: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = _finds(monkeypatch, {"latency_ratio": 3.6, "sparse_us": 7.2})
    decided = with_best_encoding(pruned)
    assert decided.tflite is pruned
    assert len(calls) == 2  # a busy machine gets a second chance
    assert "3.60 times as long (7.2 against 2.0 us in turns)" in decided.record.reason
    assert (decided.record.sparse, decided.record.unpacked_bytes) == (False, 0)
    tensors, _ = sparsity_tables(decided.record)
    assert tensors.rows[0][-1] == "dense, see below"
    assert with_best_encoding(pruned, "sparse").record.sparse


def test_a_second_look_may_clear_a_file(pruned: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    _finds(monkeypatch, {"latency_ratio": 1.4}, {"latency_ratio": 1.02})
    record = with_best_encoding(pruned).record
    assert record.sparse
    assert record.run is not None
    assert record.run.latency_ratio == 1.02


def test_other_answers_are_refused(pruned: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    _finds(monkeypatch, {"identical": False})
    decided = with_best_encoding(pruned)
    assert decided.tflite is pruned
    assert "does not give the outputs of" in decided.record.reason
    with pytest.raises(CheckFailed, match="--sparsity dense"):
        with_best_encoding(pruned, "sparse")


def test_a_file_that_does_not_run_is_refused(
    pruned: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    _finds(monkeypatch, RuntimeFailure("it crashed"))
    assert "it crashed" in with_best_encoding(pruned).record.reason
    with pytest.raises(RuntimeFailure, match="it crashed"):
        with_best_encoding(pruned, "sparse")


@pytest.mark.parametrize("mode", ["auto", "dense"])
def test_nothing_is_measured_without_need(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = _finds(monkeypatch, {})
    tflite = dense_chain("int8", zeros=0.0 if mode == "auto" else 0.95)
    decided = with_best_encoding(tflite, mode)  # type: ignore[arg-type]
    assert decided.tflite is tflite
    assert not calls
    assert sparsity_tables(decided.record) == ()


@pytest.mark.own_process
@pytest.mark.slow
def test_the_comparison_tells_other_weights_from_the_same(pruned: bytes) -> None:
    same = compare_sparse(pruned, with_best_encoding(pruned, "sparse").tflite)
    assert same.identical
    assert same.max_abs_difference == 0
    assert min(same.dense_us, same.sparse_us, same.latency_ratio) > 0
    other = compare_sparse(pruned, with_best_encoding(dense_chain("int8", zeros=0.9)).tflite)
    assert other.max_abs_difference > 0
