"""How large networks are and how long they are trained, by the count of rows and of questions."""

from typing import NamedTuple

MANY = 20_000
"""Rows from which no component is damped, and one network, on one view, is enough."""


class Size(NamedTuple):
    """What is spent."""

    width: int
    epochs: int
    batch: int
    directions: int
    """That begin where means differ, and as many that begin where covariances do."""
    rate: float


SIZES = (
    (4_000, Size(16, 12, 64, 6, 0.04)),
    (MANY, Size(32, 8, 128, 6, 0.04)),
    (float("inf"), Size(64, 3, 512, 12, 0.02)),
)
"""Below so many rows, such a size."""
CROWD = 8
CROWDED = Size(32, 3, 512, 6, 0.02)
"""Beyond so many questions at once about many rows."""


def size(rows: int, questions: int, width: int, epochs: int, rate: float) -> Size:
    """For so many rows and questions; a knob of 0 is chosen here."""
    found = next(found for fewer, found in SIZES if rows < fewer)
    found = CROWDED if rows >= MANY and questions > CROWD else found
    return found._replace(width=width or found.width, epochs=epochs or found.epochs, rate=rate or found.rate)
