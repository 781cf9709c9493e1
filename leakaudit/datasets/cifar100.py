"""
CIFAR-100: 60,000 photographs of 32x32, in a hundred classes of twenty superclasses.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. It has no private attribute of its own;
`superclass` is the coarse label. Read from the binary version, or from the Python version, whose pickles torchvision
compares with their md5 before it opens them and of which it gives the class alone.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Int64

from leakaudit.dataset import Labels
from leakaudit.datasets._reader import home, loads, splits_of
from leakaudit.errors import InputError
from leakaudit.images import cifar
from leakaudit.images.cifar import Batch
from leakaudit.listing import Listing, check_share, held

SPLITS = ("train", "validation", "test")

SUPERCLASSES = {
    "aquatic_mammals": "beaver dolphin otter seal whale",
    "fish": "aquarium_fish flatfish ray shark trout",
    "flowers": "orchid poppy rose sunflower tulip",
    "food_containers": "bottle bowl can cup plate",
    "fruit_and_vegetables": "apple mushroom orange pear sweet_pepper",
    "household_electrical_devices": "clock keyboard lamp telephone television",
    "household_furniture": "bed chair couch table wardrobe",
    "insects": "bee beetle butterfly caterpillar cockroach",
    "large_carnivores": "bear leopard lion tiger wolf",
    "large_man-made_outdoor_things": "bridge castle house road skyscraper",
    "large_natural_outdoor_scenes": "cloud forest mountain plain sea",
    "large_omnivores_and_herbivores": "camel cattle chimpanzee elephant kangaroo",
    "medium_mammals": "fox porcupine possum raccoon skunk",
    "non-insect_invertebrates": "crab lobster snail spider worm",
    "people": "baby boy girl man woman",
    "reptiles": "crocodile dinosaur lizard snake turtle",
    "small_mammals": "hamster mouse rabbit shrew squirrel",
    "trees": "maple_tree oak_tree palm_tree pine_tree willow_tree",
    "vehicles_1": "bicycle bus motorcycle pickup_truck train",
    "vehicles_2": "lawn_mower rocket streetcar tank tractor",
}
COARSE = tuple(SUPERCLASSES)
OF = {word: place for place, words in enumerate(SUPERCLASSES.values()) for word in words.split()}
CLASSES = tuple(sorted(OF))
"""The official order is that of the alphabet."""
IMAGES = {"train": 50_000, "test": 10_000}
CHANNELS = ((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761))
FOLDERS = (
    "cifar100", "cifar100/cifar-100-binary", "cifar-100-binary", "cifar100/cifar-100-python", "cifar-100-python"
)  # fmt: skip
ADVICE = (
    "CIFAR-100 (https://www.cs.toronto.edu/~kriz/cifar.html): put the files of the binary version, train.bin and "
    "test.bin, or of the Python version there"
)


def layout(root: Path, *, held_out: float = 0.1) -> Listing:
    """
    `class` and `superclass`, of the images of whichever version is there.

    A share of about `held_out` of the training images, by the hash of their numbers, is `validation`.

    Raises:
        InputError: no such files are there, or one is missing, truncated or not the official one.
    """
    check_share("cifar100", held_out)
    folder = home("cifar100", root, FOLDERS, ("train.bin", "train"), ADVICE)
    binary = (folder / "train.bin").exists()
    names, label, images = cifar.joined(
        [_records(folder, name) if binary else _pickled(folder, name) for name in IMAGES]
    )
    learned = np.array([name.startswith("train/") for name in names])
    lacking = [f"{n} of {IMAGES[name]} {name} images" for name, n in (
        ("train", int(learned.sum())), ("test", int((~learned).sum()))) if n != IMAGES[name]]  # fmt: skip
    return Listing(
        names=names,
        columns={"class": Labels(label, CLASSES), "superclass": Labels(coarse()[label], COARSE)},
        splits=held("cifar100", names, learned, held_out),
        images=images,
        notes={"": (f"only {' and '.join(lacking)} are here",)} if lacking else {},
    )


def coarse() -> Int64[np.ndarray, " 100"]:
    """The superclass of each class."""
    return np.array([OF[word] for word in CLASSES], dtype=np.int64)


def _records(folder: Path, name: str) -> Batch:
    """The images of a file of the binary version, whose two label bytes must tell one story."""
    path = folder / f"{name}.bin"
    cifar.agree(folder / "fine_label_names.txt", CLASSES)
    cifar.agree(folder / "coarse_label_names.txt", COARSE)
    labels, images = cifar.records(path, 2)
    fine, told = cifar.known(labels[:, 1], CLASSES, path), cifar.known(labels[:, 0], COARSE, path)
    wrong = np.flatnonzero(coarse()[fine] != told)
    if len(wrong):
        row = int(wrong[0])
        raise InputError(
            f"{path}: image {row + 1} is of class {CLASSES[fine[row]]}, but said to be of {COARSE[told[row]]}"
        )
    return Batch(name, 0, fine, images)


def _pickled(folder: Path, name: str) -> Batch:
    """The images of a file of the Python version."""
    from torchvision.datasets import CIFAR100

    return Batch(name, 0, *cifar.pickled(folder, CIFAR100, train=name == "train"))


load, splits = loads("cifar100", layout, size=None, channels=CHANNELS), splits_of(layout)
