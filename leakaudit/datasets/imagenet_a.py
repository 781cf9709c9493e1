"""
ImageNet-A: 7,500 photographs of 200 of ImageNet's classes that networks of its day got wrong; a test set alone.

Hendrycks et al., "Natural Adversarial Examples", CVPR 2021 (https://github.com/hendrycks/natural-adv-examples). `class`
is that of the nine-class ImageNet of Bahng et al., "Learning De-biased Representations with Biased Representations",
ICML 2020, which tests on the images that have one.
"""

import re
from pathlib import Path

import numpy as np

from leakaudit.datasets._reader import home, loads, splits_of
from leakaudit.images.synsets import CLASS_OF, CLASSES, folders, photographs
from leakaudit.listing import Listing, classes

SPLITS = ("test",)

FOLDERS = ("imagenet-a", "ImageNet-A", "imagenet_a", "imagenet-a/imagenet-a")
SYNSETS = 200
ADVICE = (
    "ImageNet-A (https://github.com/hendrycks/natural-adv-examples, imagenet-a.tar): put its 200 folders n01498041, "
    "... and README.txt there"
)
_NAMED = re.compile(r"^(n\d{8})\s+(.+?)\s*$", re.MULTILINE)


def layout(root: Path, *, nine: bool = False) -> Listing:
    """
    `class`, of nine, missing for images of other synsets, and `synset`, named as in README.txt where that is there.

    With `nine`, only images that have one of the nine classes.

    Raises:
        InputError: no such folders are there.
    """
    folder = home("imagenet-a", root, FOLDERS, "n*", ADVICE)
    there = folders(folder)
    found = photographs([folder], [synset for synset in there if not nine or synset in CLASS_OF])
    readme = folder / "README.txt"
    text = readme.read_text(encoding="utf-8", errors="replace") if readme.is_file() else ""
    words = {synset: name for synset, name in _NAMED.findall(text) if synset in there}
    plain = len(set(words.values())) == len(there)
    notes = [f"{found.others} files are no images by their names, and were left out"] if found.others else []
    notes += [f"only {len(there)} of the {SYNSETS} synsets are here"] if len(there) < SYNSETS else []
    return Listing(
        names=found.names,
        columns={
            "class": classes([CLASS_OF.get(synset) for synset in found.synsets], CLASSES),
            "synset": classes(
                [words[synset] if plain else synset for synset in found.synsets],
                [words[synset] if plain else synset for synset in there],
            ),
        },
        splits={"test": np.arange(len(found.names), dtype=np.int64)},
        paths=found.paths,
        notes={"": tuple(notes)},
    )


load, splits = loads("imagenet-a", layout, size=224), splits_of(layout)
