"""
Biased-MNIST: MNIST on coloured backgrounds that agree with the digit in a share rho of the training images.

Bahng et al., "Learning De-biased Representations with Biased Representations", ICML 2020, section 4.2: every pixel that
is not exactly zero becomes white, every other one takes the background colour (`numerics/colours.py`); images enter a
network in -1..1, at 28x28 unless `side` makes them smaller. The test images are coloured with 0.1 (unbiased), or as
`test_rho` says: 1 and 0 are the papers' other two. There is no validation split.
"""

import contextlib
import gzip
import math
import sys
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from leakaudit import catalog
from leakaudit.dataset import BLOCK, Dataset, Images, Labels, Pixels, identify, spell
from leakaudit.errors import InputError
from leakaudit.numerics import colours
from leakaudit.numerics.painting import Painted

SPLITS = ("train", "validation", "test")
PAPER = {"rho": 0.999}
SIDE = 28

_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
_STREAM = {"train": 0, "test": 1, "validation": 3}
"""Each split's own stream of chance; 2 draws rows, and 4 those that are held out."""
_UNSIGNED_BYTE = 8


def load(
    split: str,
    root: Path,
    *,
    rho: float = 0.99,
    test_rho: float = 0.1,
    seed: int = 0,
    rows: int | None = None,
    test_rows: int | None = None,
    held_out: float = 0.0,
    side: int = SIDE,
    download: bool = False,
) -> Dataset:
    """
    One split: `digit` and `colour`.

    `rows` keeps so many images of a split, as many of each digit as its share; they are drawn before colours are
    handed out, so that rho is exact; `test_rows` says it of the test images alone. `held_out` is the share of the
    training images that is `validation` instead, coloured as the test images; `rows` holds for it too. `side` averages
    the coloured images over squares, for a smaller network: 14, 7, 4, 2, 1.
    `download` fetches MNIST through torchvision where it is not there yet.

    Raises:
        InputError: MNIST is not below `root`, or a file of it is damaged; or a knob is out of range.
    """
    if split not in SPLITS:
        raise InputError(f"biased-mnist: no split {split!r}. {catalog.suggest(split, SPLITS)}")
    colours.check_rho(rho, "biased-mnist: rho")
    colours.check_rho(test_rho, "biased-mnist: test_rho")
    if seed < 0:
        raise InputError(f"biased-mnist: seed = {seed}: at least 0 expected")
    for knob, count in (("rows", rows), ("test_rows", test_rows)):
        if count is not None and count < len(colours.COLOURS):
            raise InputError(f"biased-mnist: {knob} = {count}: at least {len(colours.COLOURS)} expected")
    if side < 1 or SIDE % side:
        raise InputError(f"biased-mnist: side = {side}: 28 or a part of it that divides it expected")
    if not 0 <= held_out < 1:
        raise InputError(f"biased-mnist: held_out = {held_out}: a share of the training images below 1 expected")
    if split == "validation" and not held_out:
        raise InputError("biased-mnist: no split 'validation' without the knob held_out")
    source = "test" if split == "test" else "train"
    images, labels = _find(root, source, download=download)
    grey, digit = _idx(images, 3), _idx(labels, 1).astype(np.int64)
    if len(grey) != len(digit):
        raise InputError(f"{images}: {len(grey)} images, but {labels.name} has {len(digit)} labels")
    if held_out and not len(colours.COLOURS) <= round(held_out * len(digit)) <= len(digit) - len(colours.COLOURS):
        raise InputError(
            f"biased-mnist: held_out = {held_out}: {round(held_out * len(digit))} of {len(digit)} images; at least "
            f"{len(colours.COLOURS)} expected on either side"
        )
    there = np.arange(len(digit)) if source == "test" else _dealt(digit, held_out, seed, split)
    wanted = test_rows if split == "test" and test_rows is not None else rows
    kept = there if wanted is None else there[_some(digit[there], wanted, np.random.default_rng([seed, 2]))]
    digit = digit[kept]
    random = np.random.default_rng([seed, _STREAM[split]])
    colour = colours.assign(digit, rho if split == "train" else test_rho, random)
    return Dataset(
        name=spell(
            "biased-mnist", load, rho=rho, test_rho=test_rho, seed=seed, rows=rows, test_rows=test_rows,
            held_out=held_out, side=side,
        ),
        split=split,
        images=_images(Painted(grey[kept], colours.palette()[colour]), side),
        columns={"digit": Labels(digit, tuple(map(str, range(10)))), "colour": Labels(colour, colours.NAMES)},
        ids=identify(f"mnist/{source}", kept),
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
    )  # fmt: skip


def splits(root: Path, *, held_out: float = 0.0, **knobs: object) -> tuple[str, ...]:
    """`validation` is there where a share of the training images is held out."""
    del root, knobs
    return SPLITS if held_out else ("train", "test")


def _dealt(digit: Int64[np.ndarray, " n"], held_out: float, seed: int, split: str) -> Int64[np.ndarray, " m"]:
    """The training images that are held out, an equal share of each digit, or all others."""
    count = round(held_out * len(digit))
    held = _some(digit, count, np.random.default_rng([seed, 4]))
    return held if split == "validation" else np.setdiff1d(np.arange(len(digit)), held)


def _images(whole: Painted, side: int) -> Images:
    """Coloured when they are asked for; smaller ones, which take fewer bytes than drawings, are means of squares."""
    if side == SIDE:
        return whole
    count, channels = len(whole), whole.shape[0]
    parts = [np.empty((0, channels, side, side), np.uint8)]
    for first in range(0, count, BLOCK):
        rows = np.arange(first, min(first + BLOCK, count), dtype=np.int64)
        squares = whole.batch(rows).reshape(len(rows), channels, side, SIDE // side, side, SIDE // side)
        parts.append(np.rint(squares.mean(axis=(3, 5), dtype=np.float32)).astype(np.uint8))
    return Pixels(np.concatenate(parts))


def _some(digit: Int64[np.ndarray, " n"], rows: int, random: np.random.Generator) -> Int64[np.ndarray, " m"]:
    """`rows` images (or all), each digit by its share; what rounding leaves goes to the largest remainders."""
    count = np.bincount(digit, minlength=10)
    share = count * min(rows, len(digit)) / len(digit)
    quota = np.floor(share).astype(np.int64)
    quota[np.argsort(quota - share, kind="stable")[: min(rows, len(digit)) - quota.sum()]] += 1
    parts = [random.permutation(np.flatnonzero(digit == k))[: quota[k]] for k in range(10)]
    return np.sort(np.concatenate(parts))


def _find(root: Path, split: str, *, download: bool) -> tuple[Path, Path]:
    """The two files of a split, plain or gzipped, in the first folder that holds either."""
    homes = (root / "mnist", root / "MNIST" / "raw", root)
    for attempt in (False, True):
        for home in homes:
            found = [
                next((path for path in (home / name, home / f"{name}.gz") if path.is_file()), None)
                for name in _FILES[split]
            ]
            if all(found):
                return found[0], found[1]  # type: ignore[return-value]  # neither is None
            if any(found):
                missing = next(name for name, path in zip(_FILES[split], found, strict=True) if path is None)
                raise InputError(
                    f"{home}: {missing} (or {missing}.gz) is missing beside {next(filter(None, found)).name}"
                )
        if attempt or not download:
            break
        _download(root)
    raise InputError(
        f"biased-mnist: MNIST is not here. Put {' and '.join(_FILES[split])} (or .gz) into {homes[0]}, {homes[1]} or "
        f"{homes[2]}, or download it with the knob download=true"
    )


def _download(root: Path) -> None:
    from torchvision.datasets import MNIST

    try:
        with contextlib.redirect_stdout(sys.stderr):
            MNIST(str(root), download=True)
    except (OSError, RuntimeError) as error:
        why = str(error).splitlines()[0].rstrip(":")
        raise InputError(
            f"biased-mnist: MNIST could not be downloaded ({why}); without a network, put its four idx files into "
            f"{root / 'mnist'}"
        ) from error


def _idx(path: Path, dimensions: int) -> UInt8[np.ndarray, "..."]:
    """An idx file of bytes: two zeros, type, dimensions, the length of each in four bytes, then the numbers."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: truncated, or not a gzip file ({error})") from error
    header = 4 + 4 * dimensions
    if len(data) < header or data[:4] != bytes([0, 0, _UNSIGNED_BYTE, dimensions]):
        raise InputError(f"{path}: not an idx file of {dimensions}-dimensional bytes")
    shape = tuple(int.from_bytes(data[at : at + 4], "big") for at in range(4, header, 4))
    if len(data) != header + math.prod(shape):
        raise InputError(
            f"{path}: truncated: {len(data) - header} bytes where {'x'.join(map(str, shape))} are promised"
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)
