"""Tables as HTML: what a parser sees in it, and that names cannot break out."""

from html.parser import HTMLParser

from tflite_squeeze.tables.html import to_html
from tflite_squeeze.tables.table import Table

NASTY = '<script>alert("x")</script> & \x1b[31m'
TABLE = Table(
    title="Sizes",
    columns=("name", "bytes", "share"),
    rows=(("a & b", 1234, 0.25), (None, 5, 1.5)),
    notes=("a <note>",),
    bar="share",
)


class _Seen(HTMLParser):
    """The tags in order of opening, with what was left open, and the text of table cells."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.cells: list[str] = []
        self.styles: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.styles.append(dict(attrs).get("style") or "")
        if tag != "img":
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "td" in self.open or "th" in self.open:
            self.cells[-1] += data


def test_cells_are_those_of_the_table() -> None:
    seen = _Seen(to_html([TABLE]))
    assert seen.cells == ["name", "bytes", "share", "a & b", "1,234", "25.0%", "", "5", "150.0%"]
    assert seen.open == []


def test_numbers_stand_to_the_right_and_bars_stay_in_their_track() -> None:
    html = to_html([TABLE])
    assert html.count("text-align:left") == 3  # the names and their heading
    assert html.count("text-align:right") == 6
    assert "width:25.0%" in html
    assert "width:100.0%" in html
    assert "width:150" not in html


def test_names_cannot_break_out() -> None:
    table = Table(title=NASTY, columns=(NASTY,), rows=((NASTY,),), notes=(NASTY,))
    html = to_html([table], [('" onerror="x', b"png")])
    assert "script" not in _Seen(html).tags
    assert "\x1b" not in html
    assert 'onerror="' not in html
    assert _Seen(html).cells == [NASTY.replace("\x1b", "\\x1b")] * 2


def test_colours_leave_the_theme_alone() -> None:
    # Text and background are the notebook's, so that both are right in the dark.
    for style in _Seen(to_html([TABLE])).styles:
        for rule in filter(None, style.split(";")):
            name, value = rule.split(":")
            assert name != "color"
            assert name != "background" or value == "#4477aa"


def test_a_table_without_rows_has_its_notes() -> None:
    html = to_html([Table(title="Nothing", columns=("a",), rows=(), notes=("why",))])
    assert "<table" not in html
    assert "Nothing" in html
    assert "why" in html


def test_pictures_carry_their_bytes_and_say_what_they_show() -> None:
    html = to_html([], [("time of each operator", b"\x00\x01\x02")])
    assert 'alt="time of each operator"' in html
    assert 'src="data:image/png;base64,AAEC"' in html
