"""Differences of accuracy as people read them."""


def points(change: float) -> str:
    """A change of an accuracy in percentage points, with its sign; none is +0.00, never -0.00.

    Args:
        change: as a fraction.

    Example:
        >>> points(0.0125), points(-0.00001)
        ('+1.25', '+0.00')
    """
    return f"{round(100 * change, 2) + 0.0:+.2f}"
