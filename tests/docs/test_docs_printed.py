"""What counts as the same output."""

import pytest

from tests.docs.printed import difference, normal


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (" median               0.03705", "median N"),
        (" peak of the process            52,846,592", "peak of the process N"),
        (" arena, with XNNPACK                 3,264", "arena, with XNNPACK 3,264"),
        (
            "8,997 runs after 4,806 to warm up, 1 thread, LiteRT 2.3.0 on AMD EPYC.",
            "N runs after N to warm up, 1 thread, LiteRT 2.3.0 on MACHINE",
        ),
        (" Convolution (NHWC, QC8) IGEMM  XNNPACK  20.25   45.6%   █████████▏",
         "Convolution (NHWC, QC8) IGEMM XNNPACK N N%"),
        (" (not accounted for)      3.565    8.0%   █▋", "(not accounted for) N N%"),
        ("one run takes 37.5 µs on this machine", "one run takes N µs on this machine"),
        (" a.tflite  int8  litert  55,856  33,137  3,776    149",
         "a.tflite int8 litert 55,856 33,137 3,776 N"),
        (" a.tflite  int8  litert  55,856  33,137  3,776  1.985  0.9886  [0.9, 1.1]  93.75%  -0.39",
         "a.tflite int8 litert 55,856 33,137 3,776 N N N 93.75% -0.39"),
        ("12 operators add up to 40.8 µs of the 44.4 µs that a run takes (92%).",
         "12 operators add up to N µs of the N µs that a run takes N"),
        (" run, one thread (µs)    30.8     5.2    5.91x faster", "run, one thread (µs) N N N"),
        (" 2   prune   done   89.45%   271,104   192   266,200   2.4",
         "2 prune done 89.45% 271,104 192 266,200 N"),
        ("32 s in all, on some CPU; data: x.npz", "N s in all, on MACHINE; data: x.npz"),
        (" weights     432,852    97.0%   █████▍", "weights 432,852 97.0% █████▍"),
    ],
)  # fmt: skip
def test_what_varies_is_masked_and_nothing_else(line: str, expected: str) -> None:
    assert normal(line) == expected


def test_equal_but_for_times() -> None:
    assert difference(" median   1.5\n", "\n median      12.25   \n") is None


@pytest.mark.parametrize(
    ("shown", "printed", "expected"),
    [
        ("file 12 bytes\n", "file 13 bytes\n", "the page shows 'file 12 bytes'"),
        ("one\n", "one\ntwo\n", "printed was also 'two'"),
        ("one\ntwo\n", "one\n", "nothing more"),
        ("…\nthree\n", "one\ntwo\n", "the page shows 'three'"),
    ],
)
def test_differences_are_seen(shown: str, printed: str, expected: str) -> None:
    assert expected in str(difference(shown, printed))


def test_an_ellipsis_stands_for_any_lines() -> None:
    assert difference("one\n…\nfour\n", "one\ntwo\nthree\nfour\n") is None
    assert difference("one\n…\n", "one\ntwo\n") is None
