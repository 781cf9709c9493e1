"""How numbers are written: percent with one decimal, E with three, bits with two, and never a minus zero."""

from collections.abc import Sequence
from typing import Any

from leakaudit.render import Difference, _measures
from leakaudit.stats import Interval


def percent(share: float) -> str:
    """`47.1`: a share in percent, without the sign."""
    return _plain(f"{100 * share:.1f}")


def three(figure: float) -> str:
    """`0.412`: E."""
    return _plain(f"{figure:.3f}")


def _plain(text: str) -> str:
    return text.removeprefix("-") if not text.strip("-0.") else text


def bounds(interval: Interval, *, of: str = "E") -> str:
    """`[0.392, 0.432]`, in the unit of the figure: `E`, `%`, `points`, `bits`, `dB`, or `any` where it is not known."""
    return f"[{figure(interval.low, of)}, {figure(interval.high, of)}]"


def change(difference: Difference) -> tuple[str, str]:
    """A difference and its bounds, each with its sign."""
    unit = _measures.unit(difference.figure)
    value, *ends = [f"{'+' * (part > 0)}{figure(part, unit)}" for part in difference.difference]
    return value, f"[{ends[0]}, {ends[1]}]"


def tau(tolerance: float) -> str:
    """`0.10`: a tolerance, with the digits it was given."""
    return max(f"{tolerance:.2f}", f"{tolerance:g}", key=len)


def figure(value: float, of: str) -> str:
    """One figure in its unit's digits."""
    if of == "any":
        return number(value)
    if of in ("%", "points"):
        return percent(value)
    return three(value) if of in ("E", "SSIM", "AUC") else _plain(f"{value:.2f}")


def with_bounds(interval: Interval, of: str = "E") -> str:
    """`0.412 [0.392, 0.432]`."""
    return f"{figure(interval.value, of)}{' %' * (of == '%')} {bounds(interval, of=of)}"


def number(value: float) -> str:
    """`6.12`, `41.3`, `1,204`: a figure in a unit that is not known, in three digits or all before the point."""
    if value == 0 or 1e-3 <= abs(value) < 1e9:  # noqa: PLR2004 (what is read without a power of ten)
        large = abs(value)
        digits = 0 if large >= 100 else 1 if large >= 10 else 2 if large >= 1 else 3  # noqa: PLR2004 (three digits)
        return _plain(f"{value:,.{digits}f}")
    return f"{value:.3g}"


def about(rows: int) -> str:
    """`400`, `1,200`: a count in two digits."""
    return f"{int(float(f'{rows:.1e}')):,}"


def p_value(p: float) -> str:
    """`p < 0.001`, or `p 0.012`."""
    return "p < 0.001" if p < 0.001 else f"p {p:.3f}"  # noqa: PLR2004 (three digits)


def joined(parts: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1]))) if parts else ""


def plain(value: Any) -> str:
    """Any JSON value as words."""
    if isinstance(value, dict) and any(isinstance(part, dict) for part in value.values()):
        return "; ".join(f"{key} ({words})" if (words := plain(part)) else str(key) for key, part in value.items())
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(part)}" for key, part in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(plain(part) for part in value)
    return "" if value is None else str(value)


def can_tell(difference: Interval) -> bool:
    """Whether zero lies outside the interval."""
    return difference.low > 0 or difference.high < 0
