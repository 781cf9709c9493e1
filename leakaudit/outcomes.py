"""
Per-row outcomes of an audit, in `NAME.rows.safetensors` beside it.

They are for paired comparisons only, and never enter a report.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leakaudit import store
from leakaudit.errors import RefusedError, spelt

LARGEST = 1 << 30
"""Bytes of per-row outcomes, at most: ten million rows and fifty attackers have fewer."""
KINDS = {
    "ids": np.uint64, "fold": np.int64, "target": np.int64, "private": np.int64, "group": np.int64, "gains": np.float32,
}  # fmt: skip
"""What each column beside hits is made of."""


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
    gains: np.ndarray | None = None
    """(n,) float32: what the nested winner tells of each row, in bits, of which `Figures.bits` is the mean; None where
    it was not kept, or guesses carry no probabilities."""


def save(outcomes: dict[str, Outcomes], path: Path) -> None:
    """Write `NAME.rows.safetensors`, one set of tensors per private attribute."""
    tensors = {}
    for name, rows in outcomes.items():
        tensors.update({f"{name}|{key}": getattr(rows, key) for key in ("ids", "fold", "target", "private", "group")})
        tensors.update({f"{name}|hit|{key}": value.astype(np.uint8) for key, value in rows.hits.items()})
        if rows.gains is not None:
            tensors[f"{name}|gains"] = rows.gains.astype(np.float32)
    store.write_tensors(path, tensors)


def load(audit_path: Path) -> dict[str, Outcomes] | None:
    """
    The per-row outcomes beside an audit, or None where they were not handed on.

    Raises:
        InputError: a folder, a pipe or a device has their name.
        RefusedError: they are truncated, larger than `LARGEST`, or no per-row outcomes.
    """
    path = path_of(audit_path)
    if not path.exists():
        return None
    store.check_file(path, LARGEST)
    tensors, _ = store.read_tensors(path)
    names = {key.removesuffix("|ids") for key in tensors if key.endswith("|ids")}  # a name may hold a bar itself
    if tensors and not names:
        raise RefusedError(f"{path}: no per-row outcomes: a tensor NAME|ids expected, {spelt(min(tensors))} found")
    hits = {name: [key for key in tensors if key.startswith(f"{name}|hit|")] for name in names}
    found = {}
    for name in sorted(names):
        lacking = next((key for key in KINDS if key != "gains" and f"{name}|{key}" not in tensors), None)
        if lacking is not None:
            raise RefusedError(f"{path}: no tensor {spelt(f'{name}|{lacking}')}")
        found[name] = Outcomes(
            **{key: tensors[f"{name}|{key}"] for key in KINDS if key != "gains"},
            hits={key.rpartition("|")[2]: tensors[key] for key in hits[name] if key.count("|") == name.count("|") + 2},
            gains=tensors.get(f"{name}|gains"),
        )
        _check(found[name], f"{path}: {spelt(name)}")
    return found


def _check(rows: Outcomes, where: str) -> None:
    """Refuse columns of other kinds, of several lengths, or with numbers that can be none of theirs."""
    parts = {key: getattr(rows, key) for key in KINDS} | {f"hit|{key}": value for key, value in rows.hits.items()}
    for key, values in parts.items():
        if values is None:
            continue
        kind = KINDS.get(key, np.uint8)
        if values.dtype != kind or values.shape != rows.ids.shape[:1]:
            found = f"{values.dtype} {list(values.shape)}"
            raise RefusedError(f"{where}|{spelt(key)}: {np.dtype(kind)} [{len(rows.ids)}] expected, {found} found")
    least = {"target": rows.target, "private": rows.private}
    wrong = [key for key, values in least.items() if values.min(initial=0) < 0]
    wrong += [f"hit|{key}" for key, values in rows.hits.items() if values.max(initial=0) > 1]
    wrong += ["gains"] * (rows.gains is not None and not np.isfinite(rows.gains).all())
    if wrong:
        raise RefusedError(f"{where}|{spelt(wrong[0])}: holds what can be no {spelt(wrong[0])}")


def path_of(audit_path: Path) -> Path:
    """Where the per-row outcomes of an audit lie."""
    return audit_path.with_name(f"{audit_path.stem}.rows.safetensors")
