"""
A stranger's network: what a file, what a library published, what the ledger says and what flags say make together.

Flags come before the ledger, the ledger before the library's configuration, that before the data set.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from leakaudit import catalog, likeness, network, opening, own_code, preprocessing
from leakaudit.catalog import Call
from leakaudit.dataset import Dataset, distorted, keeping
from leakaudit.encoder import Encoder
from leakaudit.errors import InputError, RefusedError
from leakaudit.graphs import graph
from leakaudit.layer import Layer
from leakaudit.layer import parse as layered
from leakaudit.ledgers.ledger import Entry
from leakaudit.preprocessing import Said, Size
from leakaudit.unwrapping import Weights

COLOUR = 3
Load = Callable[[Size | None], Dataset]
"""The images, at a height and width where somebody says one."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What is said of the network on the command line."""

    backbone: str | None = None
    layer: tuple[str, ...] = ()
    """Layers to be read, as they were typed; none: the classifier's input."""
    size: str | None = None
    mean: str | None = None
    std: str | None = None
    partial: bool = False
    """Whether layers that the weights file lacks may stay fresh."""
    device: str = "cpu"
    target: str | None = None

    @property
    def enters(self) -> Said:
        """How images enter, as the flags say it."""
        return preprocessing.parse(self.size, self.mean, self.std)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers to be read."""
        return tuple(map(layered, dict.fromkeys(self.layer)))


class Stranger(NamedTuple):
    """An encoder, the images it is shown, and what an audit says of where it comes from."""

    encoder: Encoder
    dataset: Dataset
    about: dict[str, Any]
    """For the audit's `subject`."""
    classes: tuple[str, ...] = ()
    """Of its target, in the order of its logits; empty where nobody says."""
    promised: str = ""
    """The ledger's entry, where that says so; empty: the library, or nobody."""


def of_file(path: Path, terms: Terms, load: Load, entry: Entry | None = None, sha256: str = "") -> Stranger:
    """
    A file of weights in a backbone, or an ONNX graph; `sha256`: what it was when it was fetched.

    Raises:
        InputError: there is no such file, backbone, knob or layer, or the weights do not fit the backbone.
        RefusedError: the file is truncated, unsafe, or foreign.
    """
    weights = opening.read(path, sha256)
    if entry is not None and entry.rename:
        said = ", ".join(f"{old!r} is {new!r}" for old, new in entry.rename.items())
        note = f"the ledger says what tensors' names begin with: {said}"
        weights = replace(weights, tensors=entry.renamed(weights.tensors), notes=(*weights.notes, note))
    typed = terms.backbone or (entry.backbone if entry else "")
    if not typed and weights.format == "ONNX":
        return _of_graph(path, weights, terms, load, entry)
    if not typed:
        near = [each for each in likeness.known(weights.tensors) if each.exact or each.headless]
        fits = [(f"{each.call}", f"{each.call}{f' {likeness.FRESH}' * each.headless}") for each in near]
        which = (
            f"these are the tensors of {fits[0][0]}: --backbone {fits[0][1]}" if fits else "--backbone NAME expected"
        )
        no_z = "no array z, so no embeddings; " if weights.format == "safetensors" else ""
        question = f"{no_z}which network do these weights fill? {which}"
        raise InputError(f"{path}: {question}; leakaudit inspect {path} says more")
    library, code = None, None
    if own_code.named(typed):
        code, call = own_code.parse(typed)
    else:
        call = catalog.call("backbones", typed, "--backbone")
        if call.name in catalog.SHELVES:
            library = _library(call, _size(terms, entry), {"pretrained": False}).preprocessing
    kernels = [each.shape[1] for each in weights.tensors.values() if each.ndim > COLOUR]
    load = cache(load)
    made = _prepared(terms, load, _of_ledger(entry), library, channels=COLOUR if COLOUR in kernels else None)
    name = f"{entry.name if entry else path.stem}@{weights.sha256[:8]}"
    source = Encoder(
        name=name, kind="weights", backbone=call, classes=0, weights=weights.tensors, code=code,
        partial=terms.partial, layers=_layers(terms, entry), notes=_read(weights), **made.fields,
    )  # fmt: skip
    if made.dataset.images.shape[0] == 1 != source.shape[0] and kernels and _takes_grey(source, COLOUR in kernels):
        made = _prepared(terms, load, _of_ledger(entry), library, channels=1)
        source = replace(source, **made.fields)
    source = network.fitted(replace(source, told=_told(terms, entry, made.dataset)))
    return Stranger(source, made.dataset, _about(call, entry, weights), *_classes(entry, source))


def of_library(text: str, terms: Terms, load: Load, entry: Entry | None = None) -> Stranger:
    """
    A model as timm or torchvision publishes it: `timm:resnet18`, `torchvision:resnet50`.

    Raises:
        InputError: there is no such model, its weights are not to be had, or there is no such layer.
        RefusedError: the weights are damaged.
    """
    if terms.backbone is not None:
        raise InputError(f"{text}: a published model is its own backbone; --backbone is for weights files")
    call = catalog.call("backbones", text, text)
    library = _library(call, _size(terms, entry), {})
    channels = library.preprocessing.channels
    made = _prepared(terms, load, _of_ledger(entry), library.preprocessing, channels=channels)
    random = library.tensors is None
    source = Encoder(
        name=f"{library.name}@{library.sha256[:8] or 'random'}", kind="random-init" if random else "published",
        backbone=call, classes=library.classes, weights=library.tensors,
        layers=_layers(terms, entry), notes=library.notes, **made.fields,
    )  # fmt: skip
    about = {"backbone": str(call), **({} if random else {"file_sha256": library.sha256})}
    about |= {} if entry is None else entry.told
    return Stranger(source, made.dataset, about, *_classes(entry, source, library.names))


def _of_graph(path: Path, weights: Weights, terms: Terms, load: Load, entry: Entry | None) -> Stranger:
    """An ONNX graph, which is its own network."""
    layers, classes = _layers(terms, entry), len(entry.classes) if entry and entry.classes else None
    known = graph.describe(path, layers=layers, classes=classes)
    size = (known.shape[1], known.shape[2]) if known.shape[1] and known.shape[2] else None
    said = Said(f"the graph {path.name}", channels=known.shape[0], size=size)
    if known.raw:
        said = replace(said, mean=(0.0,), std=(1.0,))
    made = _prepared(terms, load, _of_ledger(entry), said, channels=known.shape[0])
    found = graph.describe(path, made.fields["shape"], terms.device, layers, classes)
    if found.sha256 != weights.sha256:
        raise RefusedError(f"{path}: changed while it was read")
    source = Encoder(
        name=found.name, kind="onnx", backbone=Call("onnx", {}), classes=found.classes, weights=None, code=path,
        layer=found.layer, layers=layers, notes=found.notes, **made.fields,
    )  # fmt: skip
    about = _about(Call("onnx", {}), entry, weights)
    return Stranger(source, made.dataset, about, *_classes(entry, source))


def of_module(network: nn.Module, name: str, terms: Terms, load: Load) -> Stranger:
    """
    A network that a program holds in memory, which is its own backbone.

    Raises:
        InputError: a flag is no size, mean or deviation, or the images cannot be read.
    """
    kernels = [each.shape[1] for each in network.parameters() if each.ndim > COLOUR]
    made = _prepared(terms, load, channels=COLOUR if kernels[:1] == [COLOUR] else None)
    call = Call(f"{type(network).__module__}.{type(network).__qualname__}", {})
    source = Encoder(
        name=name, kind="module", backbone=call, classes=0, weights=None, module=network, layers=terms.layers,
        told=_told(terms, None, made.dataset), **made.fields,
    )  # fmt: skip
    return Stranger(source, made.dataset, {"backbone": str(call)})


@dataclass(frozen=True)
class _Prepared:
    """The images, and the fields of an encoder that say how they enter."""

    dataset: Dataset
    fields: dict[str, Any] = field(default_factory=dict)


def _prepared(terms: Terms, load: Load, *said: Said | None, channels: int | None) -> _Prepared:
    """The images at the size that somebody says, else at their own, and how they enter."""
    typed, heard = terms.enters, [each for each in (terms.enters, *said) if each is not None]
    if (typed.mean is None) != (typed.std is None) and not any(each.mean for each in heard[1:]):
        one, other = ("--std", "--mean") if typed.mean is None else ("--mean", "--std")
        raise InputError(f"{one} without {other}: what one model was trained with goes together; give both")
    sized = next((each.resize or each.size for each in heard if each.size), None)
    dataset = load(sized)
    count, *sides = dataset.images.shape
    own = Said("the data set", count, (sides[0], sides[1]), None, dataset.mean, dataset.std)
    found = preprocessing.settled(*heard, own, channels=channels)
    fields: dict[str, Any] = {"shape": found.shape, "mean": found.mean, "std": found.std, "prepared": found.source}
    if found.ratio and found.resize:
        images = keeping(dataset.images, found.resize, found.shape[1:])
        fields |= {"resize": found.resize, "ratio": True, "distorted": distorted(images)}
        return _Prepared(replace(dataset, images=images), fields)
    resize = found.resize or (None if tuple(sides) == found.shape[1:] else found.shape[1:])
    torn = resize is not None and sides[0] * resize[1] != sides[1] * resize[0]
    return _Prepared(dataset, {**fields, "resize": resize, "distorted": torn or distorted(dataset.images)})


def _of_ledger(entry: Entry | None) -> Said | None:
    """How images enter, as the ledger says it."""
    if entry is None:
        return None
    flags = entry.flags
    said = preprocessing.parse(flags.get("size"), flags.get("mean"), flags.get("std"))
    return replace(said, source=f"the ledger's entry {entry.name}")


def _told(terms: Terms, entry: Entry | None, data: Dataset) -> int:
    """How many classes the target has: the ledger's, else those of the data set; 0 where neither says."""
    if entry is not None and entry.classes:
        return len(entry.classes)
    labels = data.columns.get(terms.target or (entry.target if entry else ""))
    return len(labels.classes) if labels is not None else 0


def _classes(entry: Entry | None, source: Encoder, known: tuple[str, ...] = ()) -> tuple[tuple[str, ...], str]:
    """
    The classes in the order of the logits, and the ledger that says so; `known`: those that a library says.

    A single logit may stand between two classes.

    Raises:
        InputError: the ledger names one twice, or as many as the network has no logits.
    """
    if entry is None or not entry.classes:
        return known, ""
    where = f"{entry.ledger} [{entry.name}]: classes"
    twice = next((name for at, name in enumerate(entry.classes) if name in entry.classes[:at]), None)
    if twice is not None:
        raise InputError(f"{where}: {twice[:60]!r} stands there twice")
    logits = source.classes
    if source.kind == "weights" and not any(
        f".{name}".endswith(f".{source.layer}.weight") for name in source.weights or {}
    ):
        logits = 0  # nobody knows
    count = len(entry.classes)
    if logits and count != logits and (logits, count) != (1, 2):
        raise InputError(f"{where}: {count} named, the network has {logits} outputs; name each, in their order")
    return entry.classes, f"the ledger's entry {entry.name}"


def _size(terms: Terms, entry: Entry | None) -> Size | None:
    """The size that flags or the ledger say."""
    said = _of_ledger(entry)
    return terms.enters.size or (said.size if said else None)


def _takes_grey(source: Encoder, coloured: bool) -> bool:  # noqa: FBT001 (whether any kernel takes three channels)
    """
    Whether the weights of an encoder of three channels are those of a network for grey images.

    They are where none of their kernels takes three channels; or where the network for grey images has a first kernel
    of one channel, as networks list them, and the file none of three in its place.
    """
    if not coloured:
        return True
    try:
        found, wanted = network.compared(replace(source, shape=(1, *source.shape[1:]), mean=(0.0,), std=(1.0,)))
    except InputError:
        return False
    first = next((shape for shape in wanted.values() if len(shape) > COLOUR), ())
    other = [each for each in found.misshaped if len(each.found) > COLOUR and each.found[1] == COLOUR]
    return first[1:2] == (1,) and not any(each.wanted[1:2] == (1,) for each in other)


def _library(call: Call, size: Size | None, more: dict[str, Any]) -> Any:
    """What a library publishes of a model."""
    module = catalog.thing("backbones", call.name)
    knobs = catalog.check(module.published, {**call.knobs, **more}, str(call))
    return module.published(size, **knobs)


def _layers(terms: Terms, entry: Entry | None) -> tuple[Layer, ...]:
    """The layers that flags name, else the ledger's."""
    return terms.layers or ((layered(entry.layer),) if entry is not None and entry.layer else ())


def _read(weights: Weights) -> tuple[str, ...]:
    """How the file was read, for a reader of the audit."""
    off = f"; taken off: {', '.join(weights.taken_off)}" if weights.taken_off else ""
    return (f"weights read as {weights.format}{off}", *weights.notes)


def _about(call: Call, entry: Entry | None, weights: Weights) -> dict[str, Any]:
    """What the audit's `subject` says of a file."""
    said = {"backbone": str(call), "format": weights.format, "file_sha256": weights.sha256, "bytes": weights.size}
    if entry is not None:
        said |= entry.told
    return {name: value for name, value in said.items() if value}
