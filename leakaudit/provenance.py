"""
Provenance: what an audit says of its subject, of how images entered, and of the command and versions behind it.

What `leakaudit verify` counts again is named here with its sha256: code, recipe, rows of the training, the ledger's
entry, images, embeddings.
"""

import datetime as dt
import hashlib
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from leakaudit import __version__, embeddings, own_code, record, store
from leakaudit.embeddings import Embeddings
from leakaudit.preprocessing import Preprocessing
from leakaudit.subject import Subject, Terms

PACKAGES = ("torch", "numpy", "scipy", "scikit-learn")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What an audit was asked, as far as it says which subject and which rows: SUBJECT and its flags, as typed."""

    subject: str
    data: str | None = None
    split: str | None = None
    rows: int | None = None
    group: str | None = None
    skip_unreadable: bool = False
    seed: int = 0
    backbone: str | None = None
    layer: tuple[str, ...] = ()
    size: str | None = None
    mean: str | None = None
    std: str | None = None
    partial: bool = False
    private: tuple[str, ...] = ()
    target: str | None = None


def prepared(subject: Subject) -> str:
    """How images enter the model, in words; empty where there are none."""
    source = subject.encoder
    if source is None or len(source.shape) != 3:  # noqa: PLR2004 (channels, height, width)
        return ""
    height, width = source.shape[1:]
    sides = (source.shape[0], height, width)
    whose = source.prepared or ("the recipe's" if subject.checkpoint is not None else "")
    return str(Preprocessing(sides, source.mean, source.std, source.resize, whose, source.ratio, source.distorted))


def about(subject: Subject) -> dict[str, Any]:
    """What the audit's `subject` says beside its name, hash and layer."""
    said: dict[str, Any] = {"preprocessing": words} if (words := prepared(subject)) else {}
    if subject.encoder is not None and subject.encoder.layers:
        said["side"] = f"the {subject.encoder.layers[0].at} of that layer"
    source = subject.encoder
    if source is not None and source.code is not None and source.backbone.name != "onnx":
        said["code"] = dict(own_code.sources(source.code))
    if subject.checkpoint is None:
        return subject.about | said
    card, made = subject.checkpoint.card, subject.checkpoint.recipe
    guessed = {} if card.guessed is None else {"pseudo_labels": record.to_json(card.guessed)}
    return {
        **said,
        "recipe": card.recipe,
        "recipe_sha256": hashlib.sha256(card.text.encode()).hexdigest(),
        **({"rows_sha256": card.trained} if card.trained else {}),
        "method": str(made.method),
        "backbone": str(made.backbone),
        "trained_on": str(made.dataset),
        "private": made.private,
        "target": made.target,
        "seed": card.seed,
        "overrides": card.overrides,
        **guessed,
    }


def asked(subject: Subject, terms: Terms) -> dict[str, Any]:
    """What the audit was asked, less what was not said; nothing where a program held the subject."""
    if not subject.typed:
        return {}
    fields = {name: getattr(terms, name) for name in Asked.__dataclass_fields__ if name != "subject"}
    made = record.to_json(Asked(subject=subject.typed, **fields))
    plain = record.to_json(Asked(subject=""))
    return {"asked": {name: value for name, value in made.items() if value != plain[name]}}


def images(subject: Subject) -> dict[str, Any]:
    """Sha256 of what all images of the data are made of; nothing where there are none."""
    if subject.dataset is None:
        return {}
    return {"contents": store.digest_tensors({"contents": subject.dataset.contents})}


def extracted(found: Embeddings, home: Path) -> dict[str, Any]:
    """Where in the store `home` the embeddings lie, and the sha256 of their manifest, which names each shard's."""
    key = found.origin.key
    manifest = embeddings.folder(home, key, found.origin.split) / "manifest.json"
    if not key or not manifest.is_file():
        return {}
    return {"embeddings": {"key": key, "sha256": store.digest_file(manifest)}}


def of(command: str) -> dict[str, Any]:
    """When, by which command and with which versions an audit is made."""
    versions = {name: metadata.version(name) for name in PACKAGES if _installed(name)}
    return {
        "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "command": command,
        "versions": {"leakaudit": __version__, "python": platform.python_version(), **versions},
    }


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
