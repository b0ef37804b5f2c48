"""The page as text: what is in it, what is left out, and that nothing breaks out of it."""

import re
from html.parser import HTMLParser

import pytest

from tests.page.page_contents import whole
from tflite_squeeze.page.contents import Contents, Front, Measure, Point
from tflite_squeeze.page.render import MOST_BYTES, report_page
from tflite_squeeze.tables.table import Table


class _Tags(HTMLParser):
    """Counts elements, and whether each is closed."""

    void = {"meta", "link", "br", "img"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page() -> str:
    return report_page(whole()).decode()


def _headings(text: str) -> list[str]:
    return re.findall(r"<h2[^>]*>(.*?)</h2>", text.partition("<script>")[0])


def test_every_part_has_its_heading(page: str) -> None:
    assert _headings(page) == [
        "Summary", "accuracy by download", "Quality and bytes by step",
        "What was refused, and why", "Bytes by tensor", "Operators by time", "Checks",
        _headings(page)[7], "How to reproduce", "Data", "Machine",
    ]  # fmt: skip
    for text in ("12,345", "25.0%", "Not passed", "on the front", "rejected"):
        assert text in page


def test_names_stay_names(page: str) -> None:
    tags = _Tags(page)
    assert tags.open == []
    assert [tag for tag, _ in tags.seen].count("script") == 2
    assert not [tag for tag, _ in tags.seen if tag == "img"]
    assert "window.broken" in page  # as text
    assert "<script>window.broken" not in page


def test_the_page_loads_nothing(page: str) -> None:
    loads = [
        value
        for tag, attributes in _Tags(page).seen
        for name, value in attributes.items()
        if name in ("src", "href", "data", "action")
    ]
    assert loads == ["data:,"]
    assert "@import" not in page
    assert "url(" not in page.partition("</style>")[0]


def test_what_is_empty_is_left_out_with_its_heading() -> None:
    table = Table(title="Latency", columns=("", "ms"), rows=(("median", 1.5),))
    text = report_page(Contents(title="net.tflite", tables=(table,))).decode()
    assert _headings(text) == ["Latency"]
    assert "<script" not in text
    assert "Vega" not in text
    assert len(text) < 12_000
    assert _Tags(text).open == []


def test_long_tables_are_folded() -> None:
    rows = tuple((f"claim {at}",) for at in range(40))
    table = Table(title="Claims", columns=("weight",), rows=rows)
    text = report_page(Contents(title="x", checks=(table,))).decode()
    assert "<summary>Claims: 40 rows</summary>" in text
    short = Table(title="Claims", columns=("weight",), rows=rows[:2])
    assert "<summary>" not in report_page(Contents(title="x", checks=(short,))).decode()


def test_a_page_of_hundreds_of_points_is_below_the_limit() -> None:
    assert len(report_page(whole(points=400))) < MOST_BYTES


def test_a_page_that_is_too_large_is_refused() -> None:
    axis = Measure(label="bytes")
    recipe = "x" * 400_000
    points = tuple(Point(name=str(at), x=at, y=at, recipe=recipe) for at in range(3))
    with pytest.raises(ValueError, match=r"2,097,152 is the limit: give it fewer points"):
        report_page(Contents(title="large", front=Front(x=axis, y=axis, points=points)))
