"""
One cell of a sweep, from recipe to audit: what a job does, wherever its process runs.

On a machine that does not share the store of whoever asked, it runs in a store of that machine's own cache folder, and
the files that it made travel back with the result.
"""

import contextlib
import errno
import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from leakaudit import catalog, store
from leakaudit.catalog import Call
from leakaudit.dataset import Dataset
from leakaudit.errors import HereError, InputError, LeakauditError
from leakaudit.grid import Cell, parents
from leakaudit.results import Result

FULL = (errno.ENOSPC, errno.EDQUOT)
PATIENCE_SECONDS = 60.0
"""For a worker of a sweep that was killed to let go of its run: the engines end one within seconds."""
BEACON = Path("sweeps") / ".beacon"
"""A file of the store with a word drawn for one sweep: who reads that word there shares the store."""


@dataclass(frozen=True)
class Place:
    """Where a cell runs, as whoever asked sees it."""

    store: Path
    """Absolute."""
    root: Path
    device: str
    """`auto`: CUDA where the cell was given a GPU or a share of one, else the CPU."""
    word: str = ""
    """What the store's beacon says; empty: the cell runs on the machine that asked."""
    home: str = ""
    """The cache folder of the machine that asked."""
    said: str = ""
    """The store as it was typed, for the documents that name what lies in it."""

    def here(self) -> "tuple[Place, bool]":
        """The place on this machine, and whether its store is the one of whoever asked."""
        from leakaudit.ledgers import fetching

        if not self.word:
            return self, True
        home = fetching.home()
        with contextlib.suppress(OSError):
            if str(home) == self.home and (self.store / BEACON).read_text() == self.word:
                return self, True
        root = Path(os.environ.get("LEAKAUDIT_DATA") or self.root)
        return replace(self, store=home / "sweeps", root=root), False


@dataclass(frozen=True)
class Step:
    """How far a cell has come."""

    done: int
    total: int
    words: str


class Made(NamedTuple):
    """What a cell came to."""

    result: Result
    files: tuple[tuple[str, bytes], ...] = ()
    """Paths in the store and their bytes, where they lie in another store; in the order in which they are written."""


Work = Callable[[Cell, Place], Generator[Any, None, Made]]


def work(cell: Cell, place: Place) -> Generator[Step, None, Made]:
    """
    Train a cell's model, going on where an earlier run was killed, and attack it.

    Raises:
        HereError: this machine lacks the data, or room for what is made.
        InputError: what the recipe, the attack or the data make impossible.
    """
    here, shared = place.here()
    try:
        return (yield from _work(cell, here, shared=shared))
    except LeakauditError as error:
        raise _plain(error, here) from error
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise _plain(HereError(f"cannot write {error.filename or here.store}: {error.strerror}"), here) from error


def check(cell: Cell) -> None:
    """
    Refuse an optimiser that torch does not have, or not with these arguments, and an attack on the target itself.

    Raises:
        InputError: it has not; or what is read and what is learned are one label.
    """
    import torch

    from leakaudit.numerics.optimiser import optimiser, schedule

    where, train = f"recipe {cell.recipe.name} [train]", cell.recipe.train
    schedule(optimiser([[torch.nn.Parameter(torch.zeros(1))]], train.optimizer, where), train.scheduler, where)
    labels = _labels(cell)
    if labels["target"] == labels["private"]:
        raise InputError(f"recipe {cell.recipe.name}: target and private are both {labels['target']!r}")


def check_labels(cell: Cell, root: Path) -> None:
    """
    Refuse labels that the rows to attack do not have; rows that do not lie here may lie on other machines.

    Raises:
        InputError: they have no such label.
    """
    try:
        attacked = _attacked(cell, root)
    except InputError:
        return
    _check_labels(cell, attacked)


def fingerprint(cell: Cell, root: Path) -> str:
    """
    Sha256 of the rows that a cell trains on and of those from which it draws what is attacked.

    Raises:
        InputError: they cannot be read here.
    """
    learned, attacked = _data(cell, root)
    return store.digest(learned.fingerprint, attacked.fingerprint)


def _data(cell: Cell, root: Path) -> tuple[Dataset, Dataset]:
    """What a cell trains on, and from what it draws what is attacked."""
    return _loaded(cell.recipe.dataset, "train", root, {}), _attacked(cell, root)


def _attacked(cell: Cell, root: Path) -> Dataset:
    from leakaudit.datasets import named

    asked = cell.attack
    call = named(asked.data, root, "--data") if asked.data else cell.recipe.dataset
    return _loaded(call, asked.split, root, _labels(cell))


def _labels(cell: Cell) -> dict[str, str]:
    """What the attack is about."""
    asked, recipe = cell.attack, cell.recipe
    return {"target": asked.target or recipe.target, "private": asked.private or recipe.private}


def _check_labels(cell: Cell, attacked: Dataset) -> None:
    try:
        for label in _labels(cell).values():
            attacked.column(label)
    except InputError as error:
        raise InputError(f"recipe {cell.recipe.name}, rows to attack: {error}") from error


def _loaded(call: Call, split: str | None, root: Path, labels: Mapping[str, str]) -> Dataset:
    """A split; one that is drawn for labels is drawn for these."""
    module = catalog.thing("datasets", call.name)
    known = {name: label for name, label in labels.items() if name in catalog.knobs(module.load)}
    knobs = catalog.check(module.load, known | call.knobs, call.name)
    found: Dataset = module.load(split or module.SPLITS[-1], root, **knobs)
    return found


def _work(cell: Cell, here: Place, *, shared: bool) -> Generator[Step, None, Made]:
    from leakaudit import auditor, provenance, train
    from leakaudit.numerics import device as devices

    began = time.perf_counter()
    yield Step(0, cell.recipe.train.epochs, "reading the data")
    try:
        first, (learned, attacked) = parents(cell.recipe), _data(cell, here.root)
    except InputError as error:
        raise HereError(str(error)) from error
    _check_labels(cell, attacked)
    data = store.digest(learned.fingerprint, attacked.fingerprint)
    del learned, attacked
    device = devices.resolve(("cuda" if cell.resources.gpus else "cpu") if here.device == "auto" else here.device)
    how: dict[str, Any] = {
        "store": store.open_store(here.store),
        "root": here.root,
        "seed": cell.seed,
        "device": device,
        "patience": PATIENCE_SECONDS,
    }
    for parent in reversed(first):
        with _alone(here.store, parent.key, cell.seed):
            yield from _steps(train.train(parent, resume=True, **how), f"{parent.name} first: ")
    made = yield from _steps(train.train(cell.recipe, resume=True, **how), "")
    typed = str(Path(here.said or here.store) / made.folder.relative_to(here.store))
    terms, calls = _asked(cell, here, device, typed)
    subject = replace(auditor.find(str(made.folder), terms), typed=typed)
    audit, path = yield from _steps(auditor.attack(subject, terms, calls, cell.attack.auxiliary), "attack: ", epochs="")
    found = audit.attributes[0]
    paper = next((each.figures.private_accuracy for each in found.findings if each.auxiliary == "paper"), None)
    card = made.card
    result = Result(
        cell=cell.key, recipe=cell.recipe.name, settings=cell.settings, seed=cell.seed, status=0,
        accuracy=card.accuracy, mae=None if card.closeness is None else card.closeness.mae, papers=paper,
        private=found.figures.private_accuracy, excess=found.figures.excess, verdict=str(found.verdict),
        attacker=found.attacker, rows=found.rows.rows, fingerprint=data, tensors=card.tensors, audit=path.stem,
        sha256=store.digest_file(path), device=devices.describe(device), versions=provenance.of("")["versions"],
        seconds=round(time.perf_counter() - began, 3),
    )  # fmt: skip
    return Made(result, () if shared else tuple(_packed(here.store, made.folder, path)))


def _asked(cell: Cell, here: Place, device: str, typed: str) -> tuple[Any, tuple[Call, ...]]:
    """The terms of the attack, and its attackers."""
    from leakaudit.protocol import SUITES
    from leakaudit.subject import Terms

    asked, private = cell.attack, cell.attack.private or cell.recipe.private
    names = asked.attacker or SUITES[asked.suite]
    terms = Terms(
        store=here.store, root=here.root, private=(private,), target=asked.target, data=asked.data, split=asked.split,
        rows=asked.rows, group=asked.group, skip_unreadable=asked.skip_unreadable, tolerance=asked.tolerance,
        seeds=asked.seeds, memorisation=asked.memorisation, batch_size=asked.batch_size, amp=asked.amp,
        seed=cell.seed, device=device, command=asked.typed(typed, private, cell.seed),
    )  # fmt: skip
    return terms, tuple(catalog.call("attackers", name, "[attack]") for name in names)


def _steps(run: Generator[Any, None, Any], before: str, epochs: str = "epoch ") -> Generator[Step, None, Any]:
    """The records of a run as steps of the cell."""
    while True:
        try:
            record = next(run)
        except StopIteration as end:
            return end.value
        words = getattr(record, "words", "") or "rows pass the network"
        counted = f"{epochs}{record.done} of {record.total}, " if epochs else ""
        yield Step(record.done, record.total, f"{before}{counted}{words}")


@contextlib.contextmanager
def _alone(home: Path, key: str, seed: int) -> Iterator[None]:
    """Cells that start from one recipe wait here for the first of them to train it."""
    from filelock import FileLock

    folder = home / "sweeps"
    with store.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f".{key}-{seed}.lock"):
        yield


def _packed(home: Path, checkpoint: Path, audit: Path) -> Iterator[tuple[str, bytes]]:
    """The files of a checkpoint and of its audit, those that say that the others are whole last."""
    from leakaudit import outcomes

    files = [path for path in sorted(checkpoint.iterdir()) if path.is_file() and not path.name.startswith(".")]
    files.sort(key=lambda path: path.name == "checkpoint.json")
    for path in (*files, outcomes.path_of(audit), audit):
        yield path.relative_to(home).as_posix(), path.read_bytes()


def _plain(error: LeakauditError, here: Place) -> LeakauditError:
    """The same error, in words that are the same on every machine."""
    words = str(error)
    for name, folder in (("DATA", here.root), ("STORE", here.store)):  # the data may lie in the store
        words = words.replace(str(folder), name) if len(folder.parts) > 1 else words
    return type(error)(words)
