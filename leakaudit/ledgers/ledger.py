"""
The ledger: what checkpoints there are by name, where their weights lie, and what their file must hash to.

`checkpoints.toml` is one table an encoder; a user's own is passed with `--ledger`. A ledger is data: it names no code,
and whoever writes one can promise a file and no more.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from leakaudit import catalog, record, store
from leakaudit.errors import InputError, spelt
from leakaudit.ledgers import address
from leakaudit.ledgers.address import Hub

FILE = "checkpoints.toml"
LIST = "leakaudit checkpoints list"
"""What lists all encoders."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
SUFFIXES = (".pth", ".pt", ".bin", ".ckpt", ".onnx", ".safetensors", ".npz", ".parquet", ".csv", ".toml", ".json")
"""Ends of names that would be taken for a file's."""


class Promise(NamedTuple):
    """What a file must be."""

    sha256: str
    bytes: int
    revision: str = ""
    """Commit of what lies at `hf://` without one."""
    by: str = "the ledger"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """An encoder of the ledger; what is empty is not said."""

    name: str
    ledger: Path
    """The file; paths are relative to its folder."""
    weights: str = ""
    """Where they lie: `address.PLACES`."""
    sha256: str = ""
    """Of the file's bytes, in hexadecimal."""
    bytes: int | None = None
    backbone: str = ""
    """As it is typed: `simple-convnet:kernel=3`."""
    layer: str = ""
    """As it is typed; empty: the classifier's input."""
    size: int | str = ""
    """Height and width of the input: 224, or "224x160"."""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    dataset: str = ""
    """As it is typed: `biased-mnist:rho=0.99`."""
    target: str = ""
    private: str | tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    """Those of the target, in the order of the logits."""
    trained: str = ""
    """Split of `dataset` on which it was trained: `train`."""
    rename: dict = field(default_factory=dict)
    """Starts of tensors' names that the backbone calls otherwise: `{ "fc." = "classifier." }`."""
    licence: str = ""
    citation: str = ""
    note: str = ""

    @property
    def kind(self) -> str:
        """`https`, `hf`, `file`, or the library that has them: `timm`, `torchvision`."""
        start = self.weights.partition(":")[0]
        return start if start in ("https", "hf", *catalog.SHELVES) else "file"

    @property
    def hub(self) -> Hub:
        """Repository, file and revision of what lies at `hf://`."""
        return address.hub(self.weights)

    @property
    def path(self) -> Path:
        """The file, of those that need no download."""
        if self.weights.startswith("file://"):
            return Path(unquote(urlsplit(self.weights).path))
        return self.ledger.parent / self.weights

    @property
    def shipped(self) -> bool:
        """Whether it stands in the ledger that ships with leakaudit."""
        return self.ledger == own()

    @property
    def told(self) -> dict[str, str]:
        """What an audit says of the entry: name, licence, citation, and the sha256 of all that the entry says."""
        said = {"ledger": self.name, "licence": self.licence, "citation": self.citation}
        return {name: words for name, words in said.items() if words} | (
            {"ledger_sha256": self.sealed} if self.ledger != Path() else {}
        )

    @property
    def sealed(self) -> str:
        """Sha256 of all that the entry says, wherever its ledger lies."""
        said = {name: value for name, value in vars(self).items() if name != "ledger"}
        return store.digest(store.canonical(record.to_json(said)))

    @property
    def location(self) -> str:
        """Where the weights lie, said without the ledger."""
        return self.path.absolute().as_uri() if self.kind == "file" else self.weights

    @property
    def privates(self) -> tuple[str, ...]:
        """The private attributes that are known of."""
        return (self.private,) if isinstance(self.private, str) else self.private

    def renamed(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """
        Tensors by the names that the backbone has for them, in their order.

        Raises:
            InputError: two tensors would have one name.
        """
        found = {}
        for name, tensor in tensors.items():
            start = max((old for old in self.rename if name.startswith(old)), key=len, default="")
            found[(self.rename[start] + name[len(start) :]) if start in self.rename else name] = tensor
        if len(found) < len(tensors):
            raise InputError(f"{self.ledger} [{self.name}]: rename: two tensors would have one name")
        return found

    @property
    def flags(self) -> dict[str, str]:
        """What it says, as the flags of the command line would: `backbone`, `size`, `mean`, `std`, `data`, `target`."""
        numbers = {name: ",".join(repr(number) for number in getattr(self, name)) for name in ("mean", "std")}
        said = {"backbone": self.backbone, "size": str(self.size), "data": self.dataset, "target": self.target}
        return {name: text for name, text in (said | numbers).items() if text}


def read(path: Path) -> dict[str, Entry]:
    """
    The entries of a ledger, by name.

    Raises:
        InputError: there is no such file, it is not TOML, or an entry is not one; the message names file and table.
    """
    try:
        tables: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such ledger") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # also text that is no UTF-8, and numbers without end
        raise InputError(f"{path}: not TOML: {spelt(error)}") from error
    return {name: entry(name, table, path) for name, table in tables.items()}


def entry(name: str, table: Any, path: Path) -> Entry:
    """
    One table of the ledger at `path`.

    Raises:
        InputError: it is not an encoder.
    """
    where = f"{path} [{name[:120]}]" if name.isprintable() else f"{path} [{name[:100]!r}]"
    check_name(name, where)
    if not isinstance(table, dict):
        raise InputError(f"{where}: a table expected, {name} = {str(table)[:60]!r} found")
    known = catalog.knobs(Entry)
    for word, value in table.items():
        if word not in known and isinstance(value, dict):
            raise InputError(f'{where}: no field {word[:80]!r}; a name with a dot in it stands in quotes: ["NAME"]')
        if word not in known:
            raise InputError(f"{where}: no field {word[:80]!r}. {catalog.suggest(word[:80], known)}")
    given = catalog.check(Entry, table, where)
    made = Entry(name=name, ledger=path, **given)
    address.check(made.weights, where)
    if made.kind in catalog.SHELVES and made.sha256:
        raise InputError(f"{where}: {made.kind} fetches its own weights; sha256 and bytes say nothing here")
    if made.sha256 and not re.fullmatch(r"[0-9a-f]{64}", made.sha256):
        raise InputError(f"{where}: sha256 = {made.sha256[:80]!r}: 64 hexadecimal digits (0-9, a-f) expected")
    if made.bytes is not None and made.bytes < 1:
        raise InputError(f"{where}: bytes = {made.bytes}: at least 1 expected")
    if bool(made.sha256) != (made.bytes is not None):
        raise InputError(f"{where}: sha256 and bytes expected together, or neither")
    _check_backbone(made, where)
    if not re.fullmatch(r"([1-9]\d*(x[1-9]\d*)?)?", str(made.size)):
        raise InputError(f"{where}: size = {made.size!r}: 224, or '224x160', expected")
    if len(made.mean) != len(made.std) or min(made.std, default=1) <= 0:
        raise InputError(f"{where}: as many numbers in std as in mean expected, those of std above 0")
    if not all(isinstance(part, str) for part in made.rename.values()):
        raise InputError(f'{where}: rename: {{ "old start" = "new start" }} expected')
    return made


def own() -> Path:
    """The ledger that ships with leakaudit."""
    package = Path(str(resources.files("leakaudit")))
    return next((path for path in (package / FILE, package.parent / FILE) if path.is_file()), package / FILE)


def entries(theirs: Path | None = None) -> dict[str, Entry]:
    """
    Leakaudit's own entries and those of a user's ledger, whose entry holds where both have the name.

    Raises:
        InputError: the user's ledger is not there, or not one.
    """
    return read(own()) | (read(theirs) if theirs is not None else {})


def find(name: str, theirs: Path | None = None) -> Entry | None:
    """
    The entry of that name; None where there is none.

    Raises:
        InputError: the user's ledger is not there, or not one.
    """
    return entries(theirs).get(name)


def shadows(theirs: Path | None) -> tuple[str, ...]:
    """Names of leakaudit's own entries in whose place those of a user's ledger are used."""
    return tuple(sorted({*read(own())} & {*read(theirs)})) if theirs is not None else ()


def clear(name: str, theirs: Path | None = None) -> None:
    """
    Refuse a name that is a file's of the working directory, and an entry's as well.

    Raises:
        InputError: it is.
    """
    if Path(name).exists() and name == Path(name).name and find(name, theirs):
        raise InputError(f"{name}: both a file here and an entry of the ledger; say ./{name} for the file")


def typed(text: str) -> Entry:
    """
    What is typed in place of a name, `https://...` or `hf://...`, as an entry of which nothing else is said.

    Raises:
        InputError: there can be no file at such a place.
    """
    made = Entry(name=text, ledger=Path(), weights=text)
    address.check(text, text[:200])
    return made


def check_name(name: str, where: str) -> None:
    """
    Refuse a name that could not be typed, or would be taken for something else.

    Raises:
        InputError: it is not plain.
    """
    if not NAME.fullmatch(name) or name.lower().endswith(SUFFIXES):
        raise InputError(f"{where}: a plain name expected: letters, digits, '-', '_' and '.', and no file's ending")


def key(made: Entry) -> str:
    """Twelve hexadecimal digits that two entries share exactly when they promise the same file at the same place."""
    return store.digest(made.location, made.sha256)[:12]


def _check_backbone(made: Entry, where: str) -> None:
    if not made.backbone:
        return
    if re.search(r"\.py(:|$)", made.backbone):
        raise InputError(
            f"{where}: backbone = {made.backbone[:80]!r}: a ledger names no code; give FILE.py:FUNCTION on the command "
            "line, with --backbone"
        )
    if made.kind in catalog.SHELVES:
        raise InputError(f"{where}: backbone: weights = {made.weights!r} are those of their own network")
    catalog.call("backbones", made.backbone, f"{where}: backbone")
