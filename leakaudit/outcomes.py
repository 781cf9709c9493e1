"""
Per-row outcomes of an audit, in `NAME.rows.safetensors` beside it.

They are for paired comparisons only, and never enter a report.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leakaudit import store


@dataclass(frozen=True)
class Outcomes:
    """Per-row outcomes of one attribute, for paired comparison: never part of a report."""

    ids: np.ndarray
    """(n,) uint64, hashed row identities."""
    fold: np.ndarray
    """(n,) int64."""
    target: np.ndarray
    """(n,) int64: target stratum."""
    private: np.ndarray
    """(n,) int64: private class."""
    group: np.ndarray
    """(n,) int64: group, or the row's own number."""
    hits: dict[str, np.ndarray]
    """`nested`, `linear/balanced`, ..., and `model` (target guessed right): (n,) uint8."""


def save(outcomes: dict[str, Outcomes], path: Path) -> None:
    """Write `NAME.rows.safetensors`, one set of tensors per private attribute."""
    tensors = {}
    for name, rows in outcomes.items():
        tensors.update({f"{name}|{key}": getattr(rows, key) for key in ("ids", "fold", "target", "private", "group")})
        tensors.update({f"{name}|hit|{key}": value.astype(np.uint8) for key, value in rows.hits.items()})
    store.write_tensors(path, tensors)


def load(audit_path: Path) -> dict[str, Outcomes] | None:
    """The per-row outcomes beside an audit, or None where they were not handed on."""
    if not path_of(audit_path).is_file():
        return None
    tensors, _ = store.read_tensors(path_of(audit_path))
    names = {key.removesuffix("|ids") for key in tensors if key.endswith("|ids")}  # a name may hold a bar itself
    hits = {name: [key for key in tensors if key.startswith(f"{name}|hit|")] for name in names}
    return {
        name: Outcomes(
            **{key: tensors[f"{name}|{key}"] for key in ("ids", "fold", "target", "private", "group")},
            hits={key.rpartition("|")[2]: tensors[key] for key in hits[name] if key.count("|") == name.count("|") + 2},
        )
        for name in sorted(names)
    }


def path_of(audit_path: Path) -> Path:
    """Where the per-row outcomes of an audit lie."""
    return audit_path.with_name(f"{audit_path.stem}.rows.safetensors")
