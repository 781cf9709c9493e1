"""
Embeddings: what an attacker holds. One row per image: bottleneck, model output, labels.

On disk they are a stranger's single file, or a folder in the store, written shard by shard:

    shard-00000.safetensors   8,192 rows: `z`, `logits`, `rows`; its metadata say whose it is and what it must hash to
    labels.parquet            identities, contents, groups and every label column
    manifest.json             last: its presence means complete
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt64

from leakaudit import foreign, lying, record, store
from leakaudit.dataset import Dataset, Labels, column, own
from leakaudit.errors import InputError, RefusedError
from leakaudit.foreign import Foreign
from leakaudit.lying import Lying, Shelf

SHARD = 8192
"""Rows in a shard."""
SHELVED = 1 << 26
"""Bytes that z of a folder may take as float32 before it is left on disk: attackers take some twenty times as much."""


@dataclass(frozen=True)
class Origin:
    """Where embeddings come from, for the audit's provenance."""

    name: str
    """What a person calls it: checkpoint name or file name."""
    kind: str
    """`checkpoint`, `weights`, `random-init`, `file`, or of a program `module` and `embeddings`."""
    sha256: str
    """Of the network's tensors, or of the file."""
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

    z: Float32[np.ndarray, "held d"]
    logits: Float32[np.ndarray, "n k"] | None
    columns: Mapping[str, Labels]
    ids: UInt64[np.ndarray, " n"]
    """Identity of each row's source image."""
    origin: Origin
    group: Int64[np.ndarray, " n"] | None = None
    groups: str = ""
    """Name of the column that `group` came from."""
    notes: tuple[str, ...] = field(default=())
    lying: Lying | Shelf | None = None
    """Z on disk, where it is too large for memory: then `z` is empty, and `take` reads the rows."""
    contents: UInt64[np.ndarray, " n"] | None = None
    """A hash of what each row's image is made of; None where there are no images, or an older version did not look."""

    def __len__(self) -> int:
        """Count of rows."""
        return len(self.ids)

    def column(self, name: str) -> Labels:
        """
        One label column.

        Raises:
            InputError: there is no such column; the message names the nearest, and says if it was left out.
        """
        return column(self.columns, name, self.origin.name, self.notes)

    def take(self, rows: np.ndarray) -> "Embeddings":
        """Some rows, in the order given (indices or a mask)."""
        return replace(
            self,
            z=self.z[rows] if self.lying is None else self.lying.take(np.arange(len(self))[rows]),
            lying=None,
            logits=None if self.logits is None else self.logits[rows],
            columns={name: labels.take(rows) for name, labels in self.columns.items()},
            ids=self.ids[rows],
            group=None if self.group is None else self.group[rows],
            contents=None if self.contents is None else self.contents[rows],
        )

    def among(
        self, ids: UInt64[np.ndarray, " t"] | None, made_of: UInt64[np.ndarray, " u"] | None
    ) -> Bool[np.ndarray, " n"]:
        """The rows whose image is one of these: by identity or what it is made of; of own files by that where known."""
        named = np.zeros(len(self), bool) if ids is None else np.isin(self.ids, ids)
        if self.contents is None or made_of is None:
            return named
        same = np.isin(self.contents, made_of)
        return same if own(self.origin.data) else named | same

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
        if self.lying is not None:
            return self
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


@dataclass(frozen=True)
class Manifest:
    """What `manifest.json` holds beside the format."""

    key: str
    origin: Origin
    rows: int
    columns: dict[str, tuple[str, ...]]
    """Classes of every label column; none for numbers."""
    groups: str
    notes: tuple[str, ...]
    labels: str
    """Sha256 of `labels.parquet`."""
    shards: tuple[str, ...]
    """Sha256 of each shard."""


def read(path: Path) -> Embeddings:
    """
    The embeddings in a stranger's file (see `foreign`), or in a folder of the store.

    Raises:
        InputError: it does not hold embeddings, or they cannot be attacked.
        RefusedError: it is truncated, foreign, or not what its hashes promise.
    """
    if path.is_dir():
        return _read_folder(path)
    large = lying.find(path)
    found = foreign.read(path) if large is None else foreign.beside(path, large)
    return of(found, path.name, "file", large)


def of(found: Foreign, name: str, kind: str, large: Lying | None = None) -> Embeddings:
    """The embeddings of a stranger's file (`file`), or of arrays that a program holds (`embeddings`)."""
    columns = {f"column {label}": labels.values for label, labels in found.columns.items()}
    fingerprint = store.digest_tensors({"ids": found.ids, **columns})
    origin = Origin(name, kind, found.sha256, data="", split="", fingerprint=fingerprint)
    return Embeddings(found.z, found.logits, found.columns, found.ids, origin, notes=found.notes, lying=large).check()


def folder(home: Path, key: str, split: str) -> Path:
    """Where the store `home` keeps the embeddings of that key."""
    return home / "embeddings" / key / split


def shard(where: Path, number: int) -> Path:
    """The file of one shard."""
    return where / f"shard-{number:05d}.safetensors"


def write_shard(path: Path, key: str, first: int, z: np.ndarray, logits: np.ndarray) -> None:
    """Write the rows from `first` on, with what they must hash to."""
    tensors = {"z": z, "logits": logits, "rows": np.arange(first, first + len(z), dtype=np.int64)}
    store.write_tensors(path, tensors, {"format": 1, "key": key, "tensors": store.digest_tensors(tensors)})


def read_shard(path: Path, key: str, first: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """
    `z` and `logits` of one shard.

    Raises:
        RefusedError: it is truncated, of another model or other rows, or was changed since it was written.
    """
    tensors, said = store.read_tensors(path)
    if not isinstance(said, dict) or said.get("format") != 1:
        raise RefusedError(f"{path}: not a shard of this leakaudit (format 1 expected)")
    if said.get("key") != key:
        raise RefusedError(f"{path}: belongs to another model or data set ({said.get('key')}), {key} expected")
    if said.get("tensors") != store.digest_tensors(tensors) or set(tensors) != {"z", "logits", "rows"}:
        raise RefusedError(f"{path}: changed since it was written (its sha256 does not match)")
    if not np.array_equal(tensors["rows"], np.arange(first, first + rows)):
        raise RefusedError(f"{path}: holds {len(tensors['rows'])} other rows, {first} to {first + rows - 1} expected")
    return tensors["z"], tensors["logits"]


def seal(where: Path, key: str, origin: Origin, dataset: Dataset, notes: tuple[str, ...]) -> Embeddings:
    """Write labels and manifest, with notes beside the data set's, to complete shards; the manifest comes last."""
    import pyarrow as pa
    from pyarrow import parquet

    columns: dict[str, Any] = {"id": dataset.ids}
    if origin.kind != "random-init":  # whose rows are those of another encoder
        columns["content"] = dataset.contents
    if dataset.group is not None:
        columns["group"] = dataset.group
    columns.update({f"label {name}": labels.values for name, labels in dataset.columns.items()})
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table(columns), sink)
    store.write_bytes(where / "labels.parquet", sink.getvalue().to_pybytes())
    count = -(-len(dataset) // SHARD)
    manifest = Manifest(
        key=key,
        origin=origin,
        rows=len(dataset),
        columns={name: labels.classes for name, labels in dataset.columns.items()},
        groups=dataset.groups,
        notes=(*dataset.notes, *notes),
        labels=store.digest_file(where / "labels.parquet"),
        shards=tuple(store.digest_file(shard(where, number)) for number in range(count)),
    )
    store.write_json(where / "manifest.json", {"format": 1, "kind": "embeddings", **record.to_json(manifest)})
    return _read_folder(where)


def _read_folder(where: Path) -> Embeddings:
    from pyarrow import parquet

    if not (where / "manifest.json").is_file():
        raise InputError(f"{where}: no finished embeddings here; extract them first")
    data = store.read_json(where / "manifest.json")
    manifest = record.from_json(Manifest, data, str(where / "manifest.json"))
    _expect(where / "labels.parquet", manifest.labels)
    z, logits, shelf = _shelved(where, manifest)
    table = parquet.read_table(where / "labels.parquet")
    values = {name: table[name].to_numpy() for name in table.column_names}
    found = Embeddings(
        z=z,
        logits=logits,
        columns={name: Labels(values[f"label {name}"], classes) for name, classes in manifest.columns.items()},
        ids=values["id"],
        origin=manifest.origin,
        group=values.get("group"),
        groups=manifest.groups,
        notes=manifest.notes,
        contents=values.get("content"),
        lying=shelf,
    )
    return found.check()


def _shelved(where: Path, manifest: Manifest) -> tuple[np.ndarray, np.ndarray, Shelf | None]:
    """`z` and `logits` of all shards; where z is too large for memory, none of it and the shards in which it lies."""
    parts: list[Lying] = []
    z, logits = np.empty((manifest.rows, 0), np.float32), np.empty((manifest.rows, 0), np.float32)
    for number, promised in enumerate(manifest.shards):
        path, first = shard(where, number), number * SHARD
        _expect(path, promised)
        count = min(SHARD, manifest.rows - first)
        values = read_shard(path, manifest.key, first, count)
        large = manifest.rows * values[0].shape[1] * z.itemsize > SHELVED
        left = lying.find(path, 0) if large else None
        if number == 0:
            z = np.empty((0 if large else manifest.rows, values[0].shape[1]), np.float32)
            logits = np.empty((manifest.rows, values[1].shape[1]), np.float32)
        logits[first : first + count] = values[1]
        if left is not None:
            parts.append(left)
        else:
            z[first : first + count] = values[0]
    return z, logits, Shelf(tuple(parts)) if parts else None


def _expect(path: Path, promised: str) -> None:
    if not path.is_file():
        raise RefusedError(f"{path}: missing, manifest.json promises it")
    found = store.digest_file(path)
    if found != promised:
        raise RefusedError(f"{path}: has sha256 {found[:12]}, manifest.json promises {promised[:12]}")
