"""
The user's own images in a folder of class folders: FOLDER/<class>/*.jpg, or FOLDER/<split>/<class>/*.jpg.

Splits are train, validation and test, Training, DEV or Testing, in whatever case (`listing.SPELLINGS`).

The folder's name is the label `class`, as in torchvision's ImageFolder; folders further down are labels of their own,
`level2`, `level3`, which an image that lies less deep does not have. Files are images by their suffix (`SUFFIXES`);
what is hidden is passed over, and what is no image, or lies in no class folder, is counted in a note.
"""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from leakaudit import catalog
from leakaudit.datasets._reader import loads, splits_of
from leakaudit.errors import InputError
from leakaudit.listing import SPELLINGS, Listing, classes, dealt, grouped, meant, rows, whose

SPLITS = ("train", "validation", "all", "test")
OWN = True

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".dcm", ".dicom", ".ima")
PLAIN = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""Mean and standard deviation per channel: images enter a network in -1..1."""


def layout(root: Path, *, folder: str = "", group: str | None = None, held_out: float = 0.0) -> Listing:
    """
    `class`, and a label for each level of folders below, of all images in `folder`.

    `folder` is relative to the working directory or to `root`. `group` is the label that says who or what an image
    belongs to: `level2` where each class folder holds a folder for each person. Where no folders say what is tested, a
    share of about `held_out` of all images, or groups, is `test` and the rest `train`, by the hash of their names.

    Raises:
        InputError: there is no such folder, it holds no class folders, or splits and classes side by side.
    """
    home = _home(folder, root)
    found, notes = _images(home, folder)
    divided = _divided(found, folder)
    skip = 1 if divided else 0
    loose = [path for path in found if len(path.parts) < skip + len(("class", "file"))]
    if loose:
        notes.append(f"{len(loose)} images lie in no class folder and were left out, {_shown(loose[0])} the first")
    found = [path for path in found if len(path.parts) >= skip + len(("class", "file"))]
    if not found:
        raise InputError(
            f"{folder}: no images in class folders: {folder}/CLASS/*.jpg or {folder}/train/CLASS/*.jpg expected; "
            f"images whose labels stand elsewhere are named by a table (CSV)"
        )
    levels = [tuple(map(_shown, path.parts[skip:-1])) for path in found]
    columns = {
        "class" if level == 0 else f"level{level + 1}": classes(
            [parts[level] if level < len(parts) else None for parts in levels]
        )
        for level in range(max(map(len, levels)))
    }
    if group is not None and group not in columns:
        raise InputError(f"{folder}: no group label {group!r}. {catalog.suggest(group, columns)}")
    groups = None if group is None else grouped(columns[group])
    names = [f"{home.resolve().name}/{path}" for path in found]
    if divided and held_out:
        raise InputError(f"{folder}: its folders say what is tested; held_out = {held_out} says nothing here")
    if divided:
        said = np.array([meant(path.parts[0]) for path in found])
        splits = {each: rows(said == each) for each in dict.fromkeys(said.tolist())} | {"all": rows(said != "")}
    else:
        splits = dealt("folders", whose(None if group is None else columns[group], names), held_out, folder)
    return Listing(
        names=names,
        columns=columns,
        splits=splits,
        paths=[str(home / path) for path in found],
        group=groups,
        groups=group or "",
        notes={"": tuple(notes)} if notes else {},
    )


def _home(folder: str, root: Path) -> Path:
    if not folder:
        raise InputError("folders: the knob folder = the path of a folder of class folders expected")
    for path in (Path(folder), root / folder):
        if path.is_dir():
            return path
    raise InputError(f"{folder}: no such folder, here or below {root} (--root, LEAKAUDIT_DATA)")


def _images(home: Path, folder: str) -> tuple[list[PurePosixPath], list[str]]:
    """Every image below the folder, relative to it and in order; and what else was found."""
    found, strange, empty = [], Counter[str](), []
    for where, names in _walk(home):
        shown = [name for name in names if not name.startswith(".")]
        images = [name for name in shown if PurePosixPath(name).suffix.lower() in SUFFIXES]
        strange.update(PurePosixPath(name).suffix.lower() or "without a suffix" for name in shown if name not in images)
        found += [where / name for name in images]
        if not images and len(where.parts):
            empty.append(where)
    filled = {parent for path in found for parent in path.parents}
    empty = [where for where in empty if where not in filled]
    notes = []
    if strange:
        kinds = ", ".join(f"{count} {_shown(kind)}" for kind, count in sorted(strange.items()))
        notes.append(f"{strange.total()} files that are no images were left out: {kinds}")
    if empty:
        notes.append(f"{len(empty)} folders hold no image: {', '.join(map(_shown, sorted(empty)[:3]))}")
    if not found and strange:
        raise InputError(f"{folder}: no images ({', '.join(SUFFIXES)}) among {strange.total()} files")
    return sorted(found), notes


def _shown(name: PurePosixPath | str) -> str:
    """A name as text: bytes of it that are not UTF-8 by their numbers."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _walk(home: Path) -> Iterator[tuple[PurePosixPath, list[str]]]:
    """Every folder that is not hidden, relative to `home`, and its files; a link back to where one was is not taken."""
    seen = set()
    for here, folders, names in os.walk(home, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield PurePosixPath(Path(here).relative_to(home).as_posix()), names


def _divided(found: list[PurePosixPath], folder: str) -> bool:
    """
    Whether the folders of the first level are splits.

    Raises:
        InputError: some are and some are not.
    """
    first = sorted({path.parts[0] for path in found if len(path.parts) > 1})
    named = [name for name in first if meant(name) in SPELLINGS]
    if named and len(named) < len(first):
        other = next(name for name in first if name not in named)
        raise InputError(
            f"{folder}: holds splits ({', '.join(named)}) and {other}, which is none: put classes below each split, "
            f"or name no class {named[0]}"
        )
    return bool(named)


load, splits = loads("folders", layout, size=None, channels=PLAIN), splits_of(layout)
