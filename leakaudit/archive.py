"""The archive: where audits lie in the store, and how one is found by path or by name."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from leakaudit import audits, catalog, joining, outcomes, stats, store
from leakaudit.audits import Attribute, Audit
from leakaudit.errors import InputError, RefusedError
from leakaudit.joining import Given
from leakaudit.outcomes import Outcomes

SAME = 1e-6
"""Below this, two figures counted from the same rows are the same."""


def place(root: Path, name: str, kind: str, key: str) -> Path:
    """Where the audit of a subject lies; `kind` is `attack` or `reconstruct`, `key` says what was asked."""
    slug = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)[:80]
    return root / "audits" / f"{slug}-{kind}-{key}.json"


def read(path: Path) -> tuple[Audit, dict[str, Outcomes] | None]:
    """
    An audit, and its per-row outcomes where they lie beside it.

    Raises:
        InputError: there is no such file.
        RefusedError: it is no audit, one of them is damaged, or the outcomes are not those of this audit.
    """
    audit, found = audits.load(path), outcomes.load(path)
    if found is not None:
        _check(audit, found, outcomes.path_of(path))
    return audit, found


def _check(audit: Audit, found: Mapping[str, Outcomes], path: Path) -> None:
    """That the outcomes have the hash that the audit recorded, and the rows and classes that it speaks of."""
    recorded = audit.provenance.get("outcomes")
    if recorded and store.digest_file(path) != recorded:
        raise RefusedError(f"{path}: not the per-row outcomes that this audit was written with (its sha256 differs)")
    for part in audit.attributes:
        rows = found.get(part.private)
        if rows is None:
            continue
        if len(rows.ids) != part.rows.scored:
            raise RefusedError(f"{path}: {len(rows.ids):,} rows of {part.private}, {part.rows.scored:,} in the audit")
        for name, values, count in (
            ("target", rows.target, len(part.target_classes)), ("private", rows.private, len(part.classes))
        ):  # fmt: skip
            if values.max(initial=0) >= count:
                raise RefusedError(f"{path}: {name} class {values.max()} of {part.private}, {count:,} in the audit")
        if not recorded and not part.attacker.startswith(joining.DECODED):
            _check_excess(part, rows, path)


def _check_excess(part: Attribute, rows: Outcomes, path: Path) -> None:
    """That rows whose hash an older audit does not record have its E: others may be those of another audit."""
    if "nested" not in rows.hits:
        return
    guess = np.where(rows.hits["nested"] == 1, rows.private, -1)
    found = stats.excess(guess, rows.target, rows.private, len(part.target_classes), len(part.classes))
    if abs(found - part.figures.excess.value) > SAME:
        told = f"E of {part.private} is {found:.4f} in them, {part.figures.excess.value:.4f} in the audit"
        raise RefusedError(f"{path}: not the per-row outcomes of this audit: {told}")


def attack(name: str, root: Path, flag: str) -> Given:
    """
    The one attack of that name, with the reconstruction of its subject where there is one; `flag` asks for it.

    Raises:
        InputError: there is none, there are several, or images were rebuilt and nothing was attacked.
        RefusedError: its document or its per-row outcomes are damaged.
    """
    try:
        paths = gather([name], root)
    except InputError as error:
        raise InputError(f"{flag}: {error}") from error
    whole = joining.merged([read(path) for path in paths])
    if len(whole) > 1:
        raise InputError(f"{flag} {name}: {len(whole)} audits; the name of one expected")
    if joining.is_reconstruction(whole[0][0]):
        raise InputError(f"{flag} {name}: images rebuilt, and no attack; an audit of an attack expected")
    return whole[0]


def gather(names: Sequence[str], root: Path, *, every: bool = False) -> list[Path]:
    """
    The documents of all these names; the per-row outcomes beside one, which a shell's `*` also names, are passed over.

    `every`: all documents of a subject, however many attacks of it there are.

    Raises:
        InputError: as `find`; or one document is named twice.
    """
    beside = {str(outcomes.path_of(Path(name))) for name in names}
    found = [path for name in names if name not in beside for path in find(name, root, every=every)]
    for number, path in enumerate(found):
        if path.resolve() in [other.resolve() for other in found[:number]]:
            raise InputError(f"{path}: named twice; an audit beside itself says nothing")
    return found


def find(name: str, root: Path, *, every: bool = False) -> list[Path]:
    """
    The documents of that name: a path, a document's own name, or a subject's.

    Raises:
        InputError: nothing has that name; or, unless `every` is asked for, several attacks (or reconstructions) have.
    """
    path = Path(name)
    if path.is_file():
        return [path]
    home = root / "audits"
    if (home / f"{name}.json").is_file():
        return [home / f"{name}.json"]
    found = [file for file in sorted(home.glob("*.json")) if _speaks_of(file, name)]
    kinds = [("reconstruct" if "-reconstruct-" in file.name else "attack") for file in found]
    if not found and path.exists():
        raise InputError(f"{name}: no file, and no audit of that name; a document expected")
    if not found:
        known = {str(_subject(file).get("recipe") or _subject(file).get("name") or "") for file in home.glob("*.json")}
        raise InputError(f"no audit {name!r}. {catalog.suggest(name, filter(None, known))}")
    if not every and (kinds.count("attack") > 1 or kinds.count("reconstruct") > 1):
        raise InputError(f"{name}: {len(found)} audits; name them: {', '.join(file.stem for file in found)}")
    return found


def _speaks_of(file: Path, name: str) -> bool:
    subject = _subject(file)
    whole = str(subject.get("name") or "")
    return name in (subject.get("recipe"), whole, re.sub(r"@[0-9a-f]{8}(?=#|$)", "", whole))


def _subject(file: Path) -> dict[str, Any]:
    subject = store.read_json(file).get("subject")
    if not isinstance(subject, dict):
        raise RefusedError(f"{file}: not an audit: it has no table subject")
    return subject
