"""The network of an encoder, with its weights in it: built by a backbone, a user's own code or an ONNX graph."""

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from leakaudit import catalog, likeness, matching, own_code
from leakaudit.backbones import bottleneck
from leakaudit.encoder import Encoder
from leakaudit.errors import InputError, LeakauditError, RefusedError, spelt
from leakaudit.graphs import graph
from leakaudit.matching import Match, Shape
from leakaudit.numerics import classifier, redrawn
from leakaudit.numerics.weightless import Weightless

SHOWN, LEAST = 5, 0.5
"""Names in a message; share of the numbers below the classifier that a partial load must fill, to be worth an audit."""
APART = 1 << 30
"""Between the seeds of a network and of what is drawn anew in it: code may keep what it drew with a small seed."""


class UndrawnError(InputError):
    """There is no network without training: the user's code loads numbers that no layer draws anew."""


def of(encoder: Encoder) -> tuple[nn.Module, str]:
    """
    The network, and the name of its classifier, whose input is the bottleneck.

    Raises:
        InputError: there is no such backbone or knob, it does not take such images, the user's code fails, or the
            weights do not fit the backbone that the user named.
        RefusedError: the weights of a checkpoint do not fit its own backbone.
    """
    network, layer = _built(encoder)
    if encoder.weights is not None:
        wanted = shapes(network)
        found = matching.match(wanted, encoder.weights)
        _check(encoder, found, wanted, layer)
        _check_kinds(encoder, network, found)
        fill(network, encoder.weights, found)
    return network, layer


def fitted(encoder: Encoder) -> Encoder:
    """
    The encoder of a stranger's weights with what they tell: number of classes, classifier and notes on how they fit.

    The classes are the rows of the classifier's weights; `classes` counts where they have none. No number is drawn but
    by a user's own code.

    Raises:
        InputError: as `of`.
    """
    start, network, layer, found = _compared(encoder)
    wanted = shapes(network)
    _check(start, found, wanted, layer)
    _check_kinds(start, network, found)
    notes = (*found.notes, *(_partial(found, wanted, layer) if encoder.partial else ()))
    if encoder.code is not None:
        notes += (own_code.note(encoder.code, encoder.backbone),)
        notes += classifier.remarks(network, layer, start.shape, start.name).notes if layer else ()
    return replace(start, layer=layer, notes=(*encoder.notes, *notes))


def compared(encoder: Encoder) -> tuple[Match, dict[str, Shape]]:
    """
    How a stranger's weights match the network, fit or not, and the shapes of its tensors.

    Raises:
        InputError: there is no such backbone or knob, it does not take such images, or the user's code fails.
    """
    _, network, _, found = _compared(encoder)
    return found, shapes(network)


def shapes(network: nn.Module) -> dict[str, Shape]:
    """Names and shapes of all tensors of a network."""
    return {name: tuple(tensor.shape) for name, tensor in _tensors(network).items()}


def fill(network: nn.Module, weights: Mapping[str, np.ndarray], found: Match) -> None:
    """Put tensors into a network where the match says; counters that are missing become 0, all else stays."""
    tensors = _tensors(network)
    with torch.no_grad():
        for name, source in found.fills.items():
            tensors[name].copy_(torch.from_numpy(np.array(weights[source])).reshape(tensors[name].shape))
        for name in found.counters:
            tensors[name].zero_()


def _compared(encoder: Encoder) -> tuple[Encoder, nn.Module, str, Match]:
    """The encoder with the classes of its weights, its network, the classifier and the match."""
    assert encoder.weights is not None
    start, network, layer, found = _started(encoder)
    rows = _rows(found, encoder.weights, f"{layer}.weight") or encoder.classes or encoder.told
    if rows and rows != start.classes and not found.fits:
        start = replace(start, classes=rows)
        network, layer = _sketched(start)
        found = matching.match(shapes(network), encoder.weights)
    return start, network, layer, found


def _started(encoder: Encoder) -> tuple[Encoder, nn.Module, str, Match]:
    """
    The encoder with a first count of classes, the network that it makes, its classifier and the match.

    Code that fills its own network may refuse another count than its own: those of the file's last matrices come first.

    Raises:
        InputError: as `of`; it says which counts were tried.
    """
    assert encoder.weights is not None
    guesses = [encoder.classes or 2]
    if encoder.code is not None and not encoder.classes:
        matrices = [len(each) for each in encoder.weights.values() if each.ndim == 2 and len(each)]  # noqa: PLR2004
        guesses = list(dict.fromkeys([*matrices[:-3:-1], *[encoder.told] * bool(encoder.told), 2]))
    failed: dict[str, list[int]] = {}
    made: list[tuple[Encoder, nn.Module, str, Match]] = []
    for classes in guesses:
        start = replace(encoder, classes=classes)
        try:
            network, layer = _sketched(start)
        except InputError as error:
            failed.setdefault(str(error), []).append(classes)
            continue
        made.append((start, network, layer, matching.match(shapes(network), encoder.weights)))
        if made[-1][-1].fits:
            return made[-1]
    if made:
        return made[0]
    if len(failed) == 1:
        raise InputError(next(iter(failed)))
    raise InputError("; ".join(f"with {' or '.join(map(str, counts))} classes {why}" for why, counts in failed.items()))


def share(found: Match, wanted: Mapping[str, Shape], layer: str) -> float:
    """Share of the numbers below the classifier that a match fills; 1 where there are none."""
    sizes = {
        name: math.prod(shape)
        for name, shape in wanted.items()
        if not name.startswith(f"{layer}.") and not name.endswith(matching.COUNTER)
    }
    whole = sum(sizes.values())
    return sum(size for name, size in sizes.items() if name in found.fills) / whole if whole else 1.0


def _built(encoder: Encoder) -> tuple[nn.Module, str]:
    """The network with fresh weights, and the name of its classifier."""
    if encoder.code is not None and encoder.backbone.name == "onnx":
        made = graph.of(encoder)
        return made, made.layer
    if encoder.code is not None or encoder.module is not None:
        network = _own(encoder, encoder.seed)
        layer = encoder.layer or _classifier(network, encoder)
        if encoder.kind == "random-init":
            _drawn(network, encoder)
        return network, layer
    module = catalog.thing("backbones", encoder.backbone.name, encoder.name)
    knobs = catalog.check(module.build, encoder.backbone.knobs, f"{encoder.name}: backbone {encoder.backbone.name}")
    if "pretrained" in catalog.knobs(module.build) and (encoder.weights is not None or encoder.kind == "random-init"):
        knobs["pretrained"] = False
    with _seeded(encoder.seed):
        built: nn.Module = module.build(encoder.classes, tuple(encoder.shape), **knobs)
    return built, encoder.layer or bottleneck(module, built)


def _own(encoder: Encoder, seed: int) -> nn.Module:
    """The user's own network: what their code makes, or a copy of what their program holds."""
    if encoder.code is None:
        return own_code.copied(encoder.module, encoder.name)
    with _seeded(encoder.seed):
        own_code.load(encoder.code, encoder.backbone)
    with _seeded(seed):
        return own_code.build(encoder.code, encoder.backbone, encoder.classes, encoder.shape)


def _classifier(network: nn.Module, encoder: Encoder) -> str:
    """The name of the classifier; empty where no layer is one and others are read in place of its input."""
    among = tuple(layer.name for layer in encoder.layers if layer.at == "input")
    try:
        return classifier.find(network, encoder.shape, encoder.name, encoder.told, among)
    except InputError:
        if encoder.layers:
            return ""
        raise


def _sketched(encoder: Encoder) -> tuple[nn.Module, str]:
    """The same without numbers where that can be done, for names and shapes."""
    if encoder.code is None:
        with contextlib.suppress(RuntimeError, TypeError, ValueError), Weightless():
            return _built(encoder)
    return _built(encoder)


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


def _drawn(network: nn.Module, encoder: Encoder) -> None:
    """
    Draw a network anew whose code does not draw all of it: another seed has to give another.

    Raises:
        UndrawnError: some of it stays as the user's code loads it.
    """
    other = _own(encoder, encoder.seed + 1)
    _classifier(other, encoder)
    with _seeded(encoder.seed + APART):
        left = redrawn.redraw(network, other)
    if left:
        said = f"{_first(left)} {'is' if len(left) == 1 else 'are'} the same with every seed, loaded or computed"
        raise UndrawnError(f"{encoder.backbone}: {said}, and no layer draws anew: no baseline without training")


def _tensors(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in network.state_dict().items() if isinstance(tensor, Tensor)}


def _rows(found: Match, weights: Mapping[str, np.ndarray], name: str) -> int:
    """Rows of a tensor in the file; 0 where it has none of that name."""
    if name in found.fills:
        return len(weights[found.fills[name]])
    return next((each.found[0] for each in found.misshaped if each.name == name and each.found), 0)


def _check(encoder: Encoder, found: Match, wanted: Mapping[str, Shape], layer: str) -> None:
    """Refuse weights that do not fit."""
    if found.fits:
        return
    kind: type[LeakauditError] = RefusedError if encoder.kind == "checkpoint" else InputError
    where = f"{encoder.name}: the weights do not fit {encoder.backbone}"
    if encoder.partial and not found.rivals:
        empty = _fresh_before(found, wanted, layer)
        filled = share(found, wanted, layer)
        if filled < LEAST or empty:
            why = f"; {empty}, whose output the classifier reads, is fresh" if empty else ""
            said = f"they fill {filled:.1%} of the numbers below the classifier {layer}{why}"
            raise kind(f"{where}: {said}: an audit of nothing; --partial wants {LEAST:.0%} and that part")
        return
    hint = "" if found.rivals else likeness.hint(encoder.weights or {}, encoder.backbone, found, encoder.shape)
    if not hint and found.whole and not found.rivals:
        hint = "--partial leaves aside what no layer wants"
    headless = found.missing and all(name.startswith(f"{layer}.") for name in found.missing)
    if not hint and headless and found.fills and not found.misshaped and not found.unexpected and not found.rivals:
        hint = f"The file has no classifier: {likeness.FRESH}"
    if not hint and encoder.code is not None and {each.name.rpartition(".")[0] for each in found.misshaped} == {layer}:
        hint = f"{encoder.backbone.name} makes a classifier of its own size: let it take an argument `classes`"
    raise kind(f"{where}: {matching.line(found)}{f'. {hint}' if hint else ''}")


def _check_kinds(encoder: Encoder, network: nn.Module, found: Match) -> None:
    """Refuse whole numbers where a network has fractions: quantised weights mean something else."""
    assert encoder.weights is not None
    for name, tensor in _tensors(network).items():
        source = found.fills.get(name)
        if source is not None and tensor.is_floating_point() and encoder.weights[source].dtype.kind in "iubc":
            kind = encoder.weights[source].dtype
            what = f"{spelt(source)} is {kind} where {encoder.backbone} has {str(tensor.dtype)[6:]}"
            raise InputError(f"{encoder.name}: {what}: quantised weights; save those of the network before that")


def _fresh_before(found: Match, wanted: Mapping[str, Shape], layer: str) -> str:
    """The last part of a network before its classifier, if nothing fills it; empty if something does."""
    parts = list(dict.fromkeys(name.partition(".")[0] for name in wanted if not name.startswith(f"{layer}.")))
    last = next((part for part in reversed(parts) if not layer.startswith(f"{part}.")), "")
    filled = any(name.partition(".")[0] == last for name in found.fills)
    return "" if filled or not last else last


def _partial(found: Match, wanted: Mapping[str, Shape], layer: str) -> tuple[str, ...]:
    """What of a partial load stayed fresh and what was left."""
    fresh = [*found.missing, *(each.name for each in found.misshaped)]
    if not fresh and not found.unexpected:
        return ()
    filled = f"{len(found.fills)} of {len(found.fills) + len(fresh)} tensors filled"
    said = [f"partial load: {filled}, {share(found, wanted, layer):.1%} of the numbers below the classifier"]
    if fresh:
        said.append(f"as drawn with the seed: {_first(fresh)}")
    if found.unexpected:
        said.append(f"no layer wants: {_first(found.unexpected)}")
    if f"{layer}.weight" in fresh:
        said.append(f"the classifier {layer} is fresh: what it says of the target is chance")
    return tuple(said)


def _first(names: Sequence[str]) -> str:
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{', '.join(map(spelt, names[:SHOWN]))}{rest}"
