"""Sizes in bytes as people write them on a command line: 262144, 256K, 1M."""

import re

import click

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]?)(?:i?B)?", re.IGNORECASE)


class ByteSize(click.ParamType[int]):
    """A number of bytes, at least one; K, M and G are powers of 1024."""

    name = "SIZE"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Reads a size.

        Example:
            >>> ByteSize().convert("256K", None, None)
            262144
        """
        if isinstance(value, int):
            return value
        found = _SIZE.fullmatch(str(value).strip())
        size = round(float(found[1]) * _UNITS[found[2].upper()]) if found else 0
        if size < 1:
            self.fail(f"{value!r} is no size in bytes, such as 262144, 256K or 1M.", param, ctx)
        return size
