import gc

import numpy as np
import pytest

from tests.runtime.runtime_files import named_dense_file, relu_file
from tflite_squeeze.errors import UnsupportedError
from tflite_squeeze.runtime.inputs import made_up
from tflite_squeeze.runtime.latency import latency_job, statistics_of, timed

REQUEST = {
    "signature": None, "threads": 1, "runs": 3, "min_seconds": 0, "warmup_seconds": 0, "seed": 0,
}  # fmt: skip


class Clock:
    """Nanoseconds that only pass where a call is told to take some."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


def test_statistics_by_hand() -> None:
    assert statistics_of(np.arange(1.0, 102.0)) == {
        "median_us": 51.0,
        "p90_us": 91.0,
        "p99_us": 100.0,
        "min_us": 1.0,
        "mean_us": 51.0,
        "std_us": pytest.approx(np.sqrt(101 * 102 / 12)),
    }


def test_percentiles_lie_between_the_runs() -> None:
    numbers = statistics_of(np.array([30.0, 10.0, 20.0, 40.0]))
    assert numbers["median_us"] == 25.0
    assert numbers["p90_us"] == pytest.approx(37.0)  # 0.9 · 3 = 2.7 steps above the least
    assert numbers["p99_us"] == pytest.approx(39.7)
    assert numbers["std_us"] == pytest.approx(np.sqrt((225 + 25 + 25 + 225) / 3))


def test_one_run_has_no_deviation() -> None:
    assert set(statistics_of(np.array([7.0])).values()) == {7.0, 0.0}


def test_runs_go_on_until_both_number_and_seconds_are_reached() -> None:
    clock = Clock()

    def call() -> None:
        clock.now += 2_500_000

    assert timed(call, runs=3, min_seconds=0, clock=clock) == [2500.0] * 3
    assert len(timed(call, runs=3, min_seconds=0.05, clock=clock)) == 20
    assert timed(call, runs=0, min_seconds=0, clock=clock) == []


def test_the_garbage_collector_rests_while_timing_and_works_again_after() -> None:
    seen = []
    timed(lambda: seen.append(gc.isenabled()), runs=1, min_seconds=0)
    assert seen == [False]
    assert gc.isenabled()

    def fail() -> None:
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        timed(fail, runs=1, min_seconds=0)
    assert gc.isenabled()


def test_made_up_inputs_are_in_range_and_repeat() -> None:
    types = {
        "real": ("float32", (500,)),
        "byte": ("uint8", (5000,)),
        "signed": ("int8", (5000,)),
        "index": ("int32", (500,)),
        "flag": ("bool", (500,)),
        "text": ("bytes", (2,)),
        "scalar": ("float16", ()),
    }
    values, again, other = made_up(types, 0), made_up(types, 0), made_up(types, 1)
    for name, (dtype, shape) in types.items():
        assert values[name].shape == shape
        assert values[name].dtype == np.dtype(dtype) or dtype == "bytes"
        np.testing.assert_array_equal(values[name], again[name])
    assert (values["real"] != other["real"]).any()
    assert -1 <= values["real"].min() < -0.9
    assert 0.9 < values["real"].max() < 1
    assert (values["byte"].min(), values["byte"].max()) == (0, 255)
    assert (values["signed"].min(), values["signed"].max()) == (-128, 127)
    assert set(values["index"]) == {0, 1}
    assert set(values["flag"]) == {False, True}


def test_a_type_that_cannot_be_made_up_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="input 'x' is of type object"):
        made_up({"x": ("object", ())}, 0)


def test_a_file_is_timed(tmp_path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(named_dense_file())
    values, arrays = latency_job(path, REQUEST, {})
    assert arrays["times_us"].shape == (3,)
    assert (arrays["times_us"] > 0).all()
    assert values["signature"] == "serve"
    assert values["inputs"] == {"features": ["float32", 1, 3]}
    assert values["warmup_runs"] == 0
    assert values["init_us"] > 0
    memory = values["memory"]
    assert memory["process_peak_bytes"] > memory["process_growth_bytes"] >= 0


def test_open_dimensions_are_timed_at_one(tmp_path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(relu_file((1, 5), (-1, 5)))
    values, _ = latency_job(path, REQUEST, {})
    assert values["inputs"] == {"x": ["float32", 1, 5]}
