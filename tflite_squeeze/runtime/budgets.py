"""What a file may take, and what it takes too much of."""

from collections.abc import Iterable


def exceeded(checks: Iterable[tuple[str, int, int | None]]) -> tuple[str, ...]:
    """The budgets that are exceeded, one line each.

    Args:
        checks: what takes ("the arena takes"), how many bytes, and how many it may; None for any.

    Example:
        >>> exceeded([("the arena takes", 2048, 1024), ("the file takes", 9, None)])
        ('the arena takes 2,048 bytes, the budget is 1,024',)
    """
    return tuple(
        f"{what} {used:,} bytes, the budget is {most:,}"
        for what, used, most in checks
        if most is not None and used > most
    )
