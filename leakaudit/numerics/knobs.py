"""Knobs of methods that a number can be wrong for: refused by name before anything is trained."""

import math

from leakaudit.errors import InputError


def at_least(method: str, least: float, **values: float) -> None:
    """
    Every value is a finite number, and at least `least`.

    Raises:
        InputError: one is not; the message names method, knob and value.
    """
    for name, value in values.items():
        if not math.isfinite(value) or value < least:
            raise InputError(f"{method}: {name} = {value}: at least {least:g} expected")


def above(method: str, bound: float, **values: float) -> None:
    """
    Every value is a finite number above `bound`.

    Raises:
        InputError: one is not; the message names method, knob and value.
    """
    for name, value in values.items():
        if not math.isfinite(value) or value <= bound:
            raise InputError(f"{method}: {name} = {value}: a number above {bound:g} expected")


def at_most(method: str, most: float, **values: float) -> None:
    """
    Every value is a finite number, and at most `most`.

    Raises:
        InputError: one is not; the message names method, knob and value.
    """
    for name, value in values.items():
        if not math.isfinite(value) or value > most:
            raise InputError(f"{method}: {name} = {value}: at most {most:g} expected")


def share(method: str, **values: float) -> None:
    """
    Every value lies in 0..1, 1 excluded.

    Raises:
        InputError: one does not; the message names method, knob and value.
    """
    for name, value in values.items():
        if not 0 <= value < 1:
            raise InputError(f"{method}: {name} = {value}: a number from 0 up to, but not, 1 expected")
