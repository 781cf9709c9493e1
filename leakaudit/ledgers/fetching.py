"""
Fetching: the weights of an entry of the ledger, on this disk and what its hash promises, or refused.

Nothing that is fetched is run, read or unpacked here. HTTP and resuming are huggingface_hub's `http_get`, which asks
for the rest of a file by Range and starts anew where a server sends all of it
(https://huggingface.co/docs/huggingface_hub/package_reference/file_download); proxies are those of the environment.
Downloads lie in `$LEAKAUDIT_HOME/weights`, else in the XDG cache folder; those of `hf://` in Hugging Face's own cache.
"""

import os
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from filelock import FileLock

from leakaudit import store
from leakaudit.errors import InputError, RefusedError
from leakaudit.ledgers import ledger, reaching
from leakaudit.ledgers.ledger import Entry, Promise

LARGEST = 8 * 2**30
"""Bytes, at most, of a file whose size nobody promised."""
TRUSTED = "trusted.json"
AGAIN = ". Whoever wants the new file takes the old one's hash out of that record"


class Fetched(NamedTuple):
    """A file that is what it should be."""

    path: Path
    sha256: str
    notes: tuple[str, ...] = ()
    """What a reader of an audit must know of where it came from."""


def home() -> Path:
    """`$LEAKAUDIT_HOME`, else `leakaudit` in the XDG cache folder."""
    said = os.environ.get("LEAKAUDIT_HOME")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return Path(said).expanduser() if said else cache / "leakaudit"


def fetch(entry: Entry, folder: Path | None = None, *, trust: bool = False) -> Fetched:
    """
    The file of an entry; its hash is counted every time.

    Where the ledger promises no hash, `trust` takes the file as it is and records its hash in `trusted.json` of
    `folder` (None: `home()`), to which the place is held from then on.

    Raises:
        InputError: there is no such file, it cannot be reached, or nothing says what it should be.
        RefusedError: it is not what was promised, or no weights but a page.
    """
    folder = home() if folder is None else folder
    if entry.kind not in ("https", "hf", "file"):
        raise InputError(
            f"{entry.name}: {entry.kind} has these weights itself: {entry.weights} is a subject of its own"
        )
    promise = promised(entry, folder)
    if promise is None and not trust:
        raise InputError(
            f"{entry.name}: no hash is known of {entry.weights}, so that any file could lie there; "
            "--trust-on-first-use takes it as it is, records its hash and holds it to that from then on"
        )
    notes: tuple[str, ...] = ()
    path, revision = (place(entry, folder) if entry.kind == "https" else entry.path), ""
    if entry.kind == "hf":
        path, revision = reaching.hub(entry.hub, entry.name, LARGEST, promise)
        if not re.fullmatch(r"[0-9a-f]{40}", entry.hub.revision):
            notes = (f"{entry.weights}: commit {revision}",)
    elif entry.kind == "https" and not path.is_file():
        _download(entry, path, promise)
    found = checked(path, promise, entry)
    if promise is None:
        record(entry, folder, Promise(found, path.stat().st_size, revision))
        notes += (f"{entry.weights}: taken as it is on first use; its sha256 {found} is recorded",)
    elif not entry.sha256:
        notes += (f"{entry.weights}: held to the sha256 {found} of its first use; no ledger promises it",)
    return Fetched(path, found, notes)


def place(entry: Entry, folder: Path) -> Path:
    """Where a download lies: the name of the file, and what tells it from another of that name."""
    named = re.sub(r"[^\w.-]", "_", unquote(urlsplit(entry.weights).path.rsplit("/", 1)[-1]))[-60:]
    asked = re.search(r"[?&]files=([\w.-]{1,60})", entry.weights)
    return folder / "weights" / f"{ledger.key(entry)}-{asked[1] if asked else named or 'weights'}"


def promised(entry: Entry, folder: Path) -> Promise | None:
    """
    What is known of a file: by the ledger, else by its first use; None where nothing is.

    Raises:
        RefusedError: the record of first uses is damaged.
    """
    if entry.sha256 and entry.bytes is not None:
        return Promise(entry.sha256, entry.bytes, entry.hub.revision if entry.kind == "hf" else "")
    return trusted(folder).get(entry.location)


def trusted(folder: Path) -> dict[str, Promise]:
    """
    What was taken on first use, by location.

    Raises:
        RefusedError: the record is damaged.
    """
    path = folder / TRUSTED
    if not path.is_file():
        return {}
    files = store.read_json(path).get("files")
    try:
        made = {place: Promise(**known, by=str(path)) for place, known in dict(files).items()}  # type: ignore[arg-type]
        assert all(re.fullmatch(r"[0-9a-f]{64}", one.sha256) and one.bytes > 0 for one in made.values())
        assert all(isinstance(one.revision, str) for one in made.values())
    except (TypeError, ValueError, AssertionError) as error:
        raise RefusedError(f"{path}: not a record of first uses: sha256 and bytes by location expected") from error
    return made


def record(entry: Entry, folder: Path, promise: Promise) -> None:
    """Keep what a file was on its first use."""
    with store.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f".{TRUSTED}.lock"):
        known = trusted(folder) | {entry.location: promise}
        files = {
            where: {"sha256": one.sha256, "bytes": one.bytes} | ({"revision": one.revision} if one.revision else {})
            for where, one in sorted(known.items())
        }
        store.write_json(folder / TRUSTED, {"format": 1, "kind": "trusted", "files": files})


def checked(path: Path, promise: Promise | None, entry: Entry) -> str:
    """
    The sha256 of a file.

    Raises:
        InputError: there is no such file.
        RefusedError: it is not the one that was promised; a download is removed.
    """
    if not path.is_file():
        raise InputError(f"{entry.name}: {path}: no such file")
    size, found = path.stat().st_size, store.digest_file(path)
    if promise is None or (size, found) == (promise.bytes, promise.sha256):
        return found
    ends = {"https": "; it was removed", "hf": "; it lies in Hugging Face's cache and was left there"}
    again = "" if entry.sha256 else AGAIN
    if entry.kind == "https":
        path.unlink()
    raise RefusedError(
        f"{entry.name}: {path}: another file than promised: sha256 {found} ({size:,} bytes), {promise.by} promises "
        f"{promise.sha256} ({promise.bytes:,} bytes){ends.get(entry.kind, '')}{again}"
    )


def _download(entry: Entry, path: Path, promise: Promise | None) -> None:
    """Put a file there, whole; what came of it before it was cut off is kept, and gone on with."""
    with store.writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with FileLock(path.with_name(f".{path.name}.lock")):
        if path.is_file():  # by another process, meanwhile
            return
        if promise is None:  # nothing would tell whether an older beginning belongs to it
            part.unlink(missing_ok=True)
        resumed, size = part.is_file(), promise.bytes if promise else None
        reaching.download(entry.weights, part, entry.name, size, LARGEST)
        if resumed and promise and store.digest_file(part) != promise.sha256:
            part.unlink()
            reaching.download(entry.weights, part, entry.name, size, LARGEST)
        found = store.digest_file(part)
        if promise and found != promise.sha256:
            part.unlink()
            raise RefusedError(
                f"{entry.name}: {entry.weights}: another file than promised: sha256 {found}, {promise.by} promises "
                f"{promise.sha256}; it was removed{AGAIN if not entry.sha256 else ''}"
            )
        part.replace(path)
