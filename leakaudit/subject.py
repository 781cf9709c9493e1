"""
The subject of an audit: what SUBJECT on the command line turns out to be, and the data it is audited on.

A checkpoint folder, the name of a trained recipe of which the store holds exactly one checkpoint, a weights file with
its backbone, an ONNX graph, a model that a library publishes, a file of a hub, a name of the ledger, or a stranger's
embeddings file. Never a guess.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from leakaudit import catalog, checkpoint, embeddings, encoder, foreign, recipe, stranger
from leakaudit.catalog import Call
from leakaudit.checkpoint import Checkpoint
from leakaudit.dataset import Dataset, learned, own, spell
from leakaudit.datasets import named
from leakaudit.embeddings import Embeddings
from leakaudit.encoder import Encoder
from leakaudit.errors import InputError, RefusedError
from leakaudit.gate import Ask
from leakaudit.ledgers import address, fetching, ledger
from leakaudit.ledgers.ledger import Entry
from leakaudit.preprocessing import Size
from leakaudit.recipe import Recipe
from leakaudit.stranger import Stranger


@dataclass(frozen=True, kw_only=True)
class Terms(stranger.Terms):
    """What an audit is run on, and how: the shared options of the command line."""

    store: Path
    root: Path
    data: str | None = None
    """DATA as it was typed; None: the data set of the checkpoint's recipe, or of the ledger's entry."""
    split: str | None = None
    """None: `test`."""
    rows: int | None = None
    group: str | None = None
    skip_unreadable: bool = False
    """Whether images that cannot be read are left out, and counted in the audit."""
    ledger: Path | None = None
    """A user's own ledger."""
    trust_on_first_use: bool = False
    private: tuple[str, ...] = ()
    target: str | None = None
    tolerance: float = 0.10
    batch_size: int = 512
    amp: bool = False
    """Whether the network runs in mixed precision."""
    seed: int = 0
    seeds: int = 1
    """Attack seeds, counted up from `seed`."""
    memorisation: bool = False
    """Whether the rows that a checkpoint was trained on are attacked as well."""
    projection: str = "pca"
    """The plane of the bottleneck plot."""
    gates: tuple[Ask, ...] = ()
    with_images: bool = False
    command: str = ""


@dataclass(frozen=True)
class Subject:
    """What SUBJECT turned out to be; exactly one of `embeddings` and `encoder` is there."""

    embeddings: Embeddings | None = None
    encoder: Encoder | None = None
    dataset: Dataset | None = None
    checkpoint: Checkpoint | None = None
    aim: str = ""
    """The target that the ledger names."""
    about: dict[str, Any] = field(default_factory=dict)
    """What the audit's `subject` says of a stranger's file."""
    overlap: str = ""
    """What the ledger says of the rows and of those that the model was trained on; empty: nothing."""
    warnings: tuple[str, ...] = ()
    """What must be read before the verdict."""
    typed: str = ""
    """SUBJECT as it was typed; empty where a program holds it."""

    @property
    def target(self) -> str | None:
        """The target of the checkpoint's recipe, or of the ledger's entry; None where there is none."""
        return self.checkpoint.recipe.target if self.checkpoint is not None else self.aim or None

    def apart(self) -> "tuple[Subject, ...]":
        """One subject for each layer that is named; itself where the bottleneck is read."""
        if self.encoder is None or not self.encoder.layers:
            return (self,)
        return tuple(
            replace(self, encoder=replace(self.encoder, name=f"{self.encoder.name}#{layer}", layers=(layer,)))
            for layer in self.encoder.layers
        )


EMBEDDINGS = (".npz", ".parquet", ".csv", ".safetensors")


def find(name: str, terms: Terms) -> Subject:
    """
    The subject of that name, with the data it is to be audited on.

    Raises:
        InputError: nothing has that name; the message says what there is.
        RefusedError: a file is truncated, unsafe, foreign, or not what its hash promises.
    """
    return replace(_found(name, terms), typed=name)


def _found(name: str, terms: Terms) -> Subject:
    path = Path(name)
    ledger.clear(name, terms.ledger)
    if path.is_dir() and (path / "manifest.json").is_file():
        made = embeddings.read(path).origin
        raise InputError(f"{name}: embeddings of {made.name}, in the store already; attack that subject")
    if path.is_dir():
        return _of_checkpoint(checkpoint.load(path), terms)
    if path.exists():
        return _of_file(path, terms)
    if name.startswith(tuple(f"{shelf}:" for shelf in catalog.SHELVES)):
        return _of_stranger(terms, lambda load: stranger.of_library(name, terms, load))
    if name.startswith(address.ADDRESSES):
        return _of_entry(ledger.typed(name), replace(terms, trust_on_first_use=True))  # no ledger promised another
    if path.suffix in EMBEDDINGS or path.suffix in FILES:
        raise InputError(f"{name}: no such file")
    folders = checkpoint.stored(terms.store, name)
    entry = ledger.find(name, terms.ledger)
    if folders and entry:
        raise InputError(f"{name}: both a trained recipe and an entry of {entry.ledger}; name {folders[0]}, or rename")
    if len(folders) == 1:
        return _of_checkpoint(checkpoint.load(folders[0]), terms)
    if folders:
        raise InputError(f"{name}: {len(folders)} checkpoints; name one: {', '.join(map(str, folders))}")
    if entry:
        return _of_entry(entry, terms)
    if name in recipe.available():
        raise InputError(f"{name}: not trained yet. First: leakaudit train {name}")
    known = [*_trained(terms.store), *ledger.entries(terms.ledger)]
    raise InputError(f"no subject {name!r}. {catalog.suggest(name, known, ledger.LIST)}")


NAMED = 5
"""Classes that a note names."""
FILES = (".pth", ".pt", ".th", ".bin", ".ckpt", ".pkl", ".onnx")
"""Ends of names that are files', of which there is none."""


def _of_entry(entry: Entry, terms: Terms) -> Subject:
    """An encoder of the ledger, or what lies at an address; what flags say comes before what the ledger says."""
    told = replace(terms, data=terms.data or entry.dataset or None)
    if entry.kind in catalog.SHELVES:
        made = _of_stranger(told, lambda load: stranger.of_library(entry.weights, told, load, entry), entry.target)
    else:
        fetched = fetching.fetch(entry, trust=terms.trust_on_first_use)
        if not (told.backbone or entry.backbone) and foreign.is_embeddings(fetched.path):
            return _of_embeddings(fetched.path, terms, fetched.sha256)
        given = (entry, fetched.sha256)
        made = _of_stranger(told, lambda load: stranger.of_file(fetched.path, told, load, *given), entry.target)
        assert made.encoder is not None
        notes = (*made.encoder.notes, *fetched.notes)
        made = replace(made, encoder=replace(made.encoder, notes=notes))
    return _studied(made, entry, terms)


def _studied(made: Subject, entry: Entry, terms: Terms) -> Subject:
    """The subject with what is known of its rows and of those that the ledger says it was trained on."""
    if not entry.trained or not entry.dataset or made.dataset is None:
        return made
    call, name, split = named(entry.dataset, terms.root, "dataset"), made.dataset.name, made.dataset.split
    module = catalog.thing("datasets", call.name)
    knobs = {knob: each.default for knob, each in catalog.knobs(module.load).items()} | call.knobs
    if getattr(module, "OWN", False) or "size" in knobs:  # the size that was asked for is part of the name
        same = name.partition(":")[0] == call.name and terms.data in (None, entry.dataset)
    else:
        same = name == spell(call.name, module.load, **knobs)
    if split in (entry.trained, "all") and (same or (name.partition(":")[0] == call.name and not own(name))):
        said = f"these are rows of {name}, split {split}, and the ledger says that the model was trained on its split"
        said += f" {entry.trained}: it has seen them"
        return replace(
            made, overlap=said, warnings=(*made.warnings, f"{said}; nothing here is of images that are new to it")
        )
    if not same:
        return made
    said = f"the rows are of the split {split}; the ledger says that the model was trained on the split {entry.trained}"
    return replace(made, overlap=f"{said}; no row was compared")


def _of_checkpoint(card: Checkpoint, terms: Terms) -> Subject:
    for flag in ("backbone", "size", "mean", "std", "partial"):
        if getattr(terms, flag):
            raise InputError(f"{card.folder}: a checkpoint has its own {flag}; --{flag} is for a stranger's weights")
    source = replace(encoder.of(card), layers=terms.layers)
    call = named(terms.data, terms.root, "--data") if terms.data else card.recipe.dataset
    side = source.shape[1] if source.shape[1] == source.shape[2] else None
    data = _dataset(call, terms, side, card.recipe)
    for name, known in (
        (card.recipe.target, card.card.target_classes), (card.recipe.private, card.card.private_classes),
    ):  # fmt: skip
        data = learned(data, name, known, told=name == card.recipe.target)
    return Subject(encoder=source, dataset=data, checkpoint=card)


def _of_file(path: Path, terms: Terms) -> Subject:
    if terms.backbone is None and path.is_file() and foreign.is_embeddings(path):
        return _of_embeddings(path, terms)
    if terms.backbone is None and path.suffix in (".npz", ".parquet", ".csv"):
        return _of_embeddings(path, terms)  # which says what it lacks
    return _of_stranger(terms, lambda load: stranger.of_file(path, terms, load))


def _of_embeddings(path: Path, terms: Terms, sha256: str = "") -> Subject:
    found = embeddings.read(path)
    if sha256 and found.origin.sha256 != sha256:
        raise RefusedError(f"{path}: changed since it was checked: sha256 {found.origin.sha256}, {sha256} expected")
    return of_embeddings(found, str(path), terms)


def of_embeddings(found: Embeddings, where: str, terms: Terms) -> Subject:
    """
    Embeddings as they are, or so many rows of them; `where` is what a message calls them.

    Raises:
        InputError: something is said of images, of which there are none here.
    """
    for flag in ("data", "split", "layer", "size", "mean", "std", "partial"):
        value = getattr(terms, flag)
        if value:
            typed = " ".join(value) if isinstance(value, tuple) else "" if value is True else value
            said = f"--{flag} {typed}".strip()
            raise InputError(f"{where}: embeddings have their own labels and rows; {said} says nothing here")
    if terms.skip_unreadable:
        raise InputError(f"{where}: embeddings hold no images; --skip-unreadable says nothing here")
    if terms.rows is not None and terms.rows < len(found):
        drawn = np.random.default_rng(terms.seed).permutation(len(found))[: terms.rows]
        found = found.take(np.sort(drawn))
    return Subject(embeddings=found)


def images(terms: Terms, size: Size | None) -> Dataset:
    """
    The images of DATA, at a height and width where somebody says one.

    Raises:
        InputError: there is no DATA, or it cannot be read.
    """
    if terms.data is None:
        raise InputError("--data is missing: the images that the model is audited on")
    side = size[0] if size is not None and size[0] == size[1] else None
    return _dataset(named(terms.data, terms.root, "--data"), terms, side)


def _of_stranger(terms: Terms, opened: Callable[[stranger.Load], Stranger], target: str = "") -> Subject:
    """A network of somebody else's on images of one's own."""
    found = opened(partial(images, terms))
    aim = terms.target or target
    data = found.dataset
    labels = data.columns.get(aim)
    strange = [] if labels is None else [name for name in labels.classes if name not in found.classes]
    if labels is not None and labels.classes and not strange:
        data = learned(data, aim, found.classes, told=True)
    source = found.encoder
    if labels is not None and strange and found.classes and (found.promised or len(strange) < len(labels.classes)):
        lacking = f"{', '.join(strange[:NAMED])}{' ...' * (len(strange) > NAMED)} of the data: not among the classes"
        said = f"{aim}: {lacking} that {found.promised or source.name} names; the order of its outputs was not matched"
        source = replace(source, notes=(*source.notes, said))
    return Subject(encoder=source, dataset=data, aim=target, about=found.about)


def _dataset(call: Call, terms: Terms, side: int | None, made: Recipe | None = None) -> Dataset:
    """The images; a split that is drawn for a target and a private label is drawn for those that are asked about."""
    module = catalog.thing("datasets", call.name, "--data")
    knobs = catalog.check(module.load, call.knobs, f"--data {call.name}")
    asked = {"target": terms.target, "private": next(iter(terms.private), None)}
    for knob, name in asked.items():
        if knob in catalog.knobs(module.load) and (name or made):
            knobs.setdefault(knob, name or getattr(made, knob))
    if side is not None and "size" in catalog.knobs(module.load):
        knobs.setdefault("size", side)
    if terms.group and "group" in catalog.knobs(module.load):
        knobs.setdefault("group", terms.group)
    if terms.skip_unreadable and "skip_unreadable" in catalog.knobs(module.load):
        knobs["skip_unreadable"] = True
    chosen = terms.split or module.SPLITS[-1]
    dataset: Dataset = module.load(chosen, terms.root, **knobs)
    return dataset if terms.rows is None else dataset.sample(terms.rows, terms.seed)


def _trained(root: Path) -> list[str]:
    home = root / "checkpoints"
    return sorted({path.parent.parent.relative_to(home).as_posix() for path in home.rglob("checkpoint.json")})
