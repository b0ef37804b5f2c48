import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tflite_squeeze.comparison.conditions import condition_of
from tflite_squeeze.errors import UsageError

VALUES = {"a": 1.0, "b": 2.0, "drop": -0.25}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("a < b", True),
        ("a > b", False),
        ("a <= 1", True),
        ("a >= 1.5", False),
        ("a == 1", True),
        ("a != 1", False),
        ("drop < -.2", True),
        ("drop > -2.5e-1", False),
        ("1 < 2", True),
        ("not a > b", True),
        ("not not a > b", False),
        ("a > b or b > a", True),
        ("a > b and b > a", False),
        # "and" binds closer than "or", "not" closer than both
        ("a < b or a > b and a > b", True),
        ("(a < b or a > b) and a > b", False),
        ("not a > b and a < b", True),
        ("not (a > b or a < b)", False),
        ("((a < b))", True),
        ("a<b", True),
    ],
)
def test_what_holds(text: str, holds: bool) -> None:
    condition = condition_of(text, VALUES)
    assert condition.holds(VALUES) is holds
    assert condition.text == text


def test_the_names_in_it_in_order() -> None:
    assert condition_of("b > 1 or a > b and 1 < 2", VALUES).names == ("b", "a")


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="'accuracy' is not known: use a, b, drop"):
        condition_of("accuracy > 1", VALUES)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a name or a number is missing at its end"),
        ("a", "a comparison .* is missing at its end"),
        ("a >", "a name or a number is missing at its end"),
        ("a > 1 b", "'and' or 'or' is missing before 'b'"),
        ("(a > 1", "a closing parenthesis is missing at its end"),
        ("a > 1)", "missing before '\\)'"),
        ("a > and", "a name or a number is missing before 'and'"),
        ("a = 1", "'= 1' is neither"),
        ("a > 1 > 2", "missing before '>'"),
        ("a + 1 > 2", "'\\+ 1 > 2' is neither|missing"),
        ("__import__('os') > 1", "is neither"),
        ("__import__ > 1", "is not known"),
        ("a.b > 1", "'.b > 1' is neither"),
        ("a[0] > 1", "is neither"),
        ("a > 1; b", "is neither"),
        ("(" * 150 + "a > 1", "closing parenthesis"),
        ("not " * 300 + "a > 1", "too long"),
    ],
)
def test_what_is_no_condition_is_one_clear_line(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as error:
        condition_of(text, VALUES)
    assert "\n" not in str(error.value)


@settings(max_examples=200, derandomize=True)
@given(st.text(alphabet="ab<>=!()0.5 andornt_e-", max_size=40))
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        condition = condition_of(text, VALUES)
    except UsageError:
        return
    assert condition.holds(VALUES) in (True, False)
