"""Conditions on measured numbers, such as `accuracy_drop > 0.005 or latency_ratio > 1.0`.

It has its own grammar, since text from outside must never be run as Python:

    condition   = conjunction { "or" conjunction }
    conjunction = negation { "and" negation }
    negation    = "not" negation | "(" condition ")" | comparison
    comparison  = value ("<" | "<=" | ">" | ">=" | "==" | "!=") value
    value       = a name | a number
"""

import operator
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from tflite_squeeze.errors import UsageError

Values = Mapping[str, float]
_Test = Callable[[Values], bool]
_Value = Callable[[Values], float]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<word>[A-Za-z_]\w*)"
    r"|(?P<sign><=|>=|==|!=|<|>|\(|\)))"
)
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
_WORDS = ("and", "or", "not")
_MOST_TOKENS = 200


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A parsed condition.

    Attributes:
        text: as it was given.
        names: the names that occur in it, in order.
        holds: returns whether it holds, given a number for each name.
    """

    text: str
    names: tuple[str, ...]
    holds: _Test


def condition_of(text: str, known: Collection[str]) -> Condition:
    """Reads a condition.

    Args:
        text: names, numbers, comparisons, and, or, not, parentheses.
        known: the valid names.

    Raises:
        UsageError: it is not a valid condition, or uses an unknown name.

    Example:
        >>> condition_of("a > 1 and not b == 2", {"a", "b"}).holds({"a": 3, "b": 1})
        True
    """
    reader = _Reader(text, known)
    holds = reader.condition()
    reader.expect_end()
    return Condition(text=text, names=tuple(dict.fromkeys(reader.names)), holds=holds)


class _Reader:
    """Reads a condition from left to right."""

    def __init__(self, text: str, known: Collection[str]) -> None:
        self.text = text
        self.known = known
        self.names: list[str] = []
        self.tokens = self._tokens()
        self.at = 0

    def condition(self) -> _Test:
        tests = [self._conjunction()]
        while self._take("or"):
            tests.append(self._conjunction())
        return lambda values: any(test(values) for test in tests)

    def expect_end(self) -> None:
        if self.at < len(self.tokens):
            raise self._wrong("the end, 'and' or 'or'")

    def _conjunction(self) -> _Test:
        tests = [self._negation()]
        while self._take("and"):
            tests.append(self._negation())
        return lambda values: all(test(values) for test in tests)

    def _negation(self) -> _Test:
        if self._take("not"):
            test = self._negation()
            return lambda values: not test(values)
        if self._take("("):
            test = self.condition()
            if not self._take(")"):
                raise self._wrong("a closing parenthesis")
            return test
        return self._comparison()

    def _comparison(self) -> _Test:
        left = self._value()
        sign = self._next()
        if sign not in _COMPARISONS:
            raise self._wrong("a comparison (< <= > >= == !=)")
        self.at += 1
        right = self._value()
        compare = _COMPARISONS[sign]
        return lambda values: compare(left(values), right(values))

    def _value(self) -> _Value:
        word = self._next()
        if not word or word in (*_WORDS, *_COMPARISONS, "(", ")"):
            raise self._wrong("a name or a number")
        self.at += 1
        if not (word[0].isalpha() or word[0] == "_"):
            number = float(word)
            return lambda _: number
        if word not in self.known:
            raise UsageError(
                f"condition {self.text!r}: {word!r} is not known: use {', '.join(self.known)}"
            )
        self.names.append(word)
        return lambda values: values[word]

    def _next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def _take(self, token: str) -> bool:
        taken = self._next() == token
        self.at += taken
        return taken

    def _tokens(self) -> list[str]:
        found, at = [], 0
        while at < len(self.text.rstrip()):
            match = _TOKEN.match(self.text, at)
            if match is None:
                raise UsageError(
                    f"condition {self.text!r}: {self.text[at:].strip()[:20]!r} is neither a name, "
                    f"a number nor a comparison: write for example accuracy_drop > 0.005"
                )
            found.append(match[match.lastgroup or 0])
            at = match.end()
        if len(found) > _MOST_TOKENS:
            raise UsageError(f"condition {self.text[:40]!r}… is too long: split it into several")
        return found

    def _wrong(self, wanted: str) -> UsageError:
        place = f"before {self._next()!r}" if self._next() else "at its end"
        return UsageError(f"condition {self.text!r}: {wanted} is missing {place}")
