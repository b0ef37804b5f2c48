"""A profile with numbers that are easy to follow."""

from tests.tiny_files import dense_file
from tflite_squeeze.profiling.record import (
    LatencyStats,
    Memory,
    OperatorTime,
    OperatorTimes,
    Profile,
    ProfileRecord,
)
from tflite_squeeze.runtime.inputs import InputUsed
from tflite_squeeze.runtime.machine import Machine
from tflite_squeeze.tflite.size import size_ledger


def operator_time(
    name: str, share: float, *, delegated: bool = True, subgraph: int = 0, calls: float = 1
) -> OperatorTime:
    return OperatorTime(
        name=name,
        subgraph=subgraph,
        index=0,
        delegated=delegated,
        mean_us=share * 1000 / calls,
        calls=calls,
        us_per_run=share * 1000,
        share=share,
    )


def operator_times(*operators: OperatorTime, invoke_us: float = 1000.0) -> OperatorTimes:
    return OperatorTimes(
        operators=operators,
        runs=45,
        invoke_us=invoke_us,
        sum_us=sum(item.us_per_run for item in operators),
    )


def profile_record(operators: OperatorTimes, **changes: object) -> ProfileRecord:
    record = ProfileRecord(
        file="net.tflite",
        sha256="0123456789abcdef" * 4,
        config=Profile(),
        signature="serve",
        inputs=(InputUsed(name="x", dtype="float32", shape=(1, 3)),),
        latency=LatencyStats(
            median_us=1000, p90_us=1100, p99_us=1500, min_us=900, mean_us=1010, std_us=50,
            runs=990, warmup_runs=500, init_us=2500, first_us=4000,
        ),
        operators=operators,
        memory=Memory(
            arena_bytes=6336,
            builtin_arena_bytes=153664,
            process_peak_bytes=50_000_000,
            process_growth_bytes=4_000_000,
        ),
        size=size_ledger(dense_file()),
        machine=Machine(
            cpu="A CPU", cores=2, system="Linux", python="3.11", litert="2.3.0", tflite_squeeze="0"
        ),
    )  # fmt: skip
    return record.model_copy(update=changes)
