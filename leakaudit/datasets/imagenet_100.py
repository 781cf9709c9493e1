"""
ImageNet-100: a hundred classes of ImageNet.

The choice of Tian et al., "Contrastive Multiview Coding", ECCV 2020 (https://github.com/HobbitLong/CMC,
`imagenet100.txt`), or of whoever made the copy: the classes are those that a list names where one lies beside the
folders, else those that have a folder. Read from folders `train` and `val`, or from the four parts `train.X1` to
`train.X4`, `val.X` and `Labels.json` of https://www.kaggle.com/datasets/ambityga/imagenet100. The official validation
images are `test`.
"""

import json
from pathlib import Path

import numpy as np

from leakaudit.datasets._reader import home, loads, plain, splits_of
from leakaudit.errors import InputError
from leakaudit.images.synsets import first_of, folders, photographs
from leakaudit.listing import Listing, check_share, classes, held

SPLITS = ("train", "validation", "test")

CLASSES = 100
LISTS = ("Imagenet100.txt", "imagenet100.txt", "ImageNet100.txt")
FOLDERS = (
    "imagenet-100", "imagenet100", "ImageNet100", "imagenet", "ImageNet", "imagenet/ILSVRC/Data/CLS-LOC",
    "ILSVRC/Data/CLS-LOC",
)  # fmt: skip
ADVICE = (
    "ImageNet-100 (https://www.kaggle.com/datasets/ambityga/imagenet100, or ImageNet of https://image-net.org with the "
    "list imagenet100.txt of https://github.com/HobbitLong/CMC): put the class folders of train (or train.X1 to "
    "train.X4) and val (or val.X) there, with Labels.json or the list"
)


def layout(root: Path, *, held_out: float = 0.1) -> Listing:
    """
    `synset`, and `class`, named as in Labels.json where that is there, else by its synset; in the order of synsets.

    A share of about `held_out` of the training images, by the hash of their names, is `validation`.

    Raises:
        InputError: no such folders are there, a list cannot be read, or more classes are there than a hundred.
    """
    check_share("imagenet-100", held_out)
    folder = home("imagenet-100", root, FOLDERS, "train*/n*", ADVICE)
    places = sorted(folder.glob("train*"))
    words = _words(folder)
    there = sorted({synset for place in places for synset in folders(place)})
    chosen = _chosen(folder, words) or there
    if len(chosen) > CLASSES:
        raise InputError(
            f"imagenet-100: {folder} has {len(chosen)} classes: put {LISTS[1]}, the list of a hundred, beside them"
        )
    seen = photographs(places, chosen)
    kept = photographs([first_of(folder, ("val.X", "val", "validation"), "imagenet-100", ADVICE)], chosen)
    names = [f"train/{name}" for name in seen.names] + [f"val/{name}" for name in kept.names]
    learned = np.arange(len(names)) < len(seen.names)
    synsets = seen.synsets + kept.synsets
    others, here = seen.others + kept.others, len(set(seen.synsets))
    notes = [f"{others} files are no images by their names, and were left out"] if others else []
    notes += [f"only {here} of the {CLASSES} classes are here"] if here < CLASSES else []
    named = _distinct({synset: words.get(synset, synset) for synset in chosen})
    return Listing(
        names=names,
        columns={
            "class": classes([named[synset] for synset in synsets], list(named.values())),
            "synset": classes(synsets, list(named)),
        },
        splits=held("imagenet-100", names, learned, held_out),
        paths=seen.paths + kept.paths,
        notes={"": tuple(notes)},
    )


def _words(folder: Path) -> dict[str, str]:
    """What Labels.json calls each synset."""
    path = folder / "Labels.json"
    if not path.is_file():
        return {}
    try:
        said = json.loads(plain(path))
    except ValueError as error:
        raise InputError(f"{path}: not JSON: {error}") from error
    if not isinstance(said, dict) or not all(isinstance(words, str) and words.strip() for words in said.values()):
        raise InputError(f"{path}: a table from synset to words expected")
    return {synset: words.split(",")[0].strip() for synset, words in said.items()}


def _chosen(folder: Path, words: dict[str, str]) -> list[str]:
    """The synsets that a list of them names, or Labels.json; none where neither is there."""
    path = next((folder / name for name in LISTS if (folder / name).is_file()), None)
    return sorted(words if path is None else set(plain(path).split()))


def _distinct(named: dict[str, str]) -> dict[str, str]:
    """The names, with the synset added where two share one."""
    count: dict[str, int] = {}
    for name in named.values():
        count[name] = count.get(name, 0) + 1
    return {synset: name if count[name] == 1 else f"{name} ({synset})" for synset, name in named.items()}


load, splits = loads("imagenet-100", layout, size=224), splits_of(layout)
