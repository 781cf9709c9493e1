"""
Tracing: where the objects that an audit names lie now.

What flags say comes first; then the store, found by hash; then what the audit says was asked, or its command did, in
the working directory and beside the audit. Nothing is fetched, and nobody's code is run.
"""

import contextlib
import os
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from leakaudit import outcomes, own_code, record, store, subject
from leakaudit.audits import Audit
from leakaudit.dataset import Dataset
from leakaudit.errors import InputError, LeakauditError, RefusedError
from leakaudit.ledgers import address, fetching, ledger
from leakaudit.ledgers.ledger import Entry
from leakaudit.provenance import Asked
from leakaudit.subject import Subject, Terms

VERBS = ("attack", "reconstruct")
SWITCHES = (
    "--memorisation", "--skip-unreadable", "--partial", "--amp", "--trust-on-first-use", "--with-images", "--quiet",
    "--verbose", "-q", "-v",
)  # fmt: skip
"""Flags without a value."""
OWN = "the network is built by the user's own code: "
"""How the note begins by which older audits name that code."""
LONGEST = 4096
"""Letters of a path, as Linux takes them."""
MOST = 1000
"""Documents and checkpoints of a store that are looked at."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """Where objects lie, as the flags say it."""

    store: Path
    root: Path | None = None
    ledger: Path | None = None
    subject: str | None = None
    data: str | None = None


@dataclass(frozen=True)
class Trail:
    """What leads from one audit to what it names."""

    audit: Audit
    path: Path
    given: Given

    @cached_property
    def stores(self) -> list[Path]:
        """The store that is named, and the one that the audit lies in."""
        own = [self.path.absolute().parent.parent] if self.path.absolute().parent.name == "audits" else []
        typed = [Path(self._flags["--store"])] if "--store" in self._flags else []
        there = {folder.resolve(): folder for folder in (*typed, *own, self.given.store) if folder.is_dir()}
        return list(there.values())

    @property
    def home(self) -> Path:
        """The folder that the store lies in, else the audit: where the attack was likely run."""
        folder = self.path.absolute().parent
        return folder.parent.parent if folder.name == "audits" else folder

    @cached_property
    def asked(self) -> Asked | None:
        """What was asked: as the audit records it, else as its command says it; None where neither does."""
        table = self.audit.provenance.get("asked")
        if table:
            where = f"{self.path}.provenance.asked"
            made: Asked = record.from_json(Asked, table, where)
            _check_names((text for text in vars(made).values() if isinstance(text, str)), where)
            return made
        words, flags = self._words, self._flags
        if not words:
            return None
        _check_names((*words, *flags.values()), f"{self.path}.provenance.command")
        numbers = {name: flags[f"--{name}"] for name in ("rows", "seed") if flags.get(f"--{name}", "").isdecimal()}
        names = ("data", "split", "group", "backbone", "size", "mean", "std", "target")
        said: dict[str, Any] = {name: flags.get(f"--{name}") for name in names}
        said |= {name: int(value[:18]) for name, value in numbers.items()}
        return Asked(
            subject=words[0],
            layer=(flags["--layer"],) if "--layer" in flags else (),
            skip_unreadable="--skip-unreadable" in flags,
            partial="--partial" in flags,
            private=tuple(part.private for part in self.audit.attributes),
            **said,
        )

    @cached_property
    def entry(self) -> Entry | None:
        """The ledger's entry that the audit names, or what was typed in place of one; None where there is none."""
        name = str(self.audit.subject.get("ledger") or (self.asked.subject if self.asked else ""))
        if name.startswith(address.ADDRESSES):
            return ledger.typed(name)
        typed = Path(self._flags["--ledger"]) if "--ledger" in self._flags else None
        theirs = self.given.ledger or (typed if typed is not None and typed.is_file() else None)
        return ledger.find(name, theirs) if name else None

    @cached_property
    def file(self) -> Path | None:
        """The file that was audited: as a flag says, where it was, beside the audit, or what the ledger fetched."""
        if self.given.subject is not None:
            path = Path(self.given.subject)
            if not path.exists():
                raise InputError(f"--subject {self.given.subject}: no such file")
            return path
        if self.asked is None:
            return None
        typed = Path(self.asked.subject)
        near = (typed, self.path.parent / typed.name, self.home / typed)
        found = next((path for path in near if typed.name and path.is_file()), None)
        if found is None and self.entry is not None and self.entry.kind in ("https", "hf", "file"):
            found = fetched(self.entry)
        return found

    @cached_property
    def folder(self) -> Path | None:
        """The checkpoint: as a flag says, in a store by its hash, or where it was."""
        wanted = self.audit.subject.get("sha256")
        if self.given.subject is not None and Path(self.given.subject).is_dir():
            return Path(self.given.subject)
        twins: list[tuple[bool, int, Path]] = []
        for home in self.stores:
            for card in sorted((home / "checkpoints").rglob("checkpoint.json"))[:MOST]:
                with contextlib.suppress(LeakauditError):
                    said = store.read_json(card)
                    if said.get("tensors") == wanted:
                        twins.append((said.get("overrides") != self.audit.subject.get("overrides"), len(twins), card))
        if twins:  # of several with the same tensors, the one that was asked alike
            return min(twins)[2].parent
        typed = Path(self.asked.subject) if self.asked is not None else None
        return typed if typed is not None and (typed / "checkpoint.json").is_file() else None

    @cached_property
    def code(self) -> dict[str, str]:
        """The files of the user's own code, each with the sha256 that the audit recorded."""
        table = self.audit.subject.get("code")
        if table:
            _check_names(table, f"{self.path}.subject.code")
            return {str(name): str(digest) for name, digest in table.items()}
        note = next((note for note in self.audit.provenance.get("notes", ()) if note.startswith(OWN)), "")
        first = re.search(r" \(sha256 ([0-9a-f]{64})", note)
        name = str(self.audit.subject.get("backbone", "")).partition(".py:")[0]
        beside = dict(re.findall(r"(?:; with |, )([^;,]+?): sha256 ([0-9a-f]{64})", note))
        return {f"{name}.py": first[1], **beside} if first and name else {}

    @cached_property
    def reopened(self) -> "Subject | str":
        """The subject with its data, opened as the attack opened it; or why it is not."""
        if self.asked is None:
            return "what was asked is not recorded"
        if self.asked.backbone is not None and own_code.named(self.asked.backbone):
            return "the user's own code builds the network, and nobody's code is run to verify"
        name = self._subject
        if name is None:
            return "the subject is not at hand: --subject PATH"
        entry = self.entry if name.startswith(address.ADDRESSES) else None
        if entry is not None and fetching.promised(entry, fetching.home()) is None:
            return f"{entry.name}: not fetched yet, and nothing is fetched to verify"
        try:
            with _offline():
                return subject.find(name, self.terms)
        except LeakauditError as error:
            return str(error)

    @property
    def terms(self) -> Terms:
        """What the audit was asked, as the attack takes it."""
        assert self.asked is not None
        typed = Path(self._flags["--root"]) if "--root" in self._flags else Path(".leakaudit/data")
        own = {name: value for name, value in vars(self.asked).items() if name != "subject"}
        home = self.stores[0] if self.stores else self.given.store
        theirs = self.given.ledger or (Path(self._flags["--ledger"]) if "--ledger" in self._flags else None)
        made = Terms(store=home, root=self.given.root or typed, ledger=theirs, **own)
        return replace(made, data=self.given.data) if self.given.data else made

    @property
    def images(self) -> Dataset:
        """
        The images alone, where the network cannot be had.

        Raises:
            InputError: which images is not known, or they cannot be read.
            RefusedError: a file of them is damaged.
        """
        if self.asked is None or (self.terms.data is None and self.given.data is None):
            raise InputError("--data DATA [--root DIR] says which images")
        return subject.images(self.terms, self.terms.enters.size)

    @property
    def _subject(self) -> str | None:
        """SUBJECT as it is to be typed now."""
        assert self.asked is not None
        if self.audit.subject.get("kind") == "checkpoint":
            return None if self.folder is None else str(self.folder)
        library = self.entry is not None and self.entry.kind not in ("https", "hf", "file")
        if self.given.subject is None and (library or (self.file is None and ":" in self.asked.subject)):
            return self.asked.subject
        if self.given.subject is None and self.entry is not None:
            return self.asked.subject if self.file is not None else None
        return None if self.file is None else str(self.file)

    @cached_property
    def _command(self) -> tuple[list[str], dict[str, str]]:
        """The words of the audit's command that are no flags, less the verb; and its flags."""
        command = str(self.audit.provenance.get("command") or "")
        try:
            typed = shlex.split(command.partition("\n")[0])
        except ValueError:
            typed = []
        if typed[1:2] == [] or typed[1] not in VERBS:
            return [], {}
        words, flags, at = [], {}, iter(typed[2:])
        for word in at:
            name, equals, value = word.partition("=")
            if not word.startswith("-"):
                words.append(word)
            elif word in SWITCHES:
                flags[word] = ""
            else:
                flags[name] = value if equals else next(at, "")
        return words, flags

    @property
    def _words(self) -> list[str]:
        return self._command[0]

    @property
    def _flags(self) -> dict[str, str]:
        return self._command[1]


def _check_names(names: Iterable[str], where: str) -> None:
    """
    Refuse what can be no file's name.

    Raises:
        RefusedError: one is too long, or has a null in it.
    """
    if any("\0" in name or len(name) > LONGEST for name in names):
        raise RefusedError(f"{where}: names what can be no file")


def fetched(entry: Entry) -> Path | None:
    """Where an entry's file lies on this disk; None where it does not."""
    from leakaudit.ledgers import holdings

    return next((one.path for one in holdings.verify(fetching.home(), None, [entry]) if one.found), None)


@contextlib.contextmanager
def _offline() -> Iterator[None]:
    """Nothing is fetched."""
    before = os.environ.get("LEAKAUDIT_OFFLINE")
    os.environ["LEAKAUDIT_OFFLINE"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["LEAKAUDIT_OFFLINE"]
        else:
            os.environ["LEAKAUDIT_OFFLINE"] = before


def seals(trail: Trail, others: list[Path]) -> dict[str, Path]:
    """Whole audit documents beside the audit, in its stores and among `others`, by sha256: of copies, one with rows."""
    from leakaudit import audits

    homes = {folder.resolve() for folder in (trail.path.absolute().parent, *(home / "audits" for home in trail.stores))}
    near = [path for home in sorted(homes) for path in sorted(home.glob("*.json"))[:MOST]]
    found: dict[str, Any] = {}
    for path in (*others, *near):
        with contextlib.suppress(LeakauditError):
            data = store.read_json(path)
            if data.get("kind") == "audit" and audits.sealed(data):
                last = found.get(str(data["sha256"]))
                if last is None or (outcomes.path_of(path).exists() and not outcomes.path_of(last).exists()):
                    found[str(data["sha256"])] = path
    return found
