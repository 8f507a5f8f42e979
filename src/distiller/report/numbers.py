"""How numbers are written."""

import math

MINUS = "\N{MINUS SIGN}"


def share(value: float) -> str:
    """A part of a whole, in per cent."""
    return f"{_typeset(100 * value, 'z.1f')}%"


def points(difference: float) -> str:
    """A difference of two shares, in points, always with its sign."""
    return _typeset(100 * difference, "+z.1f")


def p_value(p: float) -> str:
    """One that is too small to tell is said to be below a thousandth."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def between(low: float, high: float) -> str:
    """Two ends in per cent, as a note in brackets; empty if either is not known."""
    if math.isnan(low) or math.isnan(high):
        return ""
    return f" ({_typeset(100 * low, 'z.1f')} to {_typeset(100 * high, 'z.1f')})"


def correlation(value: float) -> str:
    """A correlation."""
    return _typeset(value, "z.2f")


def whole(count: float) -> str:
    """How many, to be said before what is counted."""
    return "an unknown number of" if math.isnan(count) else f"{count:.0f}"


def _typeset(value: float, form: str) -> str:
    # `z`: no sign before a zero that was a little below.
    return format(value, form).replace("-", MINUS)
