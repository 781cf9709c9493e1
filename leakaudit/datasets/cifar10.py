"""
CIFAR-10: 60,000 photographs of 32x32, in ten classes.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. It has no private attribute of its own:
`animal` tells six of the classes from the four vehicles. Read from the binary version, from the Python version (whose
pickles torchvision compares with their md5 before it opens them), or from pictures of 1,000 images each,
`cifar10_batch_<b>.png` with `labels.npy`, of which those from 50 on are the test images.
"""

import re
from pathlib import Path

import numpy as np

from leakaudit.dataset import Labels
from leakaudit.datasets._reader import home, loads, splits_of
from leakaudit.errors import InputError
from leakaudit.images import cifar, decoding
from leakaudit.images.cifar import Batch
from leakaudit.listing import Listing, check_share, held

SPLITS = ("train", "validation", "test")

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
ANIMALS = ("bird", "cat", "deer", "dog", "frog", "horse")
TRAIN, TEST = 50_000, 10_000
EACH = 10_000
"""Images of each official file."""
PICTURE, FIRST_TEST = 1000, 50
"""Images of each picture, and the number of the first picture of test images."""
FOLDERS = (
    "cifar10", "cifar10/cifar-10-batches-bin", "cifar-10-batches-bin", "cifar10/cifar-10-batches-py",
    "cifar-10-batches-py",
)  # fmt: skip
SIGNS = ("data_batch_1.bin", "data_batch_1", "cifar10_batch_*.png")
ADVICE = (
    "CIFAR-10 (https://www.cs.toronto.edu/~kriz/cifar.html): put the files of the binary version, data_batch_1.bin to "
    "data_batch_5.bin and test_batch.bin, or of the Python version there"
)


def layout(root: Path, *, held_out: float = 0.1) -> Listing:
    """
    `class` and `animal`, of the images of whichever version is there.

    A share of about `held_out` of the training images, by the hash of their numbers, is `validation`.

    Raises:
        InputError: no such files are there, or one is missing, truncated or not the official one.
    """
    check_share("cifar10", held_out)
    folder = home("cifar10", root, FOLDERS, SIGNS, ADVICE)
    names, label, images = cifar.joined(_batches(folder))
    learned = np.array([name.startswith("train/") for name in names])
    lacking = [f"{n} of {all_} {part} images" for part, n, all_ in (
        ("training", int(learned.sum()), TRAIN), ("test", int((~learned).sum()), TEST)) if n != all_]  # fmt: skip
    animal = np.array([name in ANIMALS for name in CLASSES], dtype=np.int64)
    return Listing(
        names=names,
        columns={"class": Labels(label, CLASSES), "animal": Labels(animal[label], ("vehicle", "animal"))},
        splits=held("cifar10", names, learned, held_out),
        images=images,
        notes={"": (f"only {' and '.join(lacking)} are here",)} if lacking else {},
    )


def _batches(folder: Path) -> list[Batch]:
    """The images of whichever version is there."""
    if (folder / SIGNS[0]).exists():
        cifar.agree(folder / "batches.meta.txt", CLASSES)
        return [
            _record(folder, "train", EACH * number, f"data_batch_{number + 1}.bin") for number in range(TRAIN // EACH)
        ] + [_record(folder, "test", 0, "test_batch.bin")]
    if (folder / SIGNS[1]).exists():
        from torchvision.datasets import CIFAR10

        return [Batch(name, 0, *cifar.pickled(folder, CIFAR10, train=name == "train")) for name in ("train", "test")]
    return _pictures(folder)


def _record(folder: Path, name: str, first: int, file: str) -> Batch:
    """The images of one file of the binary version."""
    labels, images = cifar.records(folder / file, 1)
    return Batch(name, first, cifar.known(labels[:, 0], CLASSES, folder / file), images)


def _pictures(folder: Path) -> list[Batch]:
    """The images of pictures whose lines are 32x32 images, in the order of their numbers."""
    file = folder / "labels.npy"
    numbers = {int(found[1]): path for path in folder.iterdir() if (found := _PICTURE.fullmatch(path.name))}
    if not numbers or not file.is_file():
        raise InputError(f"{folder}: {'labels.npy is missing' if numbers else 'no file of a known name'}. {ADVICE}")
    try:
        labels = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{file}: not an array of labels") from error
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise InputError(f"{file}: {labels.ndim} dimensions of {labels.dtype}: a list of whole numbers expected")
    batches = []
    for number, path in sorted(numbers.items()):
        try:
            picture = decoding.decode(path, None)
        except decoding.BROKEN as error:
            raise InputError(f"{path} does not decode: {decoding.why(error)}") from error
        if picture.shape[1] * 3 != cifar.PIXELS:
            raise InputError(f"{path}: {picture.shape[1]} pixels wide: {cifar.PIXELS // 3} expected, an image a line")
        mine = labels[PICTURE * number : PICTURE * number + len(picture)]
        if len(mine) != len(picture):
            raise InputError(f"{file}: no labels for the {len(picture)} images of {path.name}")
        name, first = ("train", number) if number < FIRST_TEST else ("test", number - FIRST_TEST)
        images = picture.reshape(-1, cifar.SIDE, cifar.SIDE, 3).transpose(0, 3, 1, 2)
        batches.append(Batch(name, PICTURE * first, cifar.known(mine, CLASSES, file), images))
    return batches


_PICTURE = re.compile(r"cifar10_batch_(\d+)\.png")

load, splits = loads("cifar10", layout, size=None, channels=cifar.MEAN_STD), splits_of(layout)
