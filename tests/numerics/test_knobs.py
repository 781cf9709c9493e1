"""A number that no method can mean is refused by its name, and its neighbour is not."""

import math
from collections.abc import Callable

import pytest

from leakaudit.errors import InputError
from leakaudit.numerics.knobs import above, at_least, at_most, share

NUMBERS = (math.nan, math.inf, -math.inf, -1.0, 0.0, 1.0, 2.0)
BOUNDS: dict[str, tuple[Callable[..., None], tuple[float, ...]]] = {
    "at least 0": (lambda **knob: at_least("m", 0, **knob), (0.0, 1.0, 2.0)),
    "at least 1": (lambda **knob: at_least("m", 1, **knob), (1.0, 2.0)),
    "above 0": (lambda **knob: above("m", 0, **knob), (1.0, 2.0)),
    "at most 1": (lambda **knob: at_most("m", 1, **knob), (-1.0, 0.0, 1.0)),
    "share": (lambda **knob: share("m", **knob), (0.0,)),
}


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize("value", NUMBERS)
def test_a_bound_refuses_what_is_outside_and_nothing_else(name: str, value: float) -> None:
    """NaN and infinity are always outside; the message holds method, knob and value in one line."""
    check, inside = BOUNDS[name]
    if value in inside:
        check(alpha=1.0 if name != "share" else 0.5, beta=value)
        return
    with pytest.raises(InputError) as error:
        check(alpha=1.0 if name != "share" else 0.5, beta=value)
    assert str(error.value).startswith(f"m: beta = {value}: ")
    assert "expected" in str(error.value)
