"""Counting a hash again: what is recorded against what is found, of files, of data, of embeddings in the store."""

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from leakaudit import __version__, embeddings, own_code, record, store
from leakaudit.dataset import Dataset
from leakaudit.embeddings import Manifest
from leakaudit.errors import InputError, LeakauditError, RefusedError, spelt
from leakaudit.proofs.tracing import Trail
from leakaudit.verification import Check

HASH = re.compile("[0-9a-f]{64}")
KEY = re.compile("[0-9a-f]{16}")
HELD = ("module", "embeddings")
"""Kinds of subjects that a program held in memory."""
IN_MEMORY = "a program held it in memory"


def check(what: str, recorded: object, found: str, where: str = "", note: str = "") -> Check:
    """What is recorded against what was found."""
    told = str(recorded or "")
    if not HASH.fullmatch(told):
        return Check(what, "not recorded", "", found, where, note) if not told else Check(
            what, "no longer matches", spelt(told), found, where, "what is recorded is no sha256"
        )  # fmt: skip
    same = told == found
    return Check(what, "matches" if same else "no longer matches", told, found, where, "" if same else note)


def lacking(what: str, recorded: object, note: str, where: str = "") -> Check:
    """An object that is not there; or whose hash is not recorded."""
    told = str(recorded or "")
    return Check(what, "not at hand" if told else "not recorded", told, "", where, note if told else "")


def counted(what: str, recorded: object, where: Path, count: Callable[[], str]) -> Check:
    """What is recorded against what is counted; a file that cannot be read is not what it was."""
    try:
        found = count()
    except InputError as error:
        return lacking(what, recorded, str(error), str(where))
    except RefusedError as error:
        return Check(what, "no longer matches" if recorded else "not recorded", str(recorded or ""), "", "", str(error))
    return check(what, recorded, found, str(where))


def digest(path: Path) -> str:
    """Sha256 of a file of the usual kind."""
    with store.opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def data(trail: Trail) -> Iterator[Check]:
    """The rows and labels that were attacked, and what their images are made of."""
    said, kind = trail.audit.data, str(trail.audit.subject.get("kind"))
    recorded, images = said.get("fingerprint"), said.get("contents")
    if kind == "file":
        path = trail.file
        if path is None:
            yield lacking("data", recorded, "they lie in the embeddings file")
        else:
            yield counted("data", recorded, path, lambda: embeddings.read(path).origin.fingerprint)
        return
    sure, found = _rows(trail)
    if isinstance(found, str):
        yield lacking("data", recorded, IN_MEMORY if kind in HELD else found)
        yield from [lacking("images", images, "as the data")] * bool(images)
        return
    where, named = f"{found.name}, split {found.split}", f"{said.get('name')}, split {said.get('split')}"
    other = "" if where == named else f"{where} is there, the audit names {spelt(named)}: --data DATA --root DIR"
    moved = replace(found, name=str(said.get("name")))  # the name is part of what was hashed, wherever it lies now
    same = moved.fingerprint == recorded
    if not same and (other or not sure):
        unsure = "the network is not opened, and its labels or sizes may be part of what was hashed"
        yield lacking("data", recorded, other or unsure, "" if other else where)
        yield from [lacking("images", images, "as the data")] * bool(images)
        return
    yield check("data", recorded, moved.fingerprint, where, _otherwise(trail))
    if images:
        yield counted("images", images, Path(where), lambda: store.digest_tensors({"contents": found.contents}))


def _rows(trail: Trail) -> tuple[bool, Dataset | str]:
    """The data set, and whether it is opened just as the attack opened it; or why it is not there."""
    opened = trail.reopened
    if not isinstance(opened, str):
        return True, opened.dataset if opened.dataset is not None else "it is of embeddings alone"
    code = trail.asked is not None and trail.asked.backbone is not None and own_code.named(trail.asked.backbone)
    try:
        return code, trail.images
    except LeakauditError as error:
        return False, f"{error}" if code or trail.audit.subject.get("kind") in HELD else f"{opened}; {error}"


def _otherwise(trail: Trail) -> str:
    """What else than the data may make another hash."""
    then = (trail.audit.provenance.get("versions") or {}).get("leakaudit")
    told = [] if then == __version__ else [f"leakaudit {__version__} may read them otherwise than {spelt(then)}"]
    told += [] if trail.audit.provenance.get("asked") else ["settings and variables of that run are not recorded"]
    return "; ".join(told)


def cache(trail: Trail) -> Iterator[Check]:
    """The embeddings that were attacked, in the store: their manifest, and the shards and labels that it names."""
    said: Any = trail.audit.provenance.get("embeddings") or {}
    key, recorded, split = str(said.get("key", "")), said.get("sha256"), str(trail.audit.data.get("split"))
    if not recorded or not KEY.fullmatch(key) or Path(split).name != split:
        if trail.audit.subject.get("kind") not in ("file", *HELD):
            yield lacking("embeddings", None, "")
        return
    folders = [embeddings.folder(home, key, split) for home in trail.stores]
    where = next((folder for folder in folders if (folder / "manifest.json").is_file()), None)
    if where is None:
        yield lacking("embeddings", recorded, "--store DIR says which store has them")
        return
    yield counted("embeddings", recorded, where, lambda: _manifest(where))


def _manifest(where: Path) -> str:
    """
    Sha256 of a manifest, once all that it names is as it says.

    Raises:
        RefusedError: a shard, or the labels, are not.
    """
    path = where / "manifest.json"
    made = record.from_json(Manifest, store.read_json(path), str(path))
    parts = [(embeddings.shard(where, number), promised) for number, promised in enumerate(made.shards)]
    for part, promised in ((where / "labels.parquet", made.labels), *parts):
        if not part.is_file() or digest(part) != promised:
            raise RefusedError(f"{part}: not what {path.name} promises")
    return digest(path)
