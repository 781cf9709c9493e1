"""
A dossier: what a file is, before anybody audits it.

A pure record, in which texts out of the file are as the file has them; `examine` makes it, `render` tames and shows it.
"""

from dataclasses import dataclass
from typing import Any

from leakaudit import record


@dataclass(frozen=True)
class Held:
    """A tensor in the file."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Kin:
    """A known network that has such tensors."""

    backbone: str
    """As it is typed."""
    share: float
    """Tensors that agree in name and shape, of all that either side has; classes and channels do not count."""
    exact: bool
    headless: bool = False
    """Whether the network's classifier alone is missing."""
    channels: int = 3
    """Of the images that such tensors take."""


@dataclass(frozen=True)
class Unmatched:
    """A tensor that is not where the network wants it."""

    what: str
    """`missing`, `unknown`, `of another shape` or `left aside`."""
    name: str
    wanted: str
    """Shape in the network; empty where that has none such."""
    found: str
    """Shape in the file, where it is another."""


@dataclass(frozen=True)
class Fit:
    """How the tensors match the network that was named."""

    backbone: str
    filled: int
    wanted: int
    """Tensors of the network, counters of batch norm that the file lacks not counted."""
    unmatched: tuple[Unmatched, ...]
    notes: tuple[str, ...]
    trouble: str = ""
    """Why the weights do not fit, in one line; empty where they do."""


@dataclass(frozen=True)
class Layer:
    """A layer of the network, in the order in which layers run."""

    name: str
    """As `--layer` takes it."""
    kind: str
    shape: tuple[int, ...]
    """
    Of what it puts out for one image; the last time, where it runs several times. Of a graph whatever is known of it,
    the axis of images included: 0 is a size that is not known.
    """
    parameters: int
    depth: int
    """Dots in its name."""
    bottleneck: bool = False
    """Whether its input is the bottleneck; of a graph, whether what it puts out is."""


@dataclass(frozen=True)
class Anatomy:
    """The layers of a network, for one image of a size."""

    shape: tuple[int, ...]
    """Channels, height and width of that image."""
    layers: tuple[Layer, ...]
    classifier: str
    """Name of the layer whose input is the bottleneck; empty for a graph."""
    width: int
    """Numbers of the bottleneck."""
    classes: int


@dataclass(frozen=True)
class Dossier:
    """What a file is."""

    name: str
    """As it was typed."""
    what: str
    """`weights`, `network`, `graph`, `checkpoint`, `embeddings` or `audit`."""
    file_format: str
    """In a person's words: `torch zip`."""
    size: int
    """Bytes of the file, or of the folder's weights; 0: there is none."""
    sha256: str
    facts: tuple[tuple[str, str], ...] = ()
    """What else is known of it, each by its name."""
    taken_off: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    tensors: tuple[Held, ...] = ()
    parameters: int = 0
    """Numbers in all tensors."""
    layout: str = ""
    """How a residual network is built, in words."""
    kin: tuple[Kin, ...] = ()
    sought: str = ""
    """How far a known network was looked for, where none was found."""
    fit: Fit | None = None
    anatomy: Anatomy | None = None
    next: str = ""
    """The command to type next."""


def document(made: Dossier) -> dict[str, Any]:
    """The dossier as a JSON document of format 1."""
    parts: dict[str, Any] = record.to_json(made)
    return {"format": 1, "kind": "dossier", **parts}
