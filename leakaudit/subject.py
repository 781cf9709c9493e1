"""
The subject of an audit: what SUBJECT on the command line turns out to be, and the data it is audited on.

A checkpoint folder, the name of a trained recipe of which the store holds exactly one checkpoint, a weights file with
its backbone, or a stranger's embeddings file. Never a guess.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from leakaudit import catalog, checkpoint, embeddings, encoder, recipe, stranger
from leakaudit.catalog import Call
from leakaudit.checkpoint import Checkpoint
from leakaudit.dataset import Dataset, Labels
from leakaudit.datasets import named
from leakaudit.embeddings import Embeddings
from leakaudit.encoder import Encoder
from leakaudit.errors import InputError
from leakaudit.gate import Ask
from leakaudit.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What an audit is run on, and how: the shared options of the command line."""

    store: Path
    root: Path
    data: str | None = None
    """DATA as it was typed; None: the data set of the checkpoint's recipe."""
    split: str | None = None
    """None: `test`."""
    rows: int | None = None
    group: str | None = None
    skip_unreadable: bool = False
    """Whether images that cannot be read are left out, and counted in the audit."""
    backbone: str | None = None
    layer: tuple[str, ...] = ()
    """Layers to be read, as they were typed; none: the classifier's input."""
    size: str | None = None
    mean: str | None = None
    std: str | None = None
    partial: bool = False
    """Whether layers that the weights file lacks may stay fresh."""
    ledger: Path | None = None
    """A user's own ledger."""
    trust_on_first_use: bool = False
    private: tuple[str, ...] = ()
    target: str | None = None
    tolerance: float = 0.10
    device: str = "cpu"
    batch_size: int = 512
    amp: bool = False
    """Whether the network runs in mixed precision."""
    seed: int = 0
    seeds: int = 1
    """Attack seeds, counted up from `seed`."""
    memorisation: bool = False
    """Whether the rows that a checkpoint was trained on are attacked as well."""
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

    @property
    def target(self) -> str | None:
        """The target of the checkpoint's recipe; None where there is none."""
        return self.checkpoint.recipe.target if self.checkpoint is not None else None


EMBEDDINGS = (".npz", ".parquet", ".csv", ".safetensors")


def find(name: str, terms: Terms) -> Subject:
    """
    The subject of that name, with the data it is to be audited on.

    Raises:
        InputError: nothing has that name; the message says what there is.
    """
    path = Path(name)
    if path.is_dir() and (path / "manifest.json").is_file():
        made = embeddings.read(path).origin
        raise InputError(f"{name}: embeddings of {made.name}, in the store already; attack that subject")
    if path.is_dir():
        return _of_checkpoint(checkpoint.load(path), terms)
    if path.is_file():
        return _of_file(path, terms)
    if path.suffix in EMBEDDINGS:
        raise InputError(f"{name}: no such file")
    folders = checkpoint.stored(terms.store, name)
    if len(folders) == 1:
        return _of_checkpoint(checkpoint.load(folders[0]), terms)
    if folders:
        raise InputError(f"{name}: {len(folders)} checkpoints; name one: {', '.join(map(str, folders))}")
    if name in recipe.available():
        raise InputError(f"{name}: not trained yet. First: leakaudit train {name}")
    raise InputError(f"no subject {name!r}. {catalog.suggest(name, _trained(terms.store))}")


def _of_checkpoint(card: Checkpoint, terms: Terms) -> Subject:
    if terms.backbone is not None:
        raise InputError(f"{card.folder}: a checkpoint has its own backbone; --backbone is for weights files")
    source = encoder.of(card)
    call = named(terms.data, terms.root, "--data") if terms.data else card.recipe.dataset
    return Subject(encoder=source, dataset=_learned(_dataset(call, terms, source, card.recipe), card), checkpoint=card)


def _learned(data: Dataset, card: Checkpoint) -> Dataset:
    """Other data with its classes matched, by name, with those that the model learned and was trained beside."""
    columns, notes = dict(data.columns), list(data.notes)
    target, private = card.recipe.target, card.recipe.private
    for name, known in ((target, card.card.target_classes), (private, card.card.private_classes)):
        labels = columns.get(name, Labels(np.zeros(0, np.int64)))
        strange = [word for word in labels.classes if word not in known]
        if not labels.classes or not known or labels.classes == known:
            continue
        if strange and name == target:
            said = f"the model has not learned {', '.join(strange)}: how well it names the {name} is not measured"
            notes.append(f"{name}: {said}")
        if name == target or set(labels.classes) == set(known):
            names = (*known, *strange)
            codes = np.array([*map(names.index, labels.classes), -1], np.int64)
            columns[name] = Labels(codes[labels.values.astype(np.int64)], names)
    return replace(data, columns=columns, notes=tuple(notes))


def _of_file(path: Path, terms: Terms) -> Subject:
    if terms.backbone is None:
        found = embeddings.read(path)
        for flag, value in (("data", terms.data), ("split", terms.split)):
            if value is not None:
                raise InputError(
                    f"{path}: embeddings have their own labels and rows; --{flag} {value} says nothing here"
                )
        if terms.skip_unreadable:
            raise InputError(f"{path}: embeddings hold no images; --skip-unreadable says nothing here")
        if terms.rows is not None and terms.rows < len(found):
            drawn = np.random.default_rng(terms.seed).permutation(len(found))[: terms.rows]
            found = found.take(np.sort(drawn))
        return Subject(embeddings=found)
    if terms.data is None:
        raise InputError(f"{path}: weights need --data: the images they are audited on")
    dataset = _dataset(named(terms.data, terms.root, "--data"), terms, None)
    return Subject(encoder=stranger.of_file(path, terms.backbone, dataset), dataset=dataset)


def _dataset(call: Call, terms: Terms, source: Encoder | None, made: Recipe | None = None) -> Dataset:
    """The images; a split that is drawn for a target and a private label is drawn for those that are asked about."""
    module = catalog.thing("datasets", call.name, "--data")
    knobs = catalog.check(module.load, call.knobs, f"--data {call.name}")
    asked = {"target": terms.target, "private": next(iter(terms.private), None)}
    for knob, name in asked.items():
        if knob in catalog.knobs(module.load) and (name or made):
            knobs.setdefault(knob, name or getattr(made, knob))
    if source is not None and source.shape[1] == source.shape[2] and "size" in catalog.knobs(module.load):
        knobs.setdefault("size", source.shape[1])
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
