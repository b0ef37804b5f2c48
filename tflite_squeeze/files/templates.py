"""Text for other tools (Kotlin, C, Gradle, READMEs) and pages, written by Jinja2 templates.

A package keeps its templates in a folder `templates`. Each has the name of the kind of file that it
writes with `.j2` behind it, and reads as that file does; Python only prepares the values.
"""

from collections.abc import Callable, Mapping

import jinja2


def environment(
    package: str, filters: Mapping[str, Callable[..., str]], *, html: bool = False
) -> jinja2.Environment:
    """The templates of a package.

    A name that a template uses and that was not given is an error, and a line that holds only a tag
    leaves nothing behind.

    Args:
        package: the package's full name; its folder `templates` holds the templates.
        filters: what turns values into the language's names, literals and comments.
        html: whether they write HTML, so that values are escaped.

    Returns:
        The environment that loads them by name.

    Example:
        >>> environment("tflite_squeeze.android", {}).get_template("README.md.j2").name
        'README.md.j2'
    """
    found = jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=html,  # noqa: S701 - the other languages are not HTML
    )
    found.filters.update(filters)
    found.policies["json.dumps_kwargs"] = {"sort_keys": False}  # readers want the given order
    return found
