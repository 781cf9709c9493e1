"""
A layer as it is typed: what of a network's inside is read.

`--layer layer4`, `--layer fc:at=input`, `--layer layer3:pool=flatten`: a name of `named_modules()`, and two knobs.
"""

from typing import Literal, NamedTuple

from leakaudit import catalog

At = Literal["output", "input"]
Pool = Literal["mean", "max", "flatten"]


class Layer(NamedTuple):
    """A layer, the side of it that is read, and how a map becomes a vector."""

    name: str
    at: At = "output"
    pool: Pool = "mean"
    """
    Over places: those of a map (n, c, h, w), the tokens of (n, t, d). `flatten` keeps every number of it. A vector
    (n, d) stays as it is.
    """

    def __str__(self) -> str:
        """As it is typed, defaults left out."""
        knobs = ",".join([f"at={self.at}"] * (self.at != "output") + [f"pool={self.pool}"] * (self.pool != "mean"))
        return f"{self.name}:{knobs}" if knobs else self.name


def parse(text: str, where: str = "--layer") -> Layer:
    """
    `NAME[:KNOBS]` as a layer.

    Raises:
        InputError: a part is not `knob=value`, or there is no such knob or value.
    """
    call = catalog.parse(text, where)
    return Layer(call.name, **catalog.check(_knobs, call.knobs, f"{where} {call.name}"))


def _knobs(*, at: At = "output", pool: Pool = "mean") -> None:
    """The knobs of a layer."""
