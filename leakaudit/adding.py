"""Adding: weights that somebody has, with their hash, into a ledger of one's own."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from leakaudit import catalog, likeness, network, opening, preprocessing, store
from leakaudit.encoder import Encoder
from leakaudit.errors import InputError
from leakaudit.ledgers import fetching, ledger
from leakaudit.ledgers.ledger import Entry
from leakaudit.unwrapping import Weights

HEAD = "# Encoders of one's own, for --ledger, in the form of the checkpoints.toml that ships with leakaudit.\n"


def add(weights: str, name: str, said: Mapping[str, Any], path: Path) -> Entry:
    """
    Write `name` into the ledger at `path`, which keeps what stands there; a file of another place is fetched first.

    Raises:
        InputError: the name is taken or not plain, what is said of it does not hold, or there is no such file;
            or the backbone is not to be had, or not one that these weights fill.
        RefusedError: the file is not one that leakaudit reads.
    """
    ledger.check_name(name, "--name")
    store.check_place(path)
    if name in ledger.entries(path if path.is_file() else None):
        raise InputError(f"{name}: the ledger has an entry of that name already; --name another")
    file, place = _fetched(weights, path)
    read = opening.read(file)
    made = {"weights": place, "sha256": read.sha256, "bytes": read.size} | _fields(said)
    entry = ledger.entry(name, made, path)
    _check_backbone(entry, read)
    locks = fetching.home()
    with store.writing(locks):
        locks.mkdir(parents=True, exist_ok=True)
    with FileLock(locks / f".{store.digest(str(path.absolute()))[:12]}.lock"):
        before = path.read_text(encoding="utf-8") if path.is_file() else HEAD
        if path.is_file() and name in ledger.read(path):
            raise InputError(f"{name}: {path} has an entry of that name already; --name another")
        store.write_bytes(path, f"{before.rstrip()}\n\n{_table(name, made)}".encode())
    return entry


def next_line(entry: Entry, path: Path) -> str:
    """What to type next."""
    words = ["leakaudit", "attack", entry.name, "--ledger", str(path)]
    words += [] if entry.backbone else ["--backbone", "NAME"]
    words += [] if entry.dataset else ["--data", "DATA"]
    words += [part for private in entry.privates or ("NAME",) for part in ("--private", private)]
    return shlex.join(words)


def _check_backbone(entry: Entry, read: Weights) -> None:
    """Refuse a backbone that the weights do not fill at any likely size of images; no number is drawn."""
    if not entry.backbone or read.format == "ONNX":
        return
    call, tensors = catalog.call("backbones", entry.backbone, "--backbone"), entry.renamed(read.tensors)
    side = preprocessing.parse(entry.flags.get("size"), None, None).size
    nearest: tuple[int, Encoder] | None = None
    trouble: InputError | None = None
    for shape in likeness.entrances(call, tensors, side):
        source = Encoder(entry.name, "weights", call, 0, shape, (), (), tensors)
        try:
            found, _ = network.compared(source)
        except InputError as error:
            trouble = trouble or error
            continue
        if found.fits:
            return
        if nearest is None or len(found.fills) > nearest[0]:
            nearest = (len(found.fills), source)
    try:
        if nearest is not None:
            network.fitted(nearest[1])
    except InputError as error:
        trouble = error
    raise InputError(f"{trouble}; not added: without --backbone it is, and `attack` takes another then")


def _fetched(weights: str, path: Path) -> tuple[Path, str]:
    """The file, and what the ledger says of its place: a path beside it where it lies there."""
    if "://" in weights and not weights.startswith("file://"):
        entry = ledger.typed(weights)
        found, known = fetching.fetch(entry, trust=True), fetching.promised(entry, fetching.home())
        if entry.kind == "hf" and known is not None and known.revision:
            weights = f"hf://{entry.hub.repository}/{entry.hub.file}@{known.revision}"
        return found.path, weights
    file = ledger.typed(weights).path if weights.startswith("file://") else Path(weights)
    if not file.is_file():
        raise InputError(f"{weights}: no such file")
    home, whole = path.absolute().parent, file.absolute()
    return file, whole.relative_to(home).as_posix() if whole.is_relative_to(home) else whole.as_uri()


def _fields(said: Mapping[str, Any]) -> dict[str, Any]:
    """What was typed as the ledger holds it."""
    found = {name: value for name, value in said.items() if value}
    typed = preprocessing.parse(None, found.get("mean"), found.get("std"))
    found |= {name: list(numbers) for name in ("mean", "std") if (numbers := getattr(typed, name))}
    if len(found.get("private", ())) == 1:
        found["private"] = found["private"][0]
    if str(found.get("size", "")).isdigit():
        found["size"] = int(found["size"])
    return found


def _table(name: str, fields: Mapping[str, Any]) -> str:
    """The table of an entry as TOML."""
    head = name if re.fullmatch(r"[\w-]+", name) else f'"{name}"'
    return "\n".join([f"[{head}]", *(f"{field} = {_toml(value)}" for field, value in fields.items())]) + "\n"


def _toml(value: Any) -> str:
    """A text, a number or a list of them as TOML (https://toml.io/en/v1.0.0#string)."""
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if not isinstance(value, str):
        return repr(value)
    plain = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(letter if letter.isprintable() else f"\\U{ord(letter):08X}" for letter in plain) + '"'
