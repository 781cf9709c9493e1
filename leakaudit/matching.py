"""
Matching: which tensor of a file fills which tensor of a network, and what is left on either side.

A file's names may stand under one prefix more, or one less, than the network's; both are taken off or put on only where
more of the network is found so, and the match says it. Beside a network that is found whole, what stands under another
prefix than the network's is another part of the file (a loss, a second head) and is left aside. So are running numbers
that no network needs (`COMPUTED`) and the losses and second classifiers that are called so (`ASIDE`).
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from leakaudit.errors import spelt

Shape = tuple[int, ...]
ROWS = 20
"""The most rows of a table, but for the last, which counts the rest."""
COUNTER = "num_batches_tracked"
"""What batch norm counts; files older than torch 0.4.1 lack it, and nothing in evaluation depends on it."""
COMPUTED = (COUNTER, "relative_position_index", "relative_coords_table", "attn_mask", "position_ids", "n_averaged",
            "total_ops", "total_params")  # fmt: skip
"""Last parts of names whose tensors are computed, not learnt: of batch norm, Swin, averaging, profilers."""
ASIDE = re.compile(r"(loss|criterion|metric|optimi[sz]er)\w*\.|(AuxLogits|aux1|aux2|aux_classifier)\.")
"""Beginnings of names that are never layers of a network as it is run: losses, and Inception's second classifiers."""
DOTTED = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")
"""DenseNet's published names have a dot where its layers' names have none since torch 0.4."""


class Misshaped(NamedTuple):
    """A tensor that is there by name and does not fit."""

    name: str
    """Of the network's."""
    wanted: Shape
    found: Shape


@dataclass(frozen=True)
class Match:
    """What of a file fills a network. Names are the network's, those of `unexpected` and `aside` the file's."""

    fills: dict[str, str]
    """The file's name for each tensor that is found and fits."""
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    misshaped: tuple[Misshaped, ...]
    counters: tuple[str, ...] = ()
    """Counters of batch norm that the file lacks: zero."""
    aside: tuple[str, ...] = ()
    """What the file holds beside the network."""
    taken: str = ""
    """Prefix of the file's names that the network's lack."""
    put: str = ""
    """Prefix of the network's names that the file's lack."""
    rivals: tuple[str, ...] = ()
    """Prefixes under which the network is found as well."""
    dotted: bool = False
    """Whether the file has DenseNet's old names."""

    @property
    def whole(self) -> bool:
        """Whether every tensor of the network is found and fits."""
        return not self.missing and not self.misshaped

    @property
    def fits(self) -> bool:
        """Whether the network is found whole, in one place, and nothing of the file is left over."""
        return self.whole and not self.unexpected and not self.rivals

    @property
    def share(self) -> float:
        """Tensors that agree, of all that either side has."""
        known = len(self.fills) + len(self.missing) + len(self.misshaped) + len(self.unexpected)
        return len(self.fills) / known if known else 0.0

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed of a match that fits."""
        said = [f"prefix {spelt(self.taken)} taken off the file's names"] * bool(self.taken)
        said += [f"prefix {spelt(self.put)} put before the file's names"] * bool(self.put)
        said += ["DenseNet's old names read as its new ones"] * self.dotted
        if self.counters:
            said.append(f"{len(self.counters)} counters of batch norm ({COUNTER}) are not in the file: 0")
        said += [f"left aside: {counted(self.aside)}"] * bool(self.aside)
        return tuple(said)


def match(wanted: Mapping[str, Shape], found: Mapping[str, Any]) -> Match:
    """Tensors that the network `wanted` and those that a file holds, which have a `shape`, put together by name."""
    shapes = {name: tuple(tensor.shape) for name, tensor in found.items()}
    best = _tried(wanted, shapes, "", "")
    rivals: list[str] = []
    for taken, put in _prefixes(wanted, shapes):
        tried = _tried(wanted, shapes, taken, put)
        if _rank(tried) > _rank(best):
            best, rivals = tried, []
        elif _rank(tried) == _rank(best) and _much(best) and best.taken and not _equal(best, tried, found):
            rivals.append(taken)
    return best if not rivals else Match(**{**vars(best), "rivals": tuple(rivals)})


def line(found: Match) -> str:
    """What does not fit, in words for one line: counts and first names; empty where all does."""
    shapes = [f"{spelt(each.name)} {list(each.found)} for {list(each.wanted)}" for each in found.misshaped]
    parts = [
        (f"{len(names)} {what} ({', '.join(names[:3])}{', ...' if names[3:] else ''})")
        for what, names in (
            ("missing", [spelt(name) for name in found.missing]),
            ("unknown", [spelt(name) for name in found.unexpected]),
            ("of another shape", shapes),
        )
        if names
    ]
    if found.rivals:
        parts.append(
            f"several such networks, under {', '.join(map(spelt, (found.taken, *found.rivals)))}: save one alone"
        )
    total = len(found.fills) + len(found.missing) + len(found.misshaped)
    return f"{'; '.join(parts)}; of {total} tensors" if parts else ""


def table(found: Match) -> list[tuple[str, str, str, str]]:
    """What does not fit, a row each: what it is, the name, the network's shape, the file's; unshortened."""
    rows = [("of another shape", each.name, _size(each.wanted), _size(each.found)) for each in found.misshaped]
    rows += [("missing", name, "", "") for name in found.missing]
    rows += [("unknown", name, "", "") for name in found.unexpected]
    return rows + [("left aside", name, "", "") for name in found.aside]


def lines(found: Match) -> list[str]:
    """The table as plain lines, at most `ROWS` and one that counts the rest."""
    rows = [(what, spelt(name), size, other) for what, name, size, other in table(found)]
    wide = max((len(name) for _, name, *_ in rows[:ROWS]), default=0)
    text = [
        f"{what:<17} {name:<{wide}}  {f'{other} for {size}' if size else ''}".rstrip()
        for what, name, size, other in rows[:ROWS]
    ]
    return [*text, f"... and {len(rows) - ROWS} more"] if len(rows) > ROWS else text


def counted(names: Iterable[str]) -> str:
    """How many tensors stand under which first part of their names: `loss (1), teacher (62)`."""
    groups = Counter(name.partition(".")[0] for name in names)
    most = 4
    first = [f"{spelt(name)} ({count})" for name, count in groups.most_common(most)]
    return ", ".join(first) + (f" and {len(groups) - most} more" if len(groups) > most else "")


def _rank(found: Match) -> tuple[int, int]:
    """How much is found, by name and shape before name alone."""
    return len(found.fills), len(found.misshaped)


def _much(found: Match) -> bool:
    """Whether more than half of the network is there."""
    return len(found.fills) > len(found.missing) + len(found.misshaped)


def _tried(wanted: Mapping[str, Shape], shapes: Mapping[str, Shape], taken: str, put: str) -> Match:
    """The match under one prefix more, or less."""
    named: dict[str, str] = {}
    dotted = False
    for name in shapes:
        if not name.startswith(taken):
            continue
        new = put + name.removeprefix(taken)
        if new not in wanted:
            plain = DOTTED.sub(r"\1\2", new)
            dotted |= plain != new and plain in wanted
            new = plain
        named[new] = name
    fills: dict[str, str] = {}
    missing: list[str] = []
    counters: list[str] = []
    misshaped: list[Misshaped] = []
    for name, shape in wanted.items():
        if name in named and _same(shapes[named[name]], shape):
            fills[name] = named[name]
        elif name in named:
            misshaped.append(Misshaped(name, tuple(shape), shapes[named[name]]))
        else:
            (counters if _last(name) == COUNTER else missing).append(name)
    there = {name.rpartition(".")[0] for name in (*fills, *(each.name for each in misshaped))}
    missing += [name for name in counters if name.rpartition(".")[0] not in there]
    counters = [name for name in counters if name.rpartition(".")[0] in there]
    rest = [name for name in shapes if name not in {*fills.values(), *(named[each.name] for each in misshaped)}]
    whole = not missing and not misshaped
    aside = [
        name
        for name in rest
        if _last(name) in COMPUTED or ASIDE.match(name.removeprefix(taken)) or (whole and not name.startswith(taken))
    ]
    gone = set(aside)
    return Match(
        fills, tuple(missing), tuple(name for name in rest if name not in gone), tuple(misshaped), tuple(counters),
        tuple(aside), taken, put, (), dotted,
    )  # fmt: skip


def _prefixes(wanted: Mapping[str, Shape], shapes: Mapping[str, Shape]) -> list[tuple[str, str]]:
    """Prefixes that a name of one side has before a name of the other: those of many names first."""
    taken = Counter(head for name in shapes for head, rest in _cut(DOTTED.sub(r"\1\2", name)) if rest in wanted)
    put = Counter(head for name in wanted for head, rest in _cut(name) if rest in shapes)
    some = 6
    return [(name, "") for name, _ in taken.most_common(some)] + [("", name) for name, _ in put.most_common(some)]


def _cut(name: str) -> list[tuple[str, str]]:
    """A name at each of its dots."""
    return [(name[: at + 1], name[at + 1 :]) for at, letter in enumerate(name) if letter == "."]


def _equal(one: Match, other: Match, found: Mapping[str, Any]) -> bool:
    """Whether two matches fill a network with the same numbers, as tied weights do."""
    return all(np.array_equal(found[name], found[other.fills.get(wanted, name)]) for wanted, name in one.fills.items())


def _same(found: Shape, wanted: Shape) -> bool:
    """A counter of one number may have a dimension of 1, or none."""
    return found == tuple(wanted) or {found, tuple(wanted)} == {(), (1,)}


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _size(shape: Shape) -> str:
    return "x".join(map(str, shape)) or "one number"
