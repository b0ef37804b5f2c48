"""Names and literals that Kotlin accepts."""

import re
from collections.abc import Sequence

# Words that are no names in Kotlin, or in the Java that Android's tools generate.
_KEYWORDS_TEXT = """
    abstract as assert boolean break byte case catch char class const continue default do double
    else enum extends false final finally float for fun goto if implements import in instanceof int
    interface is long native new null object package private protected public return short static
    strictfp super switch synchronized this throw throws transient true try typealias typeof val
    var void volatile when while
"""
_KEYWORDS = frozenset(_KEYWORDS_TEXT.split())
# Names that the class itself uses where parameters are seen.
_RESERVED_TEXT = """
    close classify continuing direct interpreter labels mapped model normalized options quantized
    run value
"""
_RESERVED = frozenset(_RESERVED_TEXT.split())
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def is_package(name: str) -> bool:
    """Whether a name can be an application's package.

    Example:
        >>> is_package("com.example.app"), is_package("com.new.app")
        (True, False)
    """
    parts = name.split(".")
    return len(parts) > 1 and all(
        _IDENTIFIER.fullmatch(part) and part not in _KEYWORDS for part in parts
    )


def is_asset_name(name: str) -> bool:
    """Whether a name can begin the names of assets, and of a class."""
    return re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name, re.ASCII) is not None


def class_name(name: str) -> str:
    """A name as Kotlin writes classes.

    Example:
        >>> class_name("lenet_5")
        'Lenet5'
    """
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def camel_names(names: Sequence[str], what: str, taken: Sequence[str] = ()) -> list[str]:
    """Names as Kotlin writes parameters, each of them once.

    Args:
        names: any text.
        what: what a name becomes that has no letter, or is a word of the language or the class.
        taken: names that are none of these.

    Example:
        >>> camel_names(["serving_default_x:0", "class", "serving default x 0"], "input")
        ['servingDefaultX0', 'input1', 'servingDefaultX02']
    """
    camels: list[str] = []
    for position, name in enumerate(names):
        words = re.findall(r"[A-Za-z0-9]+", name)
        joined = "".join([words[0], *(w[:1].upper() + w[1:] for w in words[1:])]) if words else ""
        camel = joined.lstrip("0123456789")
        camel = camel[:1].lower() + camel[1:]
        if not camel or camel in _KEYWORDS or camel in _RESERVED:
            camel = f"{what}{position}"
        number, unique = 1, camel
        while unique.lower() in (one.lower() for one in (*taken, *camels)):
            number += 1
            unique = f"{camel}{number}"
        camels.append(unique)
    return camels


def string_literal(text: str) -> str:
    r"""Text as a Kotlin literal.

    Example:
        >>> string_literal('a "$b"')
        '"a \\"\\$b\\""'
    """
    escaped = []
    for character in text:
        if character in '"\\$':
            escaped.append("\\" + character)
        elif character.isascii() and character.isprintable():
            escaped.append(character)
        else:
            units = character.encode("utf-16-be")
            pairs = (units[at : at + 2] for at in range(0, len(units), 2))
            escaped.extend(f"\\u{int.from_bytes(pair):04x}" for pair in pairs)
    return f'"{"".join(escaped)}"'


def constant_name(identifier: str) -> str:
    """A parameter's name as Kotlin writes constants.

    Example:
        >>> constant_name("imageSize")
        'IMAGE_SIZE'
    """
    return "".join(f"_{c}" if c.isupper() else c for c in identifier).upper()


def comment(text: str) -> str:
    """Text that cannot end a comment, or begin another."""
    shown = "".join(c if c.isprintable() else " " for c in text)
    return shown.replace("*/", "* /").replace("/*", "/ *")
