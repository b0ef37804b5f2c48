"""A profile as the contents of a page."""

from tests.profiling.profile_records import operator_time, operator_times, profile_record
from tflite_squeeze.page.contents import Operator
from tflite_squeeze.page.render import report_page
from tflite_squeeze.profiling.page import profile_contents, target_contents
from tflite_squeeze.profiling.record import OperatorTimes
from tflite_squeeze.tables.table import Table

PAIR = operator_times(operator_time("Conv", 0.75), operator_time("SOFTMAX", 0.125, delegated=False))


def test_a_profile() -> None:
    contents = profile_contents(profile_record(PAIR))
    assert contents.operators is not None
    assert contents.operators.operators == (
        Operator(name="Conv", kernel="XNNPACK", us=750, share=0.75),
        Operator(name="SOFTMAX", kernel="NOT DELEGATED", us=125, share=0.125),
    )
    assert contents.summary is not None
    assert contents.summary.title.startswith("Latency of net.tflite")
    assert contents.tables[0].title == "Memory"
    assert contents.commands == (
        "tflite-squeeze profile net.tflite --runtime litert --threads 1 --runs 50 --min-seconds 1",
    )
    assert "operators-chart" in report_page(contents).decode()


def test_times_that_are_not_available_are_told() -> None:
    page = report_page(profile_contents(profile_record(OperatorTimes(unavailable="it crashed"))))
    assert "Times of operators are unavailable: it crashed" in page.decode()
    assert "operators-chart" not in page.decode()


def test_a_target() -> None:
    table = Table(title="Memory", columns=("", "bytes"), rows=(("arena", 64),))
    fits = target_contents("net.tflite", "micro", [table], ())
    assert fits.verdict is None
    over = target_contents("net.tflite", "micro", [table], ("the arena takes 64 bytes",))
    assert over.verdict is not None
    assert "the arena takes 64 bytes" in report_page(over).decode()
