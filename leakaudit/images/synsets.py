"""
ImageNet's class folders, and the nine classes that are made of 42 of them.

Deng et al., "ImageNet", CVPR 2009: a folder is named by its synset, `n` and eight digits, and the order of the 1000 is
that of their names. The nine classes are those of Bahng et al., "Learning De-biased Representations with Biased
Representations", ICML 2020, section 4.3 (https://github.com/clovaai/rebias, datasets/imagenet.py).
"""

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path

from leakaudit.errors import InputError

NINE = {
    "dog": ("n02085620", "n02099601", "n02106550", "n02106662", "n02110958"),
    "cat": ("n02123045", "n02123159", "n02123394", "n02123597", "n02124075"),
    "frog": ("n01641577", "n01644373", "n01644900"),
    "turtle": ("n01664065", "n01665541", "n01667114", "n01667778", "n01669191"),
    "bird": ("n01819313", "n01820546", "n01833805", "n01843383", "n01847000"),
    "monkey": ("n02486410", "n02487347", "n02488291", "n02488702", "n02492035"),
    "fish": ("n02607072", "n02640242", "n02641379", "n02643566", "n02655020"),
    "crab": ("n01978287", "n01978455", "n01980166", "n01981276"),
    "insect": ("n02174001", "n02177972", "n02190166", "n02206856", "n02219486"),
}
CLASSES = tuple(NINE)
CLASS_OF = {synset: name for name, synsets in NINE.items() for synset in synsets}
_SYNSET = re.compile(r"n\d{8}")
_IMAGES = (".jpeg", ".jpg", ".png")


@dataclass(frozen=True)
class Photographs:
    """The images of some class folders."""

    paths: list[str]
    names: list[str]
    """`synset/file`: the same wherever the folders lie."""
    synsets: list[str]
    others: int
    """Files in these folders that are no images by their names."""


def folders(place: Path) -> list[str]:
    """The synsets that have a folder in this place."""
    return sorted(path.name for path in place.glob("n*") if _SYNSET.fullmatch(path.name) and path.is_dir())


def photographs(places: Sequence[Path], wanted: Container[str]) -> Photographs:
    """The images of the wanted synsets in these places, by synset and file name."""
    files = sorted(
        (synset, path.name, str(path), path.suffix.lower() in _IMAGES)
        for place in places
        for synset in folders(place)
        if synset in wanted
        for path in (place / synset).iterdir()
    )
    images = [(synset, name, path) for synset, name, path, image in files if image]
    return Photographs(
        paths=[path for _, _, path in images],
        names=[f"{synset}/{name}" for synset, name, _ in images],
        synsets=[synset for synset, _, _ in images],
        others=len(files) - len(images),
    )


def first_of(home: Path, names: Sequence[str], where: str, advice: str) -> Path:
    """
    The first of these folders of `home` in which class folders lie.

    Raises:
        InputError: there is none, as where all images of the validation set still lie in one folder.
    """
    place = next((home / name for name in names if folders(home / name)), None)
    if place is None:
        raise InputError(f"{where}: no class folders n######## in {home / names[0]}. {advice}")
    return place
