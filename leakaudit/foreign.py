"""
A stranger's file of embeddings: `.npz`, `.safetensors`, `.parquet` or `.csv`, read without running any of it.

    arrays   `z (n, d)`, optional `logits (n, k)`; every other one-dimensional array of length n is a column
    tables   `z0 z1 ...`, optional `logit0 logit1 ...`; every other column is a column

Text, truth values and whole numbers are classes; empty text, null, NaN and -1 are missing. Whole numbers of more than
1,000 kinds, and numbers with fractions, are numbers. A column `id` names the source image of each row.
"""

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt64

from leakaudit import sheets, store
from leakaudit.dataset import Labels, identify
from leakaudit.errors import InputError, RefusedError, spelt
from leakaudit.lying import Lying

SUFFIXES = (".npz", ".parquet", ".safetensors", ".csv")
MATRIX = 2
MOST_CLASSES = 1000
FREELY, PACKED = 1 << 26, 200
"""Bytes that an `.npz` may unpack to whatever its own size, and how many times its own size it may beyond that."""
EXACT = 2**24
"""Whole numbers below this keep apart as float32."""
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Foreign:
    """What the file holds."""

    z: Float32[np.ndarray, "held d"]
    logits: Float32[np.ndarray, "n k"] | None
    columns: dict[str, Labels]
    ids: UInt64[np.ndarray, " n"]
    sha256: str
    """Of the file's bytes."""
    notes: tuple[str, ...]


def read(path: Path) -> Foreign:
    """
    The embeddings in a stranger's file.

    Raises:
        InputError: there is no such file, or it is whole but not laid out as embeddings; the message says what it has.
        RefusedError: it is truncated, not of the format its name says, or holds Python objects.
    """
    arrays = _arrays(path)
    if "z" not in arrays:
        held = ", ".join(map(spelt, sorted(arrays)[:12])) or "nothing"
        wanted = "z0, z1, ..." if path.suffix in (".parquet", ".csv") else "an array z (n, d)"
        other = "; for weights name --backbone and --data" if path.suffix == ".safetensors" else ""
        other = "; a table of images is --data of a model" if "path" in arrays else other
        raise InputError(f"{path}: no embeddings: {wanted} expected, {held} found{other}")
    z = _matrix(arrays.pop("z"), f"{path}: z")
    return _put(path, arrays, z, len(z), store.digest_file(path))


def held(arrays: Arrays, name: str) -> Foreign:
    """
    The embeddings in arrays that a program holds, laid out as in a file; their sha256 is that of the arrays.

    Raises:
        InputError: as `read`; `name` is what a message calls them.
    """
    if "z" not in arrays:
        there = ", ".join(map(spelt, sorted(arrays)[:12])) or "nothing"
        raise InputError(f"{name}: no embeddings: an array z (n, d), or columns z0, z1, ... expected, {there} found")
    z = _matrix(arrays["z"], f"{name}: z")
    beside_it = {label: _plain(values, f"{name}: {spelt(label)}") for label, values in arrays.items() if label != "z"}
    return _put(name, beside_it, z, len(z), store.digest_tensors(beside_it | {"z": z}))


def beside(path: Path, large: Lying) -> Foreign:
    """What the file holds beside a z that is left where it lies."""
    arrays = store.read_tensors(path, without="z")[0]
    return _put(path, arrays, np.empty((0, large.width), np.float32), len(large), large.examined())


def _put(path: Path | str, arrays: Arrays, z: Float32[np.ndarray, "held d"], rows: int, sha: str) -> Foreign:
    """Columns and logits beside z."""
    logits = _matrix(arrays.pop("logits"), f"{path}: logits") if "logits" in arrays else None
    if logits is not None and len(logits) != rows:
        raise InputError(f"{path}: logits has {len(logits)} rows, z has {rows}")
    columns, notes = {}, []
    for name, values in arrays.items():
        if values.ndim != 1:
            notes.append(f"array {spelt(name)} of shape {list(values.shape)} is no column and was left aside")
        elif len(values) != rows:
            raise InputError(f"{path}: column {spelt(name)} has {len(values)} rows, z has {rows}")
        else:
            columns[name] = values
    known = columns.pop("id", None)
    ids = _numbered(sha, rows) if known is None else _named(_plain(known, f"{path}: column id"), sha)
    coded = {name: labels(values, f"{path}: column {spelt(name)}") for name, values in columns.items()}
    return Foreign(z, logits, coded, ids, sha, tuple(notes))


def _numbered(sha: str, rows: int) -> UInt64[np.ndarray, " n"]:
    """Identities of the rows of a file; of so many that naming each would take long, their numbers from a start."""
    if rows <= EXACT // 4:
        return identify(sha, np.arange(rows))
    return np.uint64(int(sha[:14], 16)) + np.arange(rows, dtype=np.uint64)


def _named(names: np.ndarray, sha: str) -> UInt64[np.ndarray, " n"]:
    """Identities of named sources; a row without a name is a source of its own."""
    ids = identify("id", names)
    text = names.dtype.kind == "U"
    missing = names == "" if text else (names == -1) | (names != names)  # noqa: PLR0124 (NaN)
    return np.where(missing, _numbered(sha, len(names)), ids) if missing.any() else ids


def is_embeddings(path: Path) -> bool:
    """
    Whether the file holds bottleneck vectors, and not weights or a table of images; only its head is read.

    Raises:
        InputError: there is no such file.
        RefusedError: it is truncated or not of the format its name says.
    """
    if path.suffix not in SUFFIXES:
        return False
    if path.suffix == ".npz":
        return "z" in _members(path)
    if path.suffix == ".safetensors":
        return "z" in store.tensor_names(path)
    names = (sheets.table if path.suffix == ".csv" else sheets.parquet)(path, head=True).schema.names
    return "z" in names or "z0" in names


def labels(values: np.ndarray, where: str) -> Labels:
    """
    A column as classes or numbers.

    Raises:
        InputError: it is neither text nor plain numbers, or a number is infinite.
    """
    values = _plain(values, where)
    if values.dtype.kind in "iu":
        whole: np.ndarray | None = values
        missing = values == -1 if values.dtype.kind == "i" else np.zeros(len(values), dtype=bool)
    elif values.dtype.kind == "f":
        if np.isinf(values).any():
            raise InputError(f"{where}: infinity in row {np.isinf(values).argmax()}")
        missing = np.isnan(values)
        filled = np.where(missing, -1.0, values.astype(np.float64))
        whole = filled.astype(np.int64) if (np.abs(filled) < 2**53).all() and (filled % 1 == 0).all() else None
        missing = missing if whole is None else missing | (whole == -1)
    else:
        return _classes(values, values == "")
    if whole is None or _many(whole[~missing]):
        numbers = values.astype(np.float32)
        numbers[missing] = np.nan
        return Labels(numbers)
    return _classes(whole, missing)


def _many(whole: np.ndarray) -> bool:
    distinct = np.unique(whole)
    exact = len(distinct) and int(distinct[0]) > -EXACT and int(distinct[-1]) < EXACT
    return bool(len(distinct) > MOST_CLASSES and exact)


def _classes(values: np.ndarray, missing: np.ndarray) -> Labels:
    if missing.all():
        return Labels(np.full(len(values), np.nan, dtype=np.float32))
    names, codes = np.unique(values[~missing], return_inverse=True)
    coded = np.full(len(values), -1, dtype=np.int64)
    coded[~missing] = codes
    return Labels(coded, tuple(map(str, names.tolist())))


def _plain(values: np.ndarray, where: str) -> np.ndarray:
    """Text as `str`, truth values as `false` and `true`, numbers as they are."""
    if values.dtype.kind == "b":
        return np.where(values, "true", "false")
    if values.dtype.kind == "S":
        try:
            return np.char.decode(values, "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{where}: bytes that are not UTF-8 text ({error.reason})") from error
    if values.dtype.kind not in "iufU":
        raise InputError(f"{where}: {values.dtype} is neither text nor numbers")
    return values


def _matrix(values: np.ndarray, where: str) -> Float32[np.ndarray, "n d"]:
    if values.ndim != MATRIX:
        raise InputError(f"{where} has shape {list(values.shape)}: (rows, numbers) expected")
    if values.dtype.kind not in "iuf":
        raise InputError(f"{where} holds {values.dtype}: numbers expected")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, dtype=np.float32)


def _arrays(path: Path) -> Arrays:
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path}: embeddings are read from {', '.join(SUFFIXES)}, not {path.suffix or path.name}")
    if path.suffix == ".safetensors":
        return store.read_tensors(path)[0]
    if path.suffix == ".npz":
        return _unzip(path)
    return sheets.columns(sheets.parquet(path) if path.suffix == ".parquet" else sheets.table(path), path)


def _members(path: Path) -> dict[str, int]:
    """Names of the arrays in an `.npz`, and the bytes each takes unpacked."""
    store.check_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return {info.filename.removesuffix(".npy"): info.file_size for info in archive.infolist()}
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise RefusedError(f"{path}: truncated, or not an .npz file ({spelt(error)})") from error


def _unzip(path: Path) -> Arrays:
    unpacked, memory = sum(_members(path).values()), os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if unpacked > memory:
        raise RefusedError(f"{path}: unpacks to {unpacked / 2**30:.0f} GiB, there are {memory / 2**30:.0f} of memory")
    if unpacked > FREELY and unpacked > PACKED * path.stat().st_size:
        times = unpacked // max(1, path.stat().st_size)
        raise RefusedError(f"{path}: unpacks to {times} times its size, as a bomb would; save it with numpy.savez")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except Exception as error:  # numpy, zip and zlib each say damage in their own words
        if "allow_pickle" in str(error):
            raise RefusedError(
                f"{path}: holds Python objects, which leakaudit never loads; save text or numbers instead"
            ) from error
        raise RefusedError(f"{path}: truncated or damaged ({spelt(error)})") from error
    other = next((name for name, array in arrays.items() if not isinstance(array, np.ndarray)), None)
    if other is not None:  # numpy hands over the bytes of a member that has no header of an array
        raise RefusedError(f"{path}: truncated or damaged (member {other[:120]!r} is no array)")
    return arrays
