"""
Likeness: which known networks have the tensors of a stranger's file, by names and shapes.

Candidates are those of `kindred`. They are built without numbers (`numerics.weightless`) for a few seconds of processor
time: one of each family, then those of the family that agrees most. What agrees is counted by `matching`; rows of the
classifier and channels of the images are not: they are the data's.
"""

import math
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from leakaudit import catalog, kindred, matching
from leakaudit.backbones import bottleneck
from leakaudit.catalog import Call
from leakaudit.errors import InputError
from leakaudit.matching import Match, Misshaped, Shape
from leakaudit.numerics.weightless import Weightless

SECONDS = 3.0
"""Processor time for all candidates together."""
LEAST = 0.5
"""Share of tensors that have to agree for a network to be named."""
NAMED = 5
"""Networks that are named, at most."""
SIDE = 224
"""Height and width for which networks are built that do not fix them."""
SHARED = {"resnet18", "resnet50", "densenet121"}
"""Backbones of this project whose tensors are also those of a model of torchvision."""
SIDES = (SIDE, 32, 28, 64)
"""Heights and widths that are tried where nobody says one and the network is of no library."""
CLASSES = 1000
"""Of ImageNet, for which libraries publish."""
FRESH = "--partial (its classifier is then fresh: what it says of the target is chance)"
"""What is typed beside a backbone for a file that has no classifier."""
CHANNELS = (1, 2, 3, 4)
"""Of images, as the shapes of a first convolution tell."""


@dataclass(frozen=True)
class Likeness:
    """How like a known network the tensors of a file are."""

    call: Call
    """As it is typed after `--backbone`."""
    share: float
    """Tensors that agree, of all that either side has."""
    exact: bool
    """Whether all do."""
    headless: bool
    """Whether all that the file has does, and the network's classifier alone is missing."""
    channels: int
    """Of the images, as the first convolution of the file has them; that of a network without one: 3."""


@dataclass(frozen=True)
class Search:
    """What was found, and how far it was looked for."""

    found: tuple[Likeness, ...]
    """Best first, at most `NAMED`."""
    looked: int
    """Networks that were compared."""
    families: bool
    """Whether any of timm's families has such names."""


def known(tensors: Mapping[str, Any], hint: str = "", seconds: float = SECONDS) -> list[Likeness]:
    """The networks most like the tensors, as `searched` finds them."""
    return list(searched(tensors, hint, seconds).found)


def searched(tensors: Mapping[str, Any], hint: str = "", seconds: float = SECONDS) -> Search:
    """
    The networks most like the tensors (whatever has a `shape`), best first, at most `NAMED`.

    `hint` is any text that may hold a model's name: a file's name, a backbone as it was typed.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    found: dict[str, Likeness | None] = {}
    if not shapes:
        return Search((), 0, families=False)
    until = time.process_time() + seconds
    families = False
    for library in kindred.LIBRARIES:
        if _enough(found, library):
            break
        start = time.process_time()
        shelf = kindred.shelf(library, shapes, hint)
        until += time.process_time() - start  # to import a library is not to compare
        families = families or (library == "timm" and any(shelf))
        promise = {place: 1.0 for place, group in enumerate(shelf) if group}
        while promise and time.process_time() <= until:
            place = max(promise, key=promise.__getitem__)
            call, *shelf[place] = shelf[place]
            if str(call) not in found:
                found[str(call)] = _like(call, shapes)
            if _enough(found, call.name):
                break
            like = found[str(call)]
            before = promise[place] if promise[place] < 1 else 0.0
            promise[place] = max(before, like.share if like is not None else 0.0)
            if not shelf[place]:
                del promise[place]
    for like in [each for each in found.values() if each is not None and (each.exact or each.headless)]:
        found |= {str(twin): _like(twin, shapes) for twin in kindred.twins(like.call) if str(twin) not in found}
    order = {"torchvision": 0, "timm": 2}
    near = [each for each in found.values() if each is not None and each.share >= LEAST]
    near.sort(key=lambda each: (not each.exact, not each.headless, -each.share, order.get(each.call.name, 1)))
    return Search(tuple(near[:NAMED]), len(found), families)


def sought(search: Search) -> str:
    """How far a network was looked for, in words; timm's models are counted where any was looked at."""
    many = f"{search.looked} known network{'s' * (search.looked != 1)}"
    timm = f"not with all {kindred.models():,} of timm" if search.families else "none of timm has such names"
    return f"compared with {many}; {timm}"


def _enough(found: Mapping[str, Likeness | None], library: str) -> bool:
    """Whether a network is found, so that no more of the library need be looked at."""
    whole = {text for text, like in found.items() if like is not None and (like.exact or like.headless)}
    return bool(whole - SHARED or (whole and library == "timm"))


def hint(tensors: Mapping[str, Any], given: Call, found: Match, shape: tuple[int, ...]) -> str:
    """A clause on why weights do not fit the backbone that was typed, and what they would; empty: nothing is known."""
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    data = _data(found, shape)
    if data:
        return data
    like = known(tensors, str(given))
    exact = [each for each in like if each.exact and each.call != given]
    headless = [each.call for each in like if each.headless]
    built = layout(shapes)
    if headless and not exact:
        name = str(given if given in headless else headless[0])
        return f"These are the tensors of {name} without its classifier: --backbone {name} {FRESH}"
    if exact:
        name, *others = [str(each.call) for each in exact[:3]]
        also = f" (and of {', '.join(others)})" if others else ""
        return f"These are the tensors of {name}{also}{f', {built}' if built else ''}: --backbone {name}"
    if like and like[0].call != given:
        near = f"Nearest is {like[0].call}, of which {like[0].share:.0%} agree"
        return f"{near}{f'; the file has {built}' if built else ''}"
    return f"The file has {built}" if built else ""


def size(call: Call) -> tuple[int, int] | None:
    """Height and width of the images that a library's model was made for; None where nobody says."""
    if call.name == "timm":
        import timm

        made = timm.get_pretrained_cfg(str(call.knobs.get("model", "")))
        return (made.input_size[1], made.input_size[2]) if made else None
    return (SIDE, SIDE) if call.name == "torchvision" else None


def entrances(call: Call, tensors: Mapping[str, Any], side: tuple[int, int] | None) -> Iterator[tuple[int, int, int]]:
    """Shapes of images that a network with such tensors may take, the likeliest first; `side` is one that is said."""
    first = next((each.shape for each in tensors.values() if each.ndim == 4), ())  # noqa: PLR2004 (a convolution)
    flat = next((each.shape[1] for each in tensors.values() if each.ndim == 2), 0)  # noqa: PLR2004 (a matrix)
    likely = [channels for channels in (first[1:2] or (3,)) if channels in (1, 3, 4)] or [3]
    if side is not None:
        yield from ((channels, *side) for channels in dict.fromkeys((*likely, 1, 3)))
        return
    if not first and flat:
        yield from (
            (c, math.isqrt(flat // c), math.isqrt(flat // c)) for c in (1, 3) if math.isqrt(flat // c) ** 2 * c == flat
        )
    published = size(call)
    yield from ((channels, *published) for channels in likely if published)
    sides = SIDES if call.name not in ("cifar-resnet", "simple-convnet") else SIDES[1:]
    yield from ((channels, each, each) for each in sides for channels in dict.fromkeys((*likely, 3, 1)))


def layout(shapes: Mapping[str, Shape]) -> str:
    """How a residual network is built, as the names of its tensors say; empty where it is none."""
    convolutions: dict[int, dict[int, int]] = {}
    for name, shape in shapes.items():
        part = re.search(r"layer(\d+)\.(\d+)\.conv\d+\.weight$", name)
        if part and len(shape) == 4:  # noqa: PLR2004 (a convolution)
            blocks = convolutions.setdefault(int(part[1]), {})
            blocks[int(part[2])] = blocks.get(int(part[2]), 0) + 1
    if not convolutions:
        return ""
    counts = [len(blocks) for blocks in convolutions.values()]
    inside = {each for blocks in convolutions.values() for each in blocks.values()}
    kind = {2: "basic", 3: "bottleneck"}.get(inside.pop() if len(inside) == 1 else 0, "residual")
    words = {1: "one stage", 2: "two stages", 3: "three stages", 4: "four stages"}
    stages = words.get(len(counts), f"{len(counts)} stages")
    blocks_said = str(counts[0]) if len(set(counts)) == 1 else ", ".join(map(str, counts))
    said = f"{stages} of {blocks_said} {kind} blocks"
    if len(counts) == 3 and kind == "basic" and len(set(counts)) == 1:  # noqa: PLR2004 (as in section 4.2)
        said += f": a residual network for CIFAR, 6n + 2 = {6 * counts[0] + 2} layers"
    return said


def _data(found: Match, shape: tuple[int, ...]) -> str:
    """That it is the images that are others, in channels or in size, where that is so; empty where it is not."""
    if found.missing or found.unexpected or len(found.misshaped) != 1:
        return ""
    each = found.misshaped[0]
    if re.search(r"pos_embed(ding)?$", each.name) and each.wanted[-1:] == each.found[-1:]:
        tokens = [size[-2] - extra for extra in (0, 1, 2) for size in (each.wanted, each.found)]
        for here, there in zip(tokens[::2], tokens[1::2], strict=True):
            side, rest = divmod(shape[1] * math.isqrt(there), math.isqrt(here))
            if math.isqrt(here) ** 2 == here and math.isqrt(there) ** 2 == there and not rest:
                return f"Its positions are those of images of {side}x{side}: --size {side}"
    if not _first(each):
        return ""
    if each.found[1] == 1:
        return (
            f"Its first convolution takes images of 1 channel, and these have {shape[0]}: grey images are needed; "
            "convert them (only the other way, grey images enter a network of 3 channels by themselves)"
        )
    return f"Its first convolution takes images of {each.found[1]} channels, and these have {shape[0]}"


def _first(each: Misshaped) -> bool:
    """Whether only the channels of a first convolution differ."""
    wanted, found = each.wanted, each.found
    maps = len(wanted) == len(found) == 4  # noqa: PLR2004 (out, in, height, width)
    return maps and wanted[0] == found[0] and wanted[2:] == found[2:] and wanted[1] in CHANNELS and found[1] in CHANNELS


def _like(call: Call, shapes: Mapping[str, Shape]) -> Likeness | None:
    """How like one network the tensors are; None where it cannot be built."""
    built = _sketch(call, shapes)
    if built is None:
        return None
    network, layer = built
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    tensors = {name: _Shaped(shape) for name, shape in shapes.items()}
    found = matching.match(wanted, tensors)
    spared = [each for each in found.misshaped if _first(each) or _rows(each, layer)]
    agreeing = len(found.fills) + len(spared)
    total = agreeing + len(found.missing) + len(found.misshaped) - len(spared) + len(found.unexpected)
    stem = [each.found[1] for each in spared if _first(each)]
    head = bool(found.missing) and all(name.startswith(f"{layer}.") for name in found.missing)
    headless = head and agreeing > 0 and total == agreeing + len(found.missing)
    share = agreeing / total if total else 0.0
    return Likeness(call, share, agreeing == total, headless, stem[0] if stem else 3)


@dataclass(frozen=True)
class _Shaped:
    """A tensor without numbers."""

    shape: Shape


def _rows(each: Misshaped, layer: str) -> bool:
    """Whether only the classes of the classifier differ."""
    return each.name.startswith(f"{layer}.") and each.wanted[1:] == each.found[1:]


def _sketch(call: Call, shapes: Mapping[str, Shape]) -> tuple[nn.Module, str] | None:
    """A network without numbers and its classifier, for images of the size that it was made for."""
    shape = (3, SIDE, SIDE)
    if call.name == "mlp":
        shape = (1, 1, next(shape[1] for name, shape in shapes.items() if kindred.end(name) == "features.0.weight"))
    if call.name == "timm":
        import timm

        made = timm.get_pretrained_cfg(call.knobs["model"])
        shape = made.input_size if made else shape
    module = catalog.thing("backbones", call.name)
    try:
        with Weightless():
            network: nn.Module = module.build(2, shape, **call.knobs)
            return network, bottleneck(module, network)
    except (InputError, RuntimeError, TypeError, ValueError, AssertionError, KeyError, AttributeError):
        return None
