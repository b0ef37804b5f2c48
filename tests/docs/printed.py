"""Whether a page shows what a command really prints, but for what differs from run to run."""

import re

# What a machine and the moment decide: times, what derives from them, and the peak of memory.
_NUMBER = r"[-+]?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?"
_TIMES = re.compile(rf"{_NUMBER} (µs|ms|seconds?|s)\b")
_SHARES_OF_TIME = re.compile(
    rf"{_NUMBER}%(?= of (?:a run|the time))|\({_NUMBER}%\)\.?$|{_NUMBER}(?= times that)"
)
_MACHINE = re.compile(r"(?<=LiteRT \d\.\d\.\d on ).*|(?<= in all, on )[^;]*")
_RUNS = re.compile(rf"^{_NUMBER} runs after {_NUMBER}(?= to warm up)")
_LATENCY_ROW = re.compile(
    r"^ (median|\d\dth percentile|minimum|mean|standard deviation|first run|initialisation) "
)
_PEAK_ROW = re.compile(r"^ (peak of the process|of that, for this file) ")
_OPERATOR_ROW = re.compile(r" (XNNPACK|NOT DELEGATED) |^ \(not accounted for\) ")
# A file, what runs it, and its bytes, download and arena; latency, ratio and interval follow.
_COMPARED_ROW = re.compile(r"^( \S+ +\S+ +litert +(?:[\d,]+ +){3})(\S+)(.*)")
_RATIO = re.compile(r"(?<= )\d+(?:\.\d+)?(?= |$)|\[\d[^\]]*\]")
_RECIPE_TIMES = re.compile(r"^ run, one thread \(µs\) ")
_RECIPE_STEP = re.compile(r"^ \d+ +\w+ +(done|skipped|stopped) ")
_BAR = re.compile(r"[█▏▎▍▌▋▊▉]+")
_RULE = re.compile(r"─+")
# A note that stands below a table of times or not, as the times themselves have it.
_NOTE = re.compile(r"^XNNPACK's clock counts whole microseconds")


def normal(line: str) -> str:
    """A line with N for what varies, and without the padding that varying widths bring."""
    if _RECIPE_TIMES.search(line):
        return "run, one thread (µs) N N N"
    if _LATENCY_ROW.search(line) or _PEAK_ROW.search(line) or _RECIPE_STEP.search(line):
        line = re.sub(rf"{_NUMBER}\s*$", "N", line)
    elif _OPERATOR_ROW.search(line):
        line = re.sub(rf"{_NUMBER}\s+{_NUMBER}%", "N N%", _BAR.sub("", line))
    elif row := _COMPARED_ROW.search(line):
        line = f"{row[1]}N{_RATIO.sub('N', row[3])}"
    line = _TIMES.sub(r"N \1", line)
    line = _SHARES_OF_TIME.sub("N", line)
    line = _RUNS.sub("N runs after N", line)
    line = _MACHINE.sub("MACHINE", line)
    return " ".join(_RULE.sub("─", line).split())


def _lines(text: str) -> list[str]:
    """Lines that say something in every run: tables are padded with blank ones."""
    found = [normal(line) for line in text.splitlines()]
    return [line for line in found if line and not _NOTE.search(line)]


def difference(shown: str, printed: str) -> str | None:
    """Where a page's text leaves what was printed; None if nowhere.

    Args:
        shown: the text on the page; a line of `…` alone stands for any number of lines.
        printed: what the command put out.
    """
    wanted, given = _lines(shown), _lines(printed)
    position, free = 0, False
    for line in wanted:
        if line == "…":
            free = True
            continue
        rest = given[position:] if free else given[position : position + 1]
        if line not in rest:
            there = rest[0] if rest else "nothing more"
            return f"the page shows {line!r}; printed was {there!r}"
        position += rest.index(line) + 1
        free = False
    if position < len(given) and not free:
        return f"the page ends; printed was also {given[position]!r}"
    return None
