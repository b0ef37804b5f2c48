import io

import pytest
from PIL import Image

from tests.profiling.profile_records import operator_time, operator_times, profile_record
from tflite_squeeze.profiling.plots import operator_bars, operator_plot
from tflite_squeeze.profiling.record import OperatorTimes
from tflite_squeeze.profiling.tables import operator_table, profile_tables

PAIR = operator_times(
    operator_time("Conv", 0.75), operator_time("SOFTMAX", 0.125, delegated=False, calls=2)
)


def test_operators_are_marked_where_they_are_not_delegated() -> None:
    table = operator_table(PAIR)
    assert table.columns == (
        "operator", "runs in", "subgraph", "calls", "mean (µs)", "per run (µs)", "share",
    )  # fmt: skip
    assert table.rows == (
        ("Conv", "XNNPACK", 0, 1, 750, 750, 0.75),
        ("SOFTMAX", "NOT DELEGATED", 0, 2, 62.5, 125, 0.125),
        ("(not accounted for)", None, None, None, None, 125, 0.125),
    )
    assert table.bar == "share"
    assert table.notes == (
        "2 operators add up to 875.0 µs of the 1,000.0 µs that a run takes (88%).",
        "Not delegated: 1 operator with 12.5% of the time (SOFTMAX).",
    )


def test_a_file_that_is_delegated_whole_has_nothing_marked() -> None:
    table = operator_table(operator_times(operator_time("Conv", 1.0)))
    assert len(table.notes) == len(table.rows) == 1


def test_a_compact_table_leaves_out_what_says_nothing() -> None:
    once = operator_times(operator_time("Conv", 0.5), operator_time("ADD", 0.5))
    assert operator_table(once, compact=True).columns == (
        "operator", "runs in", "per run (µs)", "share",
    )  # fmt: skip
    assert "calls" in operator_table(PAIR, compact=True).columns
    several = operator_times(operator_time("Conv", 0.5), operator_time("ADD", 0.5, subgraph=2))
    table = operator_table(several, compact=True)
    assert [row[table.columns.index("subgraph")] for row in table.rows] == [0, 2]
    assert "counts without what runs there" in table.notes[1]


def test_times_below_the_clock_are_explained() -> None:
    short = operator_times(operator_time("Conv", 0.001), invoke_us=20)
    assert any("whole microseconds" in note for note in operator_table(short).notes)


def test_operators_that_are_unavailable_say_why() -> None:
    table = operator_table(OperatorTimes(unavailable="it crashed"))
    assert table.rows == ()
    assert table.notes == ("Times of operators are unavailable: it crashed",)


def test_latency_and_memory_by_hand() -> None:
    tables = {table.title: table for table in profile_tables(profile_record(PAIR))}
    assert list(tables) == [
        "Latency of net.tflite, signature serve", "Memory", "Size", "Data by type", "Operators",
    ]  # fmt: skip
    latency = tables["Latency of net.tflite, signature serve"]
    assert dict(latency.rows) == {
        "median": 1.0,
        "90th percentile": 1.1,
        "99th percentile": 1.5,
        "minimum": 0.9,
        "mean": 1.01,
        "standard deviation": 0.05,
        "first run": 4.0,
        "initialisation": 2.5,
    }
    assert latency.notes == (
        "990 runs after 500 to warm up, 1 thread, LiteRT 2.3.0 on A CPU.",
        "Inputs are made up: x float32 [1, 3].",
    )
    assert tables["Memory"].rows[1] == ("arena, built-in kernels only", 153664)


def test_bytes_without_a_name_go_by_their_hash() -> None:
    record = profile_record(PAIR, file=None, signature=None)
    assert profile_tables(record)[0].title == "Latency of sha256 0123456789ab"


def test_bars_are_the_slowest_first_and_the_rest_together() -> None:
    bars = operator_bars(
        operator_times(operator_time("a", 0.0004), operator_time("b", 0.2), operator_time("c", 0.5))
    )
    assert [(item.label, item.share) for item in bars] == [
        ("c  #3", 0.5), ("b  #2", 0.2), ("1 other", 0.0004),
        ("(not accounted for)", pytest.approx(0.2996)),
    ]  # fmt: skip
    many = operator_bars(
        operator_times(*[operator_time(f"n{index}", 0.01) for index in range(100)])
    )
    assert len(many) == 31
    assert many[-1].label == "70 others"
    assert many[-1].share == pytest.approx(0.7)
    assert many[-1].delegated is None


@pytest.mark.parametrize(
    "times",
    [
        PAIR,
        OperatorTimes(unavailable="it crashed"),
        operator_times(operator_time("cost $x$ \x1b \N{SNOWMAN}" * 9, 1.0)),
    ],
)
def test_the_plot_is_a_picture(times: OperatorTimes) -> None:
    with Image.open(io.BytesIO(operator_plot(profile_record(times)))) as picture:
        assert picture.format == "PNG"
        assert picture.width == 1500
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 10


def test_what_is_not_delegated_has_its_own_colour() -> None:
    def has_orange(times: OperatorTimes) -> int:
        # The legend shows the colour too, so what counts is how much of it there is.
        with Image.open(io.BytesIO(operator_plot(profile_record(times)))) as picture:
            colours = picture.convert("RGB").getcolors(1 << 20)
        return sum(count for count, colour in colours if colour == (0xEE, 0x77, 0x33))

    delegated = operator_times(operator_time("a", 0.5), operator_time("b", 0.5))
    left = operator_times(operator_time("a", 0.5), operator_time("b", 0.5, delegated=False))
    assert has_orange(left) > 2 * has_orange(delegated) > 0
