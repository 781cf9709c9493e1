"""
How an image enters a network: its size, its normalisation, and who says so.

Said by the flags `--size`, `--mean` and `--std`, by the ledger, by the library that published the weights, or by the
data set: in this order, each for what those before it leave open. Images are resized to `resize`, or cover it with
their sides in ratio, and the middle, of the input's size, is cut out.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from leakaudit.errors import InputError

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
"""What `--mean imagenet` and `--std imagenet` stand for."""
LARGEST = 4096
"""Pixels of a side; a larger one is a slip of the keyboard."""
TOP = 255.0
FLAGS = {"size": "--size", "mean": "--mean", "std": "--std"}

Numbers = tuple[float, ...]
Size = tuple[int, int]


@dataclass(frozen=True)
class Said:
    """What one source says of how images enter; None where it is silent."""

    source: str
    """In a person's words: `timm's configuration of resnet18.a1_in1k`; empty: the flags, which are named."""
    channels: int | None = None
    size: Size | None = None
    """Height and width of the input."""
    resize: Size | None = None
    """Height and width of which the middle is cut out; None: nothing is cut off. It goes with `size`."""
    mean: Numbers | None = None
    std: Numbers | None = None
    ratio: bool = False
    """Whether images keep the ratio of their sides and cover `resize`, which they do not else. It goes with `size`."""


@dataclass(frozen=True)
class Preprocessing:
    """How images enter, settled."""

    shape: tuple[int, int, int]
    """Channels, height and width of the input."""
    mean: Numbers
    """Of each channel, in 0..1."""
    std: Numbers
    resize: Size | None
    """Height and width of images before their middle, of `shape`, is cut out; None: they come at `shape`."""
    source: str
    """Who says so: `--mean, --std; size: timm's configuration of resnet18.a1_in1k`."""
    ratio: bool = False
    """Whether images keep the ratio of their sides and cover `resize`; else they are brought to just that."""
    distorted: bool = False
    """Whether some images lose the ratio of their sides."""

    def __str__(self) -> str:
        """In words."""
        cut = f", the middle of {_by(self.resize)}" if self.resize and self.resize != self.shape[1:] else ""
        if self.ratio and self.resize:
            square = len(set(self.resize)) == 1
            how = f"whose shorter side is {self.resize[0]}" if square else f"that cover {_by(self.resize)}"
            cut = f", the middle of images {how}"
        if self.distorted:
            cut += ", of" if cut else ","
            cut += " the whole image, its sides not kept in ratio"
        normal = f"mean {_listed(self.mean)}, std {_listed(self.std)}"
        return f"{_by(self.shape)}{cut}; {normal}{f' ({self.source})' if self.source else ''}"


def parse(size: str | None, mean: str | None, std: str | None) -> Said:
    """
    What the flags say: `224` or `224x160` (height x width); a number for each channel, or one for all; `imagenet`.

    One `imagenet` stands for both mean and deviation where the other is not said.

    Raises:
        InputError: it is not of that form, a size is not positive, a mean or deviation is not in 0..1, or none of it.
    """
    both = next((text for text in (mean, std) if text and text.strip().lower() == "imagenet"), None)
    return Said(
        "",
        size=_size(size),
        mean=_numbers("mean", both if mean is None else mean),
        std=_numbers("std", both if std is None else std),
    )


def settled(*said: Said | None, channels: int | None = None) -> Preprocessing:
    """
    How images enter: of each part what the first source that speaks of it says; the most important source first.

    One number stands for every channel. Grey images enter a network for colour as three equal channels, so that a grey
    data set's own normalisation serves each. `channels` are those that the weights take, where that is known.

    Raises:
        InputError: as many numbers are given as there are no channels, or nobody says what is needed.
    """
    heard = [each for each in said if each is not None]
    count = channels or next((each.channels for each in heard if each.channels), None)
    sized = next((each for each in heard if each.size), None)
    parts = {name: next((each for each in heard if getattr(each, name)), None) for name in ("mean", "std")}
    missing = [FLAGS[name] for name, each in {"size": sized, **parts}.items() if each is None]
    if missing or sized is None or sized.size is None:
        raise InputError(f"nobody says how images enter this network: give {', '.join(missing)}")
    count = count or max(len(getattr(each, name)) for name, each in parts.items())
    mean, std = (_spread(name, each, count) for name, each in parts.items())
    ratio = sized.ratio and sized.resize is not None
    resize = None if sized.resize == sized.size and not ratio else sized.resize
    return Preprocessing((count, *sized.size), mean, std, resize, _whose({"size": sized, **parts}), ratio)


def covering(sides: Size, size: Size) -> Size:
    """
    The smallest height and width in the ratio of `sides` that cover `size`.

    Rounded as by torchvision where that is a square, else as by timm.
    """
    (height, width), (tall, wide) = sides, size
    if tall == wide:
        return (tall, int(tall * width / height)) if height <= width else (int(tall * height / width), tall)
    scale = min(height / tall, width / wide)
    return round(height / scale), round(width / scale)


def _whose(sources: dict[str, Said | None]) -> str:
    """Who said what; one source is named alone, flags by themselves."""
    found: dict[str, list[str]] = {}
    for name, each in sources.items():
        if each is not None:
            found.setdefault(each.source, []).append(name)
    flags = ", ".join(FLAGS[name] for name in found.pop("", []))
    if len(found) == 1 and not flags:
        return next(iter(found))
    return "; ".join(filter(None, (flags, *(f"{' and '.join(names)}: {who}" for who, names in found.items()))))


def _spread(name: str, said: Said | None, channels: int) -> Numbers:
    """One number for each channel."""
    values: Numbers = getattr(said, name)
    if len(set(values)) == 1:
        return values[:1] * channels
    if len(values) == channels:
        return values
    assert said is not None
    where = said.source or f"{FLAGS[name]} {_listed(values)}"
    raise InputError(
        f"{where}: {name} of {len(values)} channels; the network takes {channels}: give {FLAGS[name]} with "
        f"{channels} number{'s' * (channels > 1)}"
    )


def _size(text: str | None) -> Size | None:
    if text is None:
        return None
    parts = text.lower().replace("×", "x").split("x")  # noqa: RUF001 (as a person may type it)
    sides = [int(part) for part in parts if re.fullmatch(r"\s*[0-9]{1,9}\s*", part)]
    if len(sides) != len(parts) or len(parts) > 2:  # noqa: PLR2004 (height and width)
        raise InputError(f"--size {text!r}: a side, or height x width, in pixels expected: 224, 224x160")
    if not all(1 <= side <= LARGEST for side in sides):
        raise InputError(f"--size {text}: sides of 1 to {LARGEST} pixels expected")
    return sides[0], sides[-1]


def _numbers(name: str, text: str | None) -> Numbers | None:
    if text is None:
        return None
    if text.strip().lower() == "imagenet":
        return IMAGENET[name]
    flag = FLAGS[name]
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(
            f"{flag} {text!r}: a number for each channel, or one for all, expected, or imagenet, which stands for "
            f"{_listed(IMAGENET[name])}"
        ) from error
    for value in values:
        if name == "std" and value == 0:
            raise InputError(f"{flag} {text}: a deviation above 0 expected")
        if 1 < value <= TOP:
            raise InputError(f"{flag} {value:g}: in 0..1 expected, {value / TOP:.3f} for {value:g}/255")
        if not math.isfinite(value) or not 0 <= value <= 1:
            raise InputError(f"{flag} {value:g}: in 0..1 expected, since images are in 0..1")
    return values


def _by(sides: Iterable[int]) -> str:
    return "x".join(map(str, sides))


def _listed(values: Sequence[float]) -> str:
    """The numbers; one alone where all are equal."""
    return ",".join(f"{value:.4g}" for value in (values[:1] if len(set(values)) == 1 else values))
