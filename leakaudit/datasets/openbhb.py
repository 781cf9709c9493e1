"""
OpenBHB: brain MRI of more than 5,000 healthy people of ten studies, as measures of regions, to predict age at any site.

Dufumier et al., "OpenBHB: a Large-Scale Multi-Site Brain MRI Data-set for Age Prediction and Debiasing", NeuroImage
2022 (https://baobablab.github.io/bhb), in the layout of its challenge: `train`, and `internal_test` and `external_test`
or both as `test`, each as `.npy` and `.tsv`. A row of an `.npy` holds every measure of a scan one behind the other
(`SIZES`), of which only those asked for are read where they lie; or the measures of regions, or one kind, alone.

Vectors enter less the mean of each measure over the training rows and over its standard deviation. A tenth of the
training people, by the hash of their names, is `validation`. Nobody was trained on the sites of the external test, so
there `site` is missing; the default of an audit, `test`, is the internal one, whose sites are those of the training.
"""

from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from leakaudit import store
from leakaudit.dataset import Dataset, Labels, spell
from leakaudit.datasets._reader import Reading, home, read, sheet, splits_of
from leakaudit.errors import InputError
from leakaudit.images import stored
from leakaudit.images.tensors import Tensors
from leakaudit.listing import Listing, classes, grouped, numbers, rows, spots

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "validation", "external", "test")

FILES = {"train": "train", "internal_test": "test", "external_test": "external", "test": "test"}
"""Each file's own name, and the split of its rows where no column `split` says it."""
SIZES = {
    "vbm": 519_945, "quasiraw": 1_827_095, "xhemi": 1_310_736, "vbm_roi": 284, "desikan": 476, "destrieux": 1_036,
}  # fmt: skip
"""Kinds of measures in the order of a row, and how many numbers each is."""
REGIONS = ("vbm_roi", "desikan", "destrieux")
VALIDATION = 0.1
ADVICE = (
    "OpenBHB (https://baobablab.github.io/bhb, after registration): put train, internal_test and external_test there, "
    "each as .npy and .tsv"
)
SEXES = ("male", "female")
Features = Literal["vbm_roi", "desikan", "destrieux"]


def layout(root: Path, *, features: Features = "vbm_roi") -> Listing:
    """
    `age` in years, `sex` (male, female), `site` and `study`, as far as they are told; a group is a participant.

    `features` are 284 volumes of grey matter and fluid (`vbm_roi`), or 7 measures of each of 68 (`desikan`) or 148
    (`destrieux`) regions of the cortex.

    Raises:
        InputError: the files are not there, disagree, or hold other measures.
    """
    import pandas as pd

    folder = home("openbhb", root, ("openbhb", "OpenBHB"), "train.npy", ADVICE)
    there = [name for name in FILES if (folder / f"{name}.npy").is_file()]
    there = [name for name in there if name != "test" or "internal_test" not in there]
    parts, frames = [], []
    for name in there:
        parts.append(_part(folder / f"{name}.npy", features))
        frame = sheet(folder / f"{name}.tsv", "participant_id", "age", "sex", "site", sep="\t", dtype=str)
        if len(parts[-1]) != len(frame):
            raise InputError(f"openbhb: {name}.npy has {len(parts[-1])} rows, {name}.tsv {len(frame)}")
        said = frame["split"].str.strip() if "split" in frame else pd.Series([name] * len(frame))
        strange = next((word for word in said if word not in FILES), None)
        if strange is not None:
            raise InputError(f"openbhb: {name}.tsv: a split {strange!r} is none of {', '.join(FILES)}")
        frames.append(frame.assign(split=[FILES[word] for word in said]))
    table = pd.concat(frames, ignore_index=True)
    table["site"] = table["site"].mask(table["split"] == "external")
    people = _words(table["participant_id"])
    if None in people:
        raise InputError(f"openbhb: row {people.index(None) + 1} of {' + '.join(there)} has no participant_id")
    part = table["split"].to_numpy()
    held = (part == "train") & (spots("openbhb", people) < VALIDATION)
    named = people if len(set(people)) == len(people) else [f"{person}/{row}" for row, person in enumerate(people)]
    columns = {name: _counted(_words(table[name])) for name in ("site", "study") if name in table}
    ages = numbers(pd.to_numeric(table["age"], errors="coerce").tolist())
    ageless = int((~ages.known).sum())
    sizes = [str((folder / f"{name}.npy").stat().st_size) for name in there]
    return Listing(
        names=[str(name) for name in named],
        columns={
            "age": ages,
            "sex": classes(_sexes(table["sex"]), SEXES),
            **columns,
        },
        splits={
            "train": rows((part == "train") & ~held),
            "validation": rows(held),
            "external": rows(part == "external"),
            "test": rows(part == "test"),
        },
        images=Tensors(tuple(parts), "d", "openbhb"),
        group=grouped(classes(people)),
        groups="participant_id",
        notes={"": (f"of {len(table)} scans, {ageless} have an age that is no number; it is missing",)}
        if ageless
        else {},
        stamp=store.digest(*sizes),
    )


def _part(path: Path, features: str) -> stored.Stored:
    """The measures asked for of every row of a file."""
    whole = stored.plain(path, f"openbhb: {path.name}")
    width = whole.shape[1] if len(whole.shape) == len("nd") else 0
    alone = {name: SIZES[name] for name in REGIONS}
    for kinds in (SIZES, alone, {features: SIZES[features]}):
        if width == sum(kinds.values()) and whole.dtype.kind == "f":
            first, last = dict(zip(kinds, pairwise(accumulate(kinds.values(), initial=0)), strict=True))[features]
            return whole.part(first, last - first) if isinstance(whole, stored.Lines) else whole[:, first:last]
    raise InputError(
        f"openbhb: {path.name} of {whole.dtype} {list(whole.shape)} holds no {features}: rows of {sum(SIZES.values())} "
        f"floats expected, or of {sum(alone.values())} ({', '.join(alone)}), or of {SIZES[features]} ({features} alone)"
    )


def _words(cells: "pd.Series") -> list[str | None]:
    """Text as it is, without stray spaces; whole numbers without their fraction; None where there is none."""
    words = [None if cell != cell else str(cell).strip() for cell in cells]  # noqa: PLR0124 (NaN)
    return [word.removesuffix(".0") if word else None for word in words]


def _counted(words: list[str | None]) -> Labels:
    """Classes that are numbers or words, 9 before 10."""
    return classes(words, sorted({word for word in words if word}, key=lambda word: (len(word), word)))


def _sexes(cells: "pd.Series") -> list[str | None]:
    spelt = {"m": "male", "f": "female"}
    words = [None if word is None else word.lower() for word in _words(cells)]
    return [None if word is None else spelt.get(word, word) for word in words]


def load(split: str, root: Path, *, features: Features = "vbm_roi", rows: int | None = None) -> Dataset:
    """One split of the vectors of `features`, as `layout` says; `rows` keeps so many of them."""
    listing = layout(root, features=features)
    assert isinstance(listing.images, Tensors)
    channels = listing.images.moments(listing.splits["train"])
    how = Reading(source="openbhb", where="openbhb", rows=rows, channels=channels)
    return read(listing, spell("openbhb", load, features=features, rows=rows), split, how)


splits = splits_of(layout)
