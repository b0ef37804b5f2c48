from pathlib import Path

import numpy as np
import pytest

from tests.runtime.runtime_files import counter_file, custom_file, named_dense_file, relu_file
from tflite_squeeze.errors import RuntimeFailure
from tflite_squeeze.runtime.litert_c import CompiledModel, Event, TensorType
from tflite_squeeze.runtime.operators import Run, Total, operators_job, summed, totals_of

REQUEST = {
    "signature": None, "threads": 1, "runs": 5, "min_seconds": 0, "warmup_seconds": 0, "seed": 0,
}  # fmt: skip


def invoke(start: int, elapsed: int, subgraph: int = 0) -> Event:
    return Event(
        tag="Invoke", kind=1, start_us=start, elapsed_us=elapsed, node=0, subgraph=subgraph
    )


def operator(tag: str, start: int, elapsed: int, node: int, subgraph: int = 0) -> Event:
    return Event(tag=tag, kind=2, start_us=start, elapsed_us=elapsed, node=node, subgraph=subgraph)


def kernel(tag: str, elapsed: int, node: int, subgraph: int = 0, kind: int = 8) -> Event:
    return Event(tag=tag, kind=kind, start_us=0, elapsed_us=elapsed, node=node, subgraph=subgraph)


TELEMETRY = Event(
    tag="Invoke", kind=32, start_us=0, elapsed_us=1 << 32, node=(1 << 64) - 1, subgraph=0
)


def by_name(totals) -> list[tuple[str, bool, float, int]]:
    return [(key[4], key[1], total.own_us, total.calls) for key, total in totals.items()]


def test_kernels_get_the_half_microsecond_back_that_was_cut_off() -> None:
    events = [
        Event(tag="Run", kind=1, start_us=0, elapsed_us=9, node=0, subgraph=0),
        invoke(10, 100),
        kernel("Conv", 20, 0),
        kernel("Reshape", 0, 1),
        operator("SOFTMAX", 60, 30, 2),
        kernel("Conv", 7, 0, kind=4),
        TELEMETRY,
    ]
    assert by_name(totals_of(events)) == [
        ("Conv", True, 20.5, 1),
        ("Reshape", True, 0, 1),
        ("SOFTMAX", False, 30, 1),
        ("Conv", True, 7.5, 1),  # another part of the delegate: another kernel
    ]


def test_two_parts_of_the_delegate_in_a_row_are_told_apart() -> None:
    events = [invoke(0, 9), kernel("Add", 1, 0), kernel("Add", 1, 1), kernel("Add", 1, 0)]
    assert [total.calls for total in totals_of(events).values()] == [1, 1, 1]


def test_an_operator_that_runs_subgraphs_counts_without_theirs() -> None:
    events = [invoke(0, 100), kernel("Conv", 9, 0), operator("WHILE", 10, 80, 1)]
    for start in (12, 40):
        events += [
            invoke(start, 8, subgraph=1),
            operator("LESS", start + 2, 3, 0, subgraph=1),
            invoke(start + 9, 15, subgraph=2),
            operator("ADD", start + 10, 5, 0, subgraph=2),
            kernel("Gemm", 4, 0, subgraph=2),
        ]
    events += [kernel("Softmax", 2, 0), operator("NEG", 95, 3, 2)]
    totals = totals_of(events)
    assert by_name(totals) == [
        ("Conv", True, 9.5, 1),
        ("WHILE", False, 80 - 2 * (3 + 5 + 4.5), 1),
        ("LESS", False, 6, 2),
        ("ADD", False, 10, 2),
        ("Gemm", True, 9, 2),
        ("Softmax", True, 2.5, 1),
        ("NEG", False, 3, 1),
    ]
    assert [total.watched for total in totals.values()] == [0, 4, 0, 0, 0, 0, 0]
    assert sum(total.own_us for total in totals.values()) == 9.5 + 80 + 2.5 + 3


def test_no_event_of_the_whole_run_is_an_error() -> None:
    with pytest.raises(RuntimeFailure, match="reported no run"):
        totals_of([TELEMETRY])


def run(plain_us: float, profiled_us: float, **own_us: float) -> Run:
    totals = {
        (0, name != "WHILE", 0, index, name): Total(
            own_us=value, calls=2, watched=int(name == "WHILE")
        )
        for index, (name, value) in enumerate(own_us.items())
    }
    return Run(plain_us=plain_us, profiled_us=profiled_us, totals=totals)


def test_the_slowest_quarter_does_not_count() -> None:
    # One was interrupted without the profiler, one with it: neither counts.
    interrupted = [run(5000, 11, Conv=4), run(10, 6000, Conv=4000)]
    runs = [*interrupted, *[run(10, 11, Conv=4)] * 6]
    values = summed(runs)
    assert values["runs"] == 6
    assert values["invoke_us"] == pytest.approx(10)
    assert values["operators"] == [
        {
            "name": "Conv",
            "subgraph": 0,
            "index": 0,
            "delegated": True,
            "us_per_run": pytest.approx(4),
            "calls_per_run": 2,
        }
    ]


def test_an_operator_that_runs_subgraphs_gets_no_more_than_what_others_leave() -> None:
    cut = summed([run(100, 900, Conv=60, WHILE=700)])["operators"]
    assert [item["us_per_run"] for item in cut] == [60, 40]
    whole = summed([run(100, 110, Conv=60, WHILE=20)])["operators"]
    assert [item["us_per_run"] for item in whole] == [60, 20]
    none = summed([run(50, 900, Conv=60, WHILE=700)])["operators"]
    assert [item["us_per_run"] for item in none] == [60, 0]


@pytest.mark.parametrize("make", [named_dense_file, counter_file])
def test_a_real_file_is_profiled(tmp_path, make) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(make())
    values, arrays = operators_job(path, REQUEST, {})
    assert arrays == {}
    assert values["runs"] == 3
    assert values["invoke_us"] > 0
    names = [item["name"] for item in values["operators"]]
    if make is counter_file:
        assert "CALL_ONCE" in names
        assert not any(
            item["delegated"] for item in values["operators"] if item["name"] == "CALL_ONCE"
        )
    else:
        assert any(name.startswith("Fully Connected") for name in names)
        assert all(item["delegated"] for item in values["operators"])


def test_the_c_interface_reads_types_and_takes_open_dimensions() -> None:
    tflite = relu_file((1, 2), (-1, 2))
    with CompiledModel(tflite, threads=1, signature=None, profiler=True) as model:
        assert model.input_types() == {"x": TensorType(dtype="float32", shape=(-1, 2))}
        model.prepare({"x": np.float32([[-1, 1], [2, 3], [4, 5]])})
        model.start_profiler()
        model.run()
        model.stop_profiler()
        assert model.events()


def test_the_kernels_get_the_threads() -> None:
    def started(threads: int) -> int:
        before = len(list(Path("/proc/self/task").iterdir()))
        with CompiledModel(
            named_dense_file(), threads=threads, signature=None, profiler=False
        ) as model:
            model.prepare({"features": np.float32([[1, 2, 3]])})
            model.run()
            return len(list(Path("/proc/self/task").iterdir())) - before

    assert [started(1), started(3)] == [0, 2]


def test_a_file_that_cannot_run_is_refused(tmp_path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(custom_file("Wobble"))
    with pytest.raises(RuntimeFailure, match="C interface answered 'runtime failure'"):
        operators_job(path, REQUEST, {})


def test_the_c_interface_names_what_it_refuses() -> None:
    with pytest.raises(RuntimeFailure, match=r"answered '.+' to LiteRtCreateModelFromBuffer"):
        CompiledModel(b"TFL3 nothing", threads=1, signature=None, profiler=False)
    with pytest.raises(RuntimeFailure, match="no signature 'train'"):
        CompiledModel(relu_file((1,)), threads=1, signature="train", profiler=False)
