"""Provenance: what an audit says of its subject, of how images entered, and of the command and versions behind it."""

import datetime as dt
import platform
from importlib import metadata
from typing import Any

from leakaudit import __version__, record
from leakaudit.preprocessing import Preprocessing
from leakaudit.subject import Subject

PACKAGES = ("torch", "numpy", "scipy", "scikit-learn")


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
    said = {"preprocessing": words} if (words := prepared(subject)) else {}
    if subject.encoder is not None and subject.encoder.layers:
        said["side"] = f"the {subject.encoder.layers[0].at} of that layer"
    if subject.checkpoint is None:
        return subject.about | said
    card, made = subject.checkpoint.card, subject.checkpoint.recipe
    guessed = {} if card.guessed is None else {"pseudo_labels": record.to_json(card.guessed)}
    return {
        **said,
        "recipe": card.recipe,
        "method": str(made.method),
        "backbone": str(made.backbone),
        "trained_on": str(made.dataset),
        "private": made.private,
        "target": made.target,
        "seed": card.seed,
        "overrides": card.overrides,
        **guessed,
    }


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
