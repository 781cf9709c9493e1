"""
The verb behind `verify`: every hash that an audit names, counted again.

Files are hashed and read as the attack read them; nothing is fetched, nobody's code is run, nothing is unpickled but
tensors by `weights`. An object that is not found is not at hand: that is no contradiction, and said.
"""

import hashlib
import platform
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from leakaudit import (
    __version__,
    audits,
    checkpoint,
    encoder,
    opening,
    outcomes,
    own_code,
    provenance,
    recipe,
    record,
    store,
)
from leakaudit.errors import LeakauditError, RefusedError, spelt
from leakaudit.proofs import counting
from leakaudit.proofs.counting import HASH, HELD, IN_MEMORY, check, counted, digest, lacking
from leakaudit.proofs.tracing import Given, Trail, seals
from leakaudit.subject import Subject
from leakaudit.verification import Check, Made, Verification, Verified

FILES = ("weights", "onnx", "published")
"""Kinds of subjects that were read from one file."""
MANY = 20
"""Versions that are compared."""


def verify(paths: Sequence[Path], given: Given) -> Verification:
    """
    Count again every hash that the audits at these paths name; of a report of several audits, those of each.

    Raises:
        InputError: there is no such file, or what a flag names is not there.
        RefusedError: it is neither an audit nor a report, or is damaged.
    """
    return Verification(tuple(one for path in paths for one in _document(path, given, list(paths))))


def _document(path: Path, given: Given, named: list[Path]) -> Iterator[Verified]:
    """The audit in a file; of a report of several, what stands around them, and each."""
    data = store.read_json(path)
    if data.get("kind") != "report":
        yield _verified(data, path, str(path), given, named)
        return
    inside = data.get("audits")
    if not isinstance(inside, list) or not inside or not all(isinstance(one, dict) for one in inside):
        raise RefusedError(f"{path}: a report of audits expected, none found in it")
    note = "its verdict, comparisons and gates stand around the audits; `leakaudit report` makes them anew"
    whole = check("report", data.get("sha256"), _seal(data) if data.get("sha256") else "", "", note)
    yield Verified(str(path), f"report of {len(inside)} audits", str(data.get("verdict")), "", "", (whole,), ())
    for number, one in enumerate(inside, 1):
        yield _verified(one, path, f"{path} ({number} of {len(inside)})", given, named)


def _seal(data: dict[str, Any]) -> str:
    """The sha256 that a document must carry."""
    return store.digest(store.canonical({name: value for name, value in data.items() if name != "sha256"}))


def _verified(data: dict[str, Any], path: Path, where: str, given: Given, named: list[Path]) -> Verified:
    if data.get("kind") != "audit" or data.get("format") != 1:
        raise RefusedError(f"{where}: an audit expected, {spelt(repr(data.get('kind')))} found")
    recorded = str(data.get("sha256") or "")
    now = _seal(data)
    if recorded != now:
        note = "changed since it was written; nothing else that it names is counted"
        return Verified(where, "", "", "", "", (check("document", recorded, now, "", note),), ())
    audit = audits.of_document(data, where)
    trail = Trail(audit, path, given)
    checks = [Check("document", "matches", recorded, now)]
    checks += _beside(data, trail, named)
    for part in (_subject, _settings, _code, _ledger, counting.data, counting.cache):
        checks += part(trail)
    said = audit.provenance
    return Verified(
        where, audit.name, audit.verdict, str(said.get("created") or ""), str(said.get("command") or ""),
        tuple(checks), tuple(_versions(said.get("versions") or {})),
    )  # fmt: skip


def _beside(data: dict[str, Any], trail: Trail, named: list[Path]) -> Iterator[Check]:
    """The documents that this one was joined or read from, and the per-row outcomes beside it or beside one of them."""
    said = data["provenance"] if isinstance(data.get("provenance"), dict) else {}
    joined = [str(seal) for seal in said.get("documents") or ()]
    known = seals(trail, named) if joined or not outcomes.path_of(trail.path).exists() else {}
    for seal in joined:
        there = known.get(seal)
        if there is None:
            note = "no document beside this one, in the store or named here has it: name it as well"
            yield lacking("joined document", seal, note)
        else:
            yield Check("joined document", "matches", seal, seal, str(there))
    recorded = said.get("outcomes")
    homes = [trail.path, *(known[seal] for seal in (data["sha256"], *joined) if seal in known)]
    places = [outcomes.path_of(home) for home in homes]
    path = next((place for place in places if place.exists()), None)
    if path is None:
        yield lacking("per-row outcomes", recorded, f"{places[0].name} beside the audit")
    else:
        yield counted("per-row outcomes", recorded, path, lambda: digest(path))


def _subject(trail: Trail) -> Iterator[Check]:
    said, kind = trail.audit.subject, str(trail.audit.subject.get("kind"))
    if kind == "checkpoint":
        yield from _checkpoint(trail)
        return
    if kind in HELD:
        yield lacking("network" if kind == "module" else "embeddings", said.get("sha256"), IN_MEMORY)
        return
    what, key = ("embeddings file", "sha256") if kind == "file" else ("weights file", "file_sha256")
    recorded = said.get(key)
    path, file = trail.file, None
    if path is not None and (kind in FILES or kind == "file"):
        file = counted(what, recorded, path, lambda: digest(path))
        yield file
    elif kind in ("weights", "onnx", "file"):
        yield lacking(what, recorded, "--subject FILE says where it lies")
    if kind == "file":
        return
    changed = file is not None and file.state == "no longer matches"
    opened = "the weights file is another one" if changed else trail.reopened
    if kind == "published":
        told = opened if isinstance(opened, str) else str(opened.about.get("file_sha256", ""))
        yield check(what, recorded, told) if HASH.fullmatch(told) else lacking(what, recorded, told)
    if isinstance(opened, Subject) and opened.encoder is None:
        opened = "embeddings lie there, and no network"
    if not isinstance(opened, str):
        yield counted("network", said.get("sha256"), Path(opened.typed), lambda: _state(opened))
    elif path is not None and not changed and kind == "weights" and _tensors(path) == said.get("sha256"):
        yield check("network", said.get("sha256"), _tensors(path), str(path))
    else:
        yield lacking("network", said.get("sha256"), opened)


def _tensors(path: Path) -> str:
    """Sha256 of a file's tensors: the network's, where the file names them all as it does; empty where unreadable."""
    try:
        return store.digest_tensors(opening.read(path).tensors)
    except LeakauditError:
        return ""


def _state(opened: Subject) -> str:
    """Sha256 of the tensors of the network as the attack filled it."""
    from leakaudit import network as networks

    assert opened.encoder is not None
    made, _ = networks.of(opened.encoder)
    return store.digest_tensors({name: tensor.numpy() for name, tensor in made.state_dict().items()})


def _checkpoint(trail: Trail) -> Iterator[Check]:
    """The tensors of a checkpoint, its recipe, and the rows it was trained on."""
    said, folder = trail.audit.subject, trail.folder
    names = {"network": "sha256", "recipe": "recipe_sha256", "training rows": "rows_sha256"}
    if folder is None:
        for what, key in names.items():
            yield lacking(what, said.get(key), "--subject FOLDER, or --store DIR, says where the checkpoint lies")
        return
    weights, rows, card = (folder / name for name in ("weights.safetensors", "rows.safetensors", "checkpoint.json"))
    yield counted("network", said.get("sha256"), weights, lambda: store.digest_tensors(store.read_tensors(weights)[0]))
    yield counted(
        "recipe", said.get("recipe_sha256"), card,
        lambda: hashlib.sha256(str(store.read_json(card).get("text")).encode(errors="replace")).hexdigest(),
    )  # fmt: skip
    yield counted(
        "training rows", said.get("rows_sha256"), rows,
        lambda: store.digest_tensors({name: ids for name, ids in store.read_tensors(rows)[0].items() if name == "ids"}),
    )  # fmt: skip
    try:
        if weights.exists() and rows.exists():  # what is not there is not at hand
            checkpoint.load(folder)
    except RefusedError as error:
        yield Check("checkpoint", "no longer matches", where=str(folder), note=str(error))
    name = str(said.get("recipe") or "")
    if name and said.get("recipe_sha256") and name in recipe.available():
        there = recipe.find(name)[0]
        if digest(there) != said["recipe_sha256"]:
            note = f"the recipe {name} that lies there today is another text; the checkpoint's is what was trained"
            yield Check("recipe today", "not recorded", "", digest(there), str(there), note)


def _settings(trail: Trail) -> Iterator[Check]:
    """
    What the audit says of its subject beside hashes, where the subject says it otherwise now.

    How images enter, what the recipe was overridden with, the seed: a checkpoint whose weights and recipe match may
    have others.
    """
    said = trail.audit.subject
    try:
        now = _told(trail)
    except LeakauditError:
        return  # said where it was counted
    here = record.to_json({name: value for name, value in now.items() if name in said and "sha256" not in name})
    other = sorted(name for name, value in here.items() if value != said[name] and name != "code")
    if not other:
        return
    words = ", ".join(f"{name}: {spelt(str(said[name]), 60)} then, {spelt(str(here[name]), 60)} now" for name in other)
    then, there = ({name: table[name] for name in other} for table in (said, here))
    made = trail.audit.provenance
    if made.get("asked") and (made.get("versions") or {}).get("leakaudit") == __version__:
        recorded, found = (store.digest(store.canonical(part)) for part in (then, there))
        yield Check("settings", "no longer matches", recorded, found, note=words)
    else:
        yield Check("settings", "not recorded", note=f"{words}; another leakaudit may have worded them otherwise")


def _told(trail: Trail) -> dict[str, Any]:
    """What an audit would say of the subject as it lies there now; empty where it is not opened."""
    if trail.audit.subject.get("kind") == "checkpoint" and trail.folder is not None:
        card = checkpoint.load(trail.folder)
        return provenance.about(Subject(encoder=encoder.of(card), checkpoint=card))
    return {} if isinstance(trail.reopened, str) else provenance.about(trail.reopened)


def _code(trail: Trail) -> Iterator[Check]:
    """The files of the user's own code: hashed, never run."""
    if not trail.code:
        return
    typed = own_code.TYPED.fullmatch((trail.asked.backbone if trail.asked else None) or "")
    code = Path(typed["file"]).parent if typed else Path()
    homes = [*([code, trail.home / code] if typed else []), trail.path.parent]
    for name, recorded in trail.code.items():
        what = f"own code {spelt(name)}"
        inside = [home / name for home in homes if (home / name).resolve().is_relative_to(home.resolve())]
        path = next((place for place in inside if place.is_file()), None)
        if path is None:
            yield lacking(what, recorded, "run verify in the folder that the attack was run in")
        else:
            yield counted(what, recorded, path, partial(digest, path))


def _ledger(trail: Trail) -> Iterator[Check]:
    """What the ledger said of the subject."""
    recorded = trail.audit.subject.get("ledger_sha256")
    if not trail.audit.subject.get("ledger") or (recorded is None and trail.entry is None):
        return
    entry = trail.entry
    if entry is None:
        yield lacking("ledger's entry", recorded, "--ledger FILE says which ledger has it")
    elif entry.ledger != Path():
        yield check("ledger's entry", recorded, entry.sealed, f"{entry.ledger} [{entry.name}]")


def _versions(then: Mapping[str, Any]) -> Iterator[Made]:
    """The versions that the audit was made by, beside those that are here."""
    for name, version in list(then.items())[:MANY]:
        yield Made(str(name), str(version), _installed(str(name)))


def _installed(name: str) -> str:
    if name == "python":
        return platform.python_version()
    try:
        return __version__ if name == "leakaudit" else metadata.version(name)
    except (metadata.PackageNotFoundError, ValueError):
        return ""
