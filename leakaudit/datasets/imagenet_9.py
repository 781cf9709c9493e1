"""
Nine-class ImageNet: photographs of nine kinds of animals, with clusters of their textures as private attributes.

Bahng et al., "Learning De-biased Representations with Biased Representations", ICML 2020, section 4.3
(https://github.com/clovaai/rebias): 42 synsets of ImageNet (https://image-net.org), of which the official validation
images are `test`. The three clusterings into nine are those of its file `9class_imagenet_val.csv`, for these images
alone; they carry no names. Images are brought to a square whole; the authors cut one of 224 out of the middle of 256.
"""

from pathlib import Path

import numpy as np

from leakaudit.dataset import Labels
from leakaudit.datasets._reader import home, loads, sheet, splits_of
from leakaudit.errors import InputError
from leakaudit.images.synsets import CLASS_OF, CLASSES, first_of, photographs
from leakaudit.listing import Listing, check_share, classes, held

SPLITS = ("train", "validation", "test")

CLUSTERS = ("cluster1", "cluster2", "cluster3")
NUMBERS = tuple(map(str, range(9)))
UNKNOWN = (-1, -1, -1)
TABLE = "9class_imagenet_val.csv"
FOLDERS = ("imagenet-9", "imagenet", "ImageNet", "imagenet/ILSVRC/Data/CLS-LOC", "ILSVRC/Data/CLS-LOC")
ADVICE = (
    "ImageNet (https://image-net.org, ILSVRC 2012, by registration): put the class folders n02085620, ... of train and "
    f"of val there, each in its own folder, and {TABLE} of https://github.com/clovaai/rebias beside them"
)


def layout(root: Path, *, held_out: float = 0.1) -> Listing:
    """
    `class`, `synset`, and `cluster1` to `cluster3`, missing where the table does not tell them.

    A share of about `held_out` of the training images, by the hash of their names, is `validation`.

    Raises:
        InputError: no such folders are there, or the table contradicts them.
    """
    check_share("imagenet-9", held_out)
    folder = home("imagenet-9", root, FOLDERS, "train/n*", ADVICE)
    seen = photographs([folder / "train"], CLASS_OF)
    kept = photographs([first_of(folder, ("val", "validation"), "imagenet-9", ADVICE)], CLASS_OF)
    names = [f"train/{name}" for name in seen.names] + [f"val/{name}" for name in kept.names]
    synsets = seen.synsets + kept.synsets
    learned = np.arange(len(names)) < len(seen.names)
    table = next((path for path in (folder / TABLE, folder / "clusters" / TABLE) if path.is_file()), None)
    told = {} if table is None else _clusters(table)
    codes = np.array([UNKNOWN] * len(seen.names) + [told.get(name, UNKNOWN) for name in kept.names], dtype=np.int64)
    bare = sum(name not in told for name in kept.names)
    lone = len(set(told) - set(kept.names))
    others, here = seen.others + kept.others, len(set(synsets))
    why = f"{TABLE} is not here" if table is None else f"{TABLE} does not name {bare} of {len(kept.names)} test images"
    notes = {
        "": _said(
            (others, f"{others} files are no images by their names, and were left out"),
            (here < len(CLASS_OF), f"only {here} of the {len(CLASS_OF)} synsets are here"),
        ),
        "test": _said(
            (bare, f"{why}: clusters are missing"),
            (lone, f"{lone} images that {TABLE} names are not here"),
        ),
    }
    return Listing(
        names=names,
        columns={
            "class": classes([CLASS_OF[synset] for synset in synsets], CLASSES),
            "synset": classes(synsets, sorted(CLASS_OF)),
            **{name: Labels(codes[:, at], NUMBERS) for at, name in enumerate(CLUSTERS)},
        },
        splits=held("imagenet-9", names, learned, held_out),
        paths=seen.paths + kept.paths,
        notes=notes,
    )


def _said(*notes: tuple[object, str]) -> tuple[str, ...]:
    """The notes for which there is a reason."""
    return tuple(note for reason, note in notes if reason)


def _clusters(path: Path) -> dict[str, tuple[int, ...]]:
    """The three clusters of each image that the table names."""
    columns = ("path", "category", *CLUSTERS)
    frame = sheet(path, *columns, dtype=str, keep_default_na=False)
    found = {}
    for number, (name, category, *codes) in enumerate(zip(*(frame[each] for each in columns), strict=True), 1):
        if any(code not in NUMBERS for code in codes):
            raise InputError(f"{path}: row {number}: clusters {codes}: three numbers from 0 to 8 expected")
        if CLASS_OF.get(name.split("/", maxsplit=1)[0]) != category:
            raise InputError(f"{path}: row {number}: {name} is said to be a {category}, which its synset is not")
        found[name] = tuple(map(int, codes))
    return found


load, splits = loads("imagenet-9", layout, size=224), splits_of(layout)
