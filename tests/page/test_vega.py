"""What all charts share: numbers and names as people read them."""

import math

from tflite_squeeze.page.vega import short_bytes, short_names, shown


def test_numbers_as_people_read_them() -> None:
    assert shown(0.9104, "share") == "91.04%"
    assert shown(1234567, "bytes") == "1,234,567 bytes"
    assert shown(43.44, "µs") == "43.4 µs"
    assert shown(0.123456, "") == "0.1235"
    assert shown(None, "share") == ""
    assert shown(math.nan, "share") == "not a finite number"
    assert [short_bytes(size) for size in (40, 1000, 999_499, 999_500, 1_069_056)] == [
        "40 B", "1 kB", "999 kB", "1 MB", "1.07 MB"
    ]  # fmt: skip


def test_names_lose_what_they_share_and_the_beginning_of_what_is_long() -> None:
    assert short_names(["net/a/w", "net/b/w", "2 others"]) == ["a/w", "b/w", "2 others"]
    assert short_names(["net/a/w"]) == ["net/a/w"]
    assert short_names(["x" * 60 + "end"]) == ["…" + "x" * 36 + "end"]
