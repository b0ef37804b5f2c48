import hashlib
import json

import pytest
from pydantic import ValidationError

from tests.runtime.runtime_files import (
    counter_file,
    crashing_file,
    custom_file,
    named_dense_file,
    two_signatures_file,
    uint8_dense_file,
)
from tests.tiny_files import dense_file
from tflite_squeeze.errors import InputError, RuntimeFailure
from tflite_squeeze.profiling import profile as module
from tflite_squeeze.profiling.profile import operator_times, profile
from tflite_squeeze.profiling.record import OperatorTimes, Profile, ProfileRecord
from tflite_squeeze.tflite.size import size_ledger

QUICK = Profile(runs=3, min_seconds=0, warmup_seconds=0, time_limit_s=60)


def test_the_config_round_trips() -> None:
    config = Profile(runs=7, min_seconds=0.5, threads=2, signature="serve", seed=3)
    assert Profile.model_validate_json(config.model_dump_json()) == config
    assert Profile(**Profile().model_dump()) == Profile()


@pytest.mark.parametrize(
    "wrong",
    [
        {"runs": 0},
        {"min_seconds": -1},
        {"min_seconds": float("inf")},
        {"warmup_seconds": -0.1},
        {"threads": 0},
        {"time_limit_s": 0},
        {"rums": 3},
    ],
)
def test_a_config_that_makes_no_sense_is_refused(wrong) -> None:
    with pytest.raises(ValidationError):
        Profile(**wrong)


def test_operators_are_timed_alone() -> None:
    times = operator_times(dense_file(), QUICK)
    assert "Fully Connected" in {item.name.partition(" (")[0] for item in times.operators}


def test_a_file_is_profiled_and_the_record_round_trips(tmp_path) -> None:
    path = tmp_path / "dense.tflite"
    path.write_bytes(named_dense_file())
    record = profile(str(path), QUICK)
    content = path.read_bytes()
    assert record.file == "dense.tflite"
    assert record.sha256 == hashlib.sha256(content).hexdigest()
    assert record.size == size_ledger(content)
    assert record.config == QUICK
    assert record.signature == "serve"
    assert [(item.name, item.dtype, item.shape) for item in record.inputs] == [
        ("features", "float32", (1, 3))
    ]
    latency = record.latency
    assert latency.runs == 3
    assert 0 < latency.min_us <= latency.median_us <= latency.p90_us <= latency.p99_us
    assert record.memory.builtin_arena_bytes == 128
    assert record.machine.litert.startswith("2.")
    times = record.operators
    assert times.unavailable is None
    assert any(item.name.startswith("Fully Connected") for item in times.operators)
    assert times.sum_us == pytest.approx(sum(item.us_per_run for item in times.operators))
    assert ProfileRecord.model_validate(json.loads(record.model_dump_json())) == record


def test_bytes_have_no_file_name() -> None:
    assert profile(named_dense_file(), QUICK).file is None


def test_what_is_not_delegated_is_marked() -> None:
    operators = profile(counter_file(), QUICK).operators.operators
    delegated = {item.name: item.delegated for item in operators}
    assert delegated["CALL_ONCE"] is False


def test_operators_are_those_of_the_signature() -> None:
    config = QUICK.model_copy(update={"signature": "negate"})
    record = profile(two_signatures_file(), config)
    assert record.signature == "negate"
    assert {item.subgraph for item in record.operators.operators} == {1}
    with pytest.raises(InputError, match="no signature 'train'"):
        profile(two_signatures_file(), QUICK.model_copy(update={"signature": "train"}))


def test_legacy_uint8_is_called_what_it_is() -> None:
    assert "The file has legacy uint8 quantization." in profile(uint8_dense_file(), QUICK).notes
    assert profile(named_dense_file(), QUICK).notes == ()


@pytest.mark.own_process
def test_a_file_that_would_crash_the_runtime_is_refused_before() -> None:
    with pytest.raises(InputError, match="its subgraph 0 runs itself") as caught:
        profile(crashing_file(), QUICK)
    assert "\n" not in str(caught.value)


@pytest.mark.own_process
def test_a_file_that_the_runtime_cannot_run_is_one_clear_error() -> None:
    with pytest.raises(RuntimeFailure, match="lacks the custom operator Wobble"):
        profile(custom_file("Wobble"), QUICK)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a .tflite file"),
        (b"something else entirely", "not a .tflite file"),
        (dense_file()[:200], "damaged"),
    ],
)
def test_bytes_that_are_no_file_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        profile(content, QUICK)


def test_a_path_that_is_not_there_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        profile(tmp_path / "no.tflite", QUICK)


def test_a_file_that_is_no_tflite_is_named(tmp_path) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(b"something else entirely")
    with pytest.raises(InputError, match=r"model\.keras is not a \.tflite file"):
        profile(path, QUICK)


def test_a_crash_of_the_profiler_costs_the_operators_alone(monkeypatch) -> None:
    real = module.run_in_child

    def crash(job: str, *arguments, **options):
        if job in ("operators", "memory"):
            raise RuntimeFailure(f"{job} crashed")
        return real(job, *arguments, **options)

    monkeypatch.setattr(module, "run_in_child", crash)
    record = profile(named_dense_file(), QUICK)
    assert record.latency.runs == 3
    assert record.operators == OperatorTimes(unavailable="operators crashed")
    assert record.operators.coverage is None
    assert record.memory.builtin_arena_bytes is None
    assert record.memory.builtin_unavailable == "memory crashed"


def test_shares_are_parts_of_the_run_or_of_the_sum_where_that_is_more() -> None:
    items = [("Conv", True, 30.0, 1.0), ("WHILE", False, 10.0, 1.0), ("ADD", False, 20.0, 4.0)]
    values = {
        "runs": 9,
        "invoke_us": 75.0,
        "operators": [
            {"name": name, "subgraph": 0, "index": 0, "delegated": delegated,
             "us_per_run": us, "calls_per_run": calls}
            for name, delegated, us, calls in items
        ],
    }  # fmt: skip
    times = module._times(values)
    assert [item.share for item in times.operators] == [0.4, 10 / 75, 20 / 75]
    assert [item.mean_us for item in times.operators] == [30, 10, 5]
    assert times.coverage == pytest.approx(0.8)
    assert times.unseen_us == 15
    more = module._times({**values, "invoke_us": 50.0})
    assert [item.share for item in more.operators] == [0.5, 10 / 60, 20 / 60]
    assert more.unseen_us == 0
