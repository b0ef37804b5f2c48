"""Text from template files."""

import jinja2
import pytest

from tflite_squeeze.files.templates import environment

TEMPLATES = environment("tflite_squeeze.android", {"shout": str.upper})


def test_a_line_of_tags_leaves_nothing_and_the_end_of_the_text_stays() -> None:
    template = TEMPLATES.from_string(
        "int a;\n  {% if more %}\n  int {{ b | shout }};\n  {% endif %}\n"
    )
    assert template.render(more=True, b="b") == "int a;\n  int B;\n"
    assert template.render(more=False) == "int a;\n"


def test_a_name_that_nobody_gave_is_an_error() -> None:
    for text in ("{{ missing }}", "{% if missing %}{% endif %}", "{{ 'x' ~ given.missing }}"):
        with pytest.raises(jinja2.UndefinedError, match="missing"):
            TEMPLATES.from_string(text).render(given={})


def test_nothing_is_escaped_but_what_a_filter_escapes() -> None:
    assert TEMPLATES.from_string("{{ text }}").render(text='List<Int> && "x"') == 'List<Int> && "x"'
