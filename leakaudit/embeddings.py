"""
Embeddings: what an attacker holds. One row per image: bottleneck, model output, labels.

On disk they are a folder written shard by shard (`manifest.json` last), or a stranger's single file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float32, Int64, UInt64

from leakaudit import catalog, store
from leakaudit.dataset import Labels
from leakaudit.errors import InputError


@dataclass(frozen=True)
class Origin:
    """Where embeddings come from, for the audit's provenance."""

    name: str
    """What a person calls it: checkpoint name or file name."""
    kind: str
    """`checkpoint` or `file`."""
    sha256: str
    """Of the checkpoint's tensors, or of the file."""
    data: str
    """The data set as it is typed; empty for a stranger's file."""
    split: str
    fingerprint: str
    """Of the data set, or of the file's label columns."""
    layer: str = ""
    key: str = ""
    """Key in the store's cache; empty for a stranger's file."""


@dataclass(frozen=True)
class Embeddings:
    """Bottleneck vectors, and for each row what is known about it."""

    z: Float32[np.ndarray, "n d"]
    logits: Float32[np.ndarray, "n k"] | None
    columns: Mapping[str, Labels]
    ids: UInt64[np.ndarray, " n"]
    """Identity of each row's source image."""
    origin: Origin
    group: Int64[np.ndarray, " n"] | None = None
    groups: str = ""
    """Name of the column that `group` came from."""
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        """Count of rows."""
        return len(self.z)

    def column(self, name: str) -> Labels:
        """
        One label column.

        Raises:
            InputError: there is no such column; the message names the nearest.
        """
        if name not in self.columns:
            raise InputError(f"{self.origin.name}: no label {name!r}. {catalog.suggest(name, self.columns)}")
        return self.columns[name]

    def take(self, rows: np.ndarray) -> "Embeddings":
        """Some rows, in the order given (indices or a mask)."""
        return replace(
            self,
            z=self.z[rows],
            logits=None if self.logits is None else self.logits[rows],
            columns={name: labels.take(rows) for name, labels in self.columns.items()},
            ids=self.ids[rows],
            group=None if self.group is None else self.group[rows],
        )

    def grouped(self, name: str) -> "Embeddings":
        """The same rows, grouped by a label column; a missing label is a group of its own row."""
        labels = self.column(name)
        _, codes = np.unique(labels.values, return_inverse=True)
        codes = codes.astype(np.int64)
        lone = ~labels.known
        codes[lone] = codes.max(initial=-1) + 1 + np.arange(lone.sum())
        return replace(self, group=codes, groups=name)

    def check(self) -> "Embeddings":
        """
        Refuse what cannot be attacked.

        Raises:
            InputError: no rows, no columns in z, or a value that is not finite; the message names the first row.
        """
        if self.z.shape[0] == 0 or self.z.shape[1] == 0:
            raise InputError(f"{self.origin.name}: z has shape {self.z.shape}: there is nothing to attack")
        for name, values in (("z", self.z), ("logits", self.logits)):
            if values is not None and not np.isfinite(values).all():
                bad = ~np.isfinite(values).all(axis=1)
                where = f"in {bad.sum()} of {len(bad)} rows, first in row {bad.argmax()}"
                raise InputError(f"{self.origin.name}: {name} is not finite (NaN or infinity) {where}")
        return self

    @property
    def sha256(self) -> str:
        """Sha256 of the numbers themselves."""
        arrays = {"z": self.z, "ids": self.ids}
        if self.logits is not None:
            arrays["logits"] = self.logits
        return store.digest_tensors(arrays)
