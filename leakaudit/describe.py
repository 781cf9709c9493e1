"""
The describe verb: what a data set can tell of private attributes, before anybody trains on it.

Everything is counted from labels, names and, of few images or where asked, the contents of files, each of which is
decoded once. The rows that are counted, the bins of numbers, the folds and the smallest detectable E are those of an
audit of the same rows.
"""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64, UInt64

from leakaudit import catalog, caveats, crossing, datasets, protocol
from leakaudit.crossing import HANDFUL, Pair
from leakaudit.dataset import Dataset, Labels
from leakaudit.description import Attribute, Description, Groups, Label, Overlap, Split
from leakaudit.embeddings import Embeddings, Origin
from leakaudit.errors import InputError
from leakaudit.images import contents, inspection
from leakaudit.labels import Labelled, labelled

COMPARED = 50_000
"""Images of all splits up to which all are read and their contents compared unasked."""
BLOCK = 4096
"""Images that are read at a time."""
NAMED = 3
"""Images that are named of those that cannot be read, and of copies."""
WHOLE = "all"
"""The split of a user's table that holds every other: described only where it is asked for."""


@dataclass(frozen=True)
class Step:
    """How far it is."""

    done: int
    total: int
    words: str


@dataclass(frozen=True)
class Part:
    """One split, as it was read."""

    data: Dataset
    rows: Embeddings
    """The same rows as an audit has them, with nothing to attack."""
    names: Sequence[object]
    """What each row's group is called, the same in every split; empty without groups."""
    hashes: UInt64[np.ndarray, " n"] | None
    broken: Bool[np.ndarray, " n"] | None = None
    """Which images cannot be read; None where that is not known."""

    def column(self, name: str) -> Labels:
        """One label column."""
        return self.rows.column(name)


@dataclass(frozen=True)
class Scale:
    """A label, and the way from a split's own labels to its classes."""

    label: Label
    ends: np.ndarray | None
    """Where the bins of numbers meet; None where the label has classes."""

    def codes(self, labels: Labels) -> Int64[np.ndarray, " n"]:
        """Labels of any split in these classes, -1 for missing."""
        if self.ends is not None:
            return np.where(labels.known, protocol.cut(np.nan_to_num(labels.values), self.ends)[0], -1)
        code = {name: place for place, name in enumerate(self.label.classes)}
        found: Int64[np.ndarray, " n"] = np.array([*(code[name] for name in labels.classes), -1], np.int64)
        return found[labels.values.astype(np.int64)]


def describe(
    text: str,
    *,
    root: Path,
    target: str,
    private: tuple[str, ...],
    splits: tuple[str, ...] = (),
    group: str | None = None,
    tolerance: float = 0.10,
    compare: bool | None = None,
    seed: int = 0,
) -> Generator[Step, None, Description]:
    """
    What the data set `text` can tell of `private` beyond `target`, in `splits` (all that it names, where none are).

    `compare` reads all images, to find those that cannot be and copies by content; None: where there are few enough.

    Raises:
        InputError: there is no such data set, split or label, or numbers are all the same.
    """
    if not private or len(set(private)) < len(private) or target in private:
        raise InputError(f"--private {' '.join(private)} --target {target}: different labels expected, each once")
    parts, usual, knobs = _read(text, root, (target, *private), splits, group)
    total = sum(len(part.data) for part in parts.values())
    if compare or (compare is None and total <= COMPARED):
        parts = yield from _hashed(parts)
        compared = "all images were read and their contents compared"
    else:
        compared = f"{total:,} images were not read and their contents not compared; --contents reads all of them"
    audited = usual if usual in parts else next(reversed(parts))
    trained = "train" if "train" in parts and audited != "train" else None
    chosen = {name: _chosen(part, private, target) for name, part in parts.items()}
    scale, scales = _scales(parts, audited, private, target)
    names = tuple(parts)
    made = Description(
        data=text,
        target=scale.label,
        tolerance=tolerance,
        audited=audited,
        trained=trained,
        handful=HANDFUL,
        seed=seed,
        splits=tuple(_split(part, scale) for part in parts.values()),
        overlaps=tuple(_overlap(parts[a], parts[b]) for i, a in enumerate(names) for b in names[i + 1 :]),
        compared=compared,
        attributes=tuple(
            _attribute(parts, chosen, name, (scale, scales[name]), tolerance, seed) for name in private
        ),
        knobs=knobs,
    )  # fmt: skip
    return caveats.warned(made)


def _read(
    text: str, root: Path, labels: tuple[str, ...], splits: tuple[str, ...], group: str | None
) -> tuple[dict[str, Part], str, tuple[str, ...]]:
    """The splits, the one that is audited unless told otherwise, and the names of the data set's knobs."""
    call = datasets.named(text, root, "DATA")
    module = catalog.thing("datasets", call.name, "DATA")
    knobs = catalog.check(module.load, call.knobs, f"DATA {call.name}")
    if group and "group" in catalog.knobs(module.load):
        knobs.setdefault("group", group)
    if "shared_groups" in catalog.knobs(module.load):
        knobs.setdefault("shared_groups", "allow")  # they are what a description tells
    there = datasets.splits(module, root, knobs)
    usual: str = module.SPLITS[-1]
    told = sorted((name for name in there if name != WHOLE), key=lambda name: (name == usual) - (name == "train"))
    names = tuple(dict.fromkeys(splits)) or tuple(told) or there
    for name in names:
        if name not in there:
            raise InputError(f"{call.name}: no rows in split {name!r}. {catalog.suggest(name, there)}")
    found = {name: _part(module.load(name, root, **knobs), group, text) for name in names}
    for part in found.values():
        for name in labels:
            part.column(name)
    if knobs.get("skip_unreadable"):  # they are left out already
        found = {name: replace(part, broken=np.zeros(len(part.data), bool)) for name, part in found.items()}
    return found, usual, tuple(catalog.knobs(module.load))


def _part(data: Dataset, group: str | None, text: str) -> Part:
    nothing = np.zeros((len(data), 1), np.float32)
    origin = Origin(f"{text} {data.split}", "file", "", data.name, data.split, data.fingerprint)
    rows = Embeddings(nothing, None, data.columns, data.ids, origin, data.group, data.groups)
    if group and group != data.groups:
        rows = rows.grouped(group)
    if rows.group is None:
        return Part(data, rows, (), None)
    if rows.groups not in data.columns:
        return Part(data, rows, rows.group.tolist(), None)
    labels = data.column(rows.groups)
    names = np.array([*labels.classes, ""], dtype=object)[labels.values] if labels.classes else labels.values
    return Part(data, rows, [name if there else None for name, there in zip(names, labels.known, strict=True)], None)


def _hashed(parts: Mapping[str, Part]) -> Generator[Step, None, dict[str, Part]]:
    """The same with the contents of every image, each read once; copies are one image to an audit, too."""
    found, known, bad = {}, dict[int, int](), set[int]()
    total, done = sum(len(part.data) for part in parts.values()), 0
    for name, part in parts.items():
        data, ids = part.data, part.data.ids.tolist()
        for first in range(0, len(ids), BLOCK):
            block = ids[first : first + BLOCK]
            new = np.array([first + i for i, one in enumerate(block) if one not in known], np.int64)
            known |= zip(data.ids[new].tolist(), data.images.contents(new).tolist(), strict=True)
            if part.broken is None:
                bad |= {*data.ids[new][inspection.unreadable(data.images, new)].tolist()}
            done += len(block)
            yield Step(done, total, f"images of {name}")
        hashes = np.array([known[one] for one in ids], np.uint64)
        _, place, same = np.unique(hashes, return_index=True, return_inverse=True)
        broken = np.array([one in bad for one in ids], bool)
        found[name] = replace(part, hashes=hashes, broken=broken, rows=replace(part.rows, ids=data.ids[place][same]))
    return found


def _chosen(part: Part, private: tuple[str, ...], target: str) -> dict[str, Labelled | str]:
    """The rows that an audit of a split would attack, or why it would be refused."""
    keep = np.ones(len(part.data), bool)
    try:
        return {**labelled(part.rows, keep, private, target)}
    except InputError as error:
        if len(private) == 1:
            return {private[0]: str(error)}
        alone = [_chosen(part, (name,), target) for name in private]
        return {name: each for one in alone for name, each in one.items()}


def _scales(
    parts: Mapping[str, Part], audited: str, private: tuple[str, ...], target: str
) -> tuple[Scale, dict[str, Scale]]:
    """The classes in which all splits are counted; numbers are cut where an audit of `audited` cuts them."""
    known = {name: parts[audited].column(name).known for name in (target, *private)}
    rows = known[target] & np.any([known[name] for name in private], axis=0)
    scales = {name: _scale(parts, audited, name, rows & known[name], protocol.PRIVATE_BINS) for name in private}
    return _scale(parts, audited, target, rows, protocol.TARGET_BINS), scales


def _scale(parts: Mapping[str, Part], audited: str, name: str, rows: np.ndarray, bins: int) -> Scale:
    labels = parts[audited].column(name)
    if labels.classes:
        every = [label for part in (parts[audited], *parts.values()) for label in part.column(name).classes]
        return Scale(Label(name, tuple(dict.fromkeys(every))), None)
    rows = rows if rows.any() else labels.known
    if not rows.any():
        raise InputError(f"{parts[audited].rows.origin.name}: label {name!r} is missing in every row")
    ends = protocol.edges(labels.values[rows], bins, f"{parts[audited].rows.origin.name}: {name!r}")
    classes = protocol.cut(ends, ends)[1]
    return Scale(Label(name, classes, f"numbers, cut into {len(classes)} quantile bins of split {audited}"), ends)


def _split(part: Part, scale: Scale) -> Split:
    data, groups = part.data, None
    broken = [] if part.broken is None else np.flatnonzero(part.broken).tolist()
    if part.rows.group is not None:
        sizes = np.unique(part.rows.group, return_counts=True)[1]
        groups = Groups(part.rows.groups, len(sizes), float(np.median(sizes)), int(sizes.max()))
    return Split(
        split=data.split,
        rows=len(data),
        target_missing=int((scale.codes(data.column(scale.label.name)) < 0).sum()),
        shape=tuple(data.images.shape),
        sizes=inspection.sizes(data.images),
        groups=groups,
        copies=None if part.hashes is None else len(part.hashes) - len(np.unique(part.hashes)),
        notes=data.notes,
        unreadable=None if part.broken is None else len(broken),
        unreadable_examples=tuple(_short(data, row) for row in broken[:NAMED]),
    )


def _short(data: Dataset, row: int) -> str:
    """What an image is called: the end of its path, or its row."""
    return "/".join(Path(contents.named(data.images, row)).parts[-2:])


def _overlap(a: Part, b: Part) -> Overlap:
    groups = None
    if a.rows.group is not None and b.rows.group is not None:
        groups = len(({*a.names} & {*b.names}) - {None})
    shared = len(np.intersect1d(a.data.ids, b.data.ids))
    if a.hashes is None or b.hashes is None:
        return Overlap(a.data.split, b.data.split, shared, groups, None)
    found = contents.found(a.hashes, b.hashes, a.data.images, b.data.images)
    other = ~np.isin(b.data.ids[found.rows], a.data.ids)
    pairs = zip(found.of[other][:NAMED].tolist(), found.rows[other][:NAMED].tolist(), strict=True)
    examples = tuple((_short(a.data, i), _short(b.data, j)) for i, j in pairs)
    return Overlap(a.data.split, b.data.split, shared, groups, int(other.sum()), examples)


def _attribute(
    parts: Mapping[str, Part], chosen: Mapping[str, Mapping[str, Labelled | str]], name: str,
    scales: tuple[Scale, Scale], tolerance: float, seed: int,
) -> Attribute:  # fmt: skip
    numbers = next((place for place, scale in enumerate(scales) if scale.ends is not None), None)
    along = "" if numbers is None else scales[numbers].label.name
    values = {split: part.column(along).values for split, part in parts.items() if along}
    ends = crossing.bars(np.concatenate([*values.values()])) if values else ()
    crosses = []
    pair = Pair(*(scale.label.classes for scale in scales))
    for split, part in parts.items():
        y, v = (scale.codes(part.column(scale.label.name)) for scale in scales)
        found, rows = crossing.cross(split, y, v, pair, part.rows.group, seed), chosen[split]
        if isinstance(said := rows[name], str):
            found = replace(found, refused=said)
        else:
            together = {each: one for each, one in rows.items() if not isinstance(one, str)}
            together = together if len({id(one.target) for one in together.values()}) == 1 else {name: said}
            can = crossing.reach(part.rows, together, name, tolerance, seed)
            found = replace(found, refused=can) if isinstance(can, str) else replace(found, reach=can)
        if numbers is not None:
            bars = crossing.histogram(values[split], (v, y)[numbers], len(pair[1 - numbers]), ends)
            found = replace(found, histogram=bars)
        crosses.append(found)
    return Attribute(scales[1].label, tuple(crosses), (), along, ends)
