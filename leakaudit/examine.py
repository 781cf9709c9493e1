"""
Examining a file before anybody audits it: what it holds, which network that fits, and that network's layers.

Nothing in the file is run. A network that is named with `--backbone` is built and passes one image of zeros.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from leakaudit import (
    audits,
    catalog,
    checkpoint,
    embeddings,
    encoder,
    foreign,
    likeness,
    matching,
    network,
    opening,
    own_code,
    preprocessing,
    store,
)
from leakaudit.catalog import Call
from leakaudit.checkpoint import Checkpoint
from leakaudit.dossier import Anatomy, Dossier, Fit, Held, Kin, Layer, Unmatched
from leakaudit.encoder import Encoder
from leakaudit.errors import InputError, RefusedError, spelt, typed
from leakaudit.graphs import graph
from leakaudit.ledgers.ledger import Entry
from leakaudit.numerics import layers
from leakaudit.unwrapping import Weights

PIECE = 1 << 20
"""Numbers that are looked at together."""
LONGEST = 120
"""Letters of a column's name that a command is told with."""


def examine(
    path: Path,
    backbone: str | None = None,
    size: str | None = None,
    *,
    partial: bool = False,
    entry: Entry | None = None,
    sha256: str = "",
) -> Dossier:
    """
    What a file is, or a checkpoint folder, or a folder of embeddings.

    `entry` is what the ledger says of it, and `sha256` what it was when it was fetched.

    Raises:
        InputError: there is no such file, backbone or knob, or the user's own code fails.
        RefusedError: the file is truncated, unsafe, foreign, or not what its hash promises.
    """
    said = entry.flags if entry is not None else {}
    backbone = backbone or said.get("backbone")
    side = preprocessing.parse(size or said.get("size"), None, None).size
    if path.is_dir():
        made = _folder(path, side)
    elif path.suffix == ".json":
        made = _audit(path)
    elif backbone is None and (foreign.is_embeddings(path) or path.suffix in (".npz", ".csv", ".parquet")):
        made = _rows(path, embeddings.read(path))
    else:
        weights = opening.read(path, sha256)
        if entry is not None:
            weights = replace(weights, tensors=entry.renamed(weights.tensors))
        made = _filled(path, weights, backbone, side, partial=partial)
    if sha256 and made.sha256 != sha256:
        raise RefusedError(f"{path}: changed since it was checked: sha256 {made.sha256}, {sha256} expected")
    return made if entry is None else _entered(made, entry)


def model(text: str, size: str | None = None) -> Dossier:
    """
    The layers of a library's model, `timm:NAME` or `torchvision:NAME`, without its weights.

    Raises:
        InputError: there is no such model, or it does not take images of that size.
    """
    call = catalog.call("backbones", text, text)
    call = Call(call.name, call.knobs | {"pretrained": False})
    side = preprocessing.parse(size, None, None).size or likeness.size(call) or (likeness.SIDE, likeness.SIDE)
    source = Encoder(text, "random-init", call, likeness.CLASSES, (3, *side), (), (), None)
    made, layer = network.of(source)
    return Dossier(
        name=text, what="network", file_format="a network without its published weights", size=0, sha256="",
        parameters=sum(each.numel() for each in made.parameters()), anatomy=layers.seen(made, layer, source.shape),
        next=f"leakaudit attack {typed(text)} --data DATA --private NAME",
    )  # fmt: skip


def _filled(
    path: Path, weights: Weights, backbone: str | None, side: tuple[int, int] | None, *, partial: bool
) -> Dossier:
    """A file of weights."""
    made = _weights(path, weights)
    if backbone is not None:
        return _named(made, weights, path, backbone, side, partial=partial)
    if weights.format == "ONNX":
        return _graph(made, path, side)
    search = likeness.searched(weights.tensors, path.stem)
    found = next((each for each in search.found if each.exact or each.headless), None)
    made = replace(
        made,
        layout=likeness.layout({held.name: held.shape for held in made.tensors}),
        kin=tuple(Kin(str(each.call), each.share, each.exact, each.headless, each.channels) for each in search.found),
        sought="" if found is not None else likeness.sought(search),
    )
    best = str(found.call) if found is not None else "FILE.py:FUNCTION"
    return replace(made, next=_command("inspect", path, best, "--partial" * (found is not None and found.headless)))


def _entered(made: Dossier, entry: Entry) -> Dossier:
    """With what the ledger says."""
    names = ("licence", "citation", "note", "dataset", "target")
    facts = [("ledger", entry.name), *((name, str(getattr(entry, name))) for name in names if getattr(entry, name))]
    facts += [("private", ", ".join(entry.privates))] * bool(entry.privates)
    wanted = "" if entry.dataset else " --data DATA"
    asked = typed(next(iter(entry.privates), "NAME"))
    ready = f"leakaudit attack {typed(entry.name)}{wanted} --private {asked}"
    trouble = made.fit is not None and made.fit.trouble
    return replace(made, name=entry.name, facts=(*facts, *made.facts), next="" if trouble else ready)


def _weights(path: Path, weights: Weights) -> Dossier:
    tensors = tuple(Held(name, tuple(each.shape), str(each.dtype)) for name, each in weights.tensors.items())
    return Dossier(
        name=path.name, what="weights", file_format=weights.format, size=weights.size, sha256=weights.sha256,
        taken_off=weights.taken_off, beside=weights.beside, notes=(*weights.notes, *_endless(weights)), tensors=tensors,
        parameters=sum(math.prod(each.shape) for each in tensors),
    )  # fmt: skip


def _endless(weights: Weights) -> Iterator[str]:
    """That tensors hold NaN or infinity, with the first names."""
    broken = [name for name, each in weights.tensors.items() if each.dtype.kind in "fc" and not _finite(each)]
    if broken:
        what = "1 tensor holds" if len(broken) == 1 else f"{len(broken):,} tensors hold"
        names = ", ".join(map(spelt, broken[:3])) + ", ..." * (len(broken) > 3)  # noqa: PLR2004 (three say enough)
        yield f"{what} NaN or infinity ({names})"


def _finite(tensor: np.ndarray) -> bool:
    """Whether all numbers are, looked at in pieces, for memory's sake."""
    flat = tensor.reshape(-1)
    return all(bool(np.isfinite(flat[at : at + PIECE]).all()) for at in range(0, flat.size, PIECE))


def _named(
    made: Dossier, weights: Weights, path: Path, backbone: str, side: tuple[int, int] | None, *, partial: bool
) -> Dossier:
    """The dossier with how the tensors match a network, and its layers."""
    code, call = own_code.parse(backbone) if own_code.named(backbone) else (None, None)
    call = call or catalog.call("backbones", backbone, "--backbone")
    best: tuple[Encoder, Fit] | None = None
    trouble, anatomy = "", None
    for shape in likeness.entrances(call, weights.tensors, side):
        source = Encoder(path.name, "weights", call, 0, shape, (), (), weights.tensors, code=code, partial=partial)
        try:
            found, wanted = network.compared(source)
            fit = _fit(str(call), found, wanted)
            best = best if best is not None and best[1].filled >= fit.filled else (source, fit)
            if found.whole or partial:
                source = network.fitted(source)
                anatomy = layers.seen(*network.of(source), shape)
                best = (source, replace(fit, notes=source.notes))
                break
        except InputError as error:
            trouble = trouble or str(error)
    if best is None:
        raise InputError(trouble)
    source, fit = best
    trouble = _trouble(source, trouble) if anatomy is None else ""
    ready = _command("attack", path, backbone, f"{'--partial ' * partial}--data DATA --private NAME --target NAME")
    return replace(made, fit=replace(fit, trouble=trouble), anatomy=anatomy, next="" if trouble else ready)


def _trouble(source: Encoder, trouble: str) -> str:
    """Why a network is not filled, with what would be, in one line."""
    try:
        network.fitted(source)
    except InputError as error:
        return str(error)
    return trouble


def _fit(backbone: str, found: matching.Match, wanted: Mapping[str, matching.Shape]) -> Fit:
    rows = tuple(Unmatched(*row) for row in matching.table(found))
    return Fit(backbone, len(found.fills), len(wanted) - len(found.counters), rows, found.notes)


def _graph(made: Dossier, path: Path, side: tuple[int, int] | None) -> Dossier:
    """An ONNX graph: its operators are its layers."""
    about = graph.describe(path)
    shape = (about.shape[0] or 3, *side) if side else ()
    about = graph.describe(path, shape) if shape else about
    there = tuple(each or 0 for each in (shape or about.shape))
    bottleneck = graph.load(path, shape).parts.bottleneck if about.layer else ""
    inner = tuple(
        Layer(each.name, each.operator, tuple(size or 0 for size in each.shape or ()), 0, 0, each.name == bottleneck)
        for each in graph.inner(path, shape)
    )
    anatomy = Anatomy(there, inner, "", about.width, about.classes)
    ready = f"leakaudit attack {typed(str(path))} --data DATA --private NAME --target NAME"
    return replace(made, what="graph", notes=(*made.notes, *about.notes), anatomy=anatomy, next=ready)


def _folder(path: Path, side: tuple[int, int] | None) -> Dossier:
    """A checkpoint of this project's own, or embeddings in the store."""
    if (path / "manifest.json").is_file():
        return _rows(path, embeddings.read(path))
    card = checkpoint.load(path)
    source = encoder.of(card)
    if side is not None:
        source = replace(source, shape=(source.shape[0], *side))
    built, layer = network.of(source)
    held = tuple(Held(name, tuple(each.shape), str(each.dtype)) for name, each in card.weights.items())
    return Dossier(
        name=path.name, what="checkpoint", file_format="checkpoint of leakaudit",
        size=(path / "weights.safetensors").stat().st_size, sha256=store.digest_file(path / "weights.safetensors"),
        facts=_facts(card), tensors=held, parameters=sum(math.prod(each.shape) for each in held),
        anatomy=layers.seen(built, layer, tuple(source.shape)),
        next=f"leakaudit attack {typed(str(path))} --private {typed(card.recipe.private)}",
    )  # fmt: skip


def _facts(found: Checkpoint) -> tuple[tuple[str, str], ...]:
    card, recipe = found.card, found.recipe
    told = found.told.strip().splitlines()
    facts = [
        ("recipe", card.recipe), ("data set", str(recipe.dataset)), ("target", recipe.target),
        ("private", recipe.private), ("backbone", str(recipe.backbone)), ("method", str(recipe.method)),
        ("input", "x".join(map(str, card.shape))), ("seed", str(card.seed)),
    ]  # fmt: skip
    return (*facts, *(("trained", line.removeprefix("leakaudit: ")) for line in told if line))


def _rows(path: Path, found: embeddings.Embeddings) -> Dossier:
    """Vectors and labels, with what can be asked of them."""
    file = path / "manifest.json" if path.is_dir() else path
    facts = [("rows", f"{len(found):,}"), ("numbers a row", f"{found.z.shape[1]:,}")]
    facts += [("logits", str(found.logits.shape[1]))] if found.logits is not None else []
    for name, labels in found.columns.items():
        many = f"{len(labels.classes)} classes" if labels.classes else "numbers"
        facts.append(("column", f"{name}: {many}"))
    asked = next((name for name in found.columns if len(name) <= LONGEST), "NAME")
    return Dossier(
        name=path.name, what="embeddings", file_format=path.suffix.lstrip(".") or "embeddings of leakaudit",
        size=file.stat().st_size, sha256=store.digest_file(file), facts=tuple(facts),
        next="" if path.is_dir() else f"leakaudit attack {typed(str(path))} --private {typed(asked)}",
    )  # fmt: skip


def _audit(path: Path) -> Dossier:
    found = audits.load(path)
    facts = [("subject", found.name), ("verdict", found.verdict), ("reason", found.reason)]
    facts += [("attribute", f"{part.private}: {part.verdict}") for part in found.attributes]
    return Dossier(
        name=path.name, what="audit", file_format="audit of leakaudit", size=path.stat().st_size,
        sha256=store.digest_file(path), facts=tuple((name, str(value)) for name, value in facts),
        notes=("the sha256 that it carries is its own; `leakaudit verify` counts again every hash that it names",),
        next=f"leakaudit report {typed(str(path))}",
    )  # fmt: skip


def _command(verb: str, path: Path, backbone: str, more: str = "") -> str:
    return f"leakaudit {verb} {typed(str(path))} --backbone {typed(backbone)} {more}".strip()
