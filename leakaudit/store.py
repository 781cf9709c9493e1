"""
Files that are whole or absent: every write goes to a temporary name in the same folder and is renamed.

The store is a folder (`.leakaudit/` by default) that git ignores by itself. Humans write TOML, machines write JSON,
bulk numbers are safetensors. Nothing is ever pickled.
"""

import contextlib
import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Iterator, Mapping
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np

from leakaudit import __version__
from leakaudit.errors import HereError, InputError, RefusedError, spelt
from leakaudit.streams import streams

Tensors = Mapping[str, np.ndarray]
PREFIX = 60
"""Letters of a file's name that its temporary name repeats: names have room for 255 bytes."""
DOCUMENT = 64 << 20
"""Bytes of a JSON document, at most: an audit with its pictures has some megabytes."""
VALUES, DEEPEST = 2_000_000, 40
"""Values in a JSON document, and tables within tables, at most: an audit of one attribute has 4,000, and 10."""
WIDEST = 2**64
"""No whole number in a JSON document is as large."""
HEADER, HELD, LENGTH = 16 << 20, 100_000, 8
"""Bytes of a safetensors header, and tensors in it, at most (large networks have thousands); bytes of its length."""
STEERS = re.compile("[\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
"""Letters that steer a terminal or turn a line around, or are no text at all; JSON itself spells out the others."""


def open_store(folder: Path) -> Path:
    """Create the store folder, ignored by git, and return it."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / ".gitignore").exists():
            write_bytes(folder / ".gitignore", b"*\n")
    return folder


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the operating system says about `path` (full disk, no permission) into one clear line."""
    try:
        yield
    except OSError as error:
        raise HereError(f"cannot write {path}: {error.strerror or error}") from error


def check_place(path: Path) -> None:
    """
    Look whether a file can be written there, before hours are spent on what is to be in it; nothing is written.

    Raises:
        InputError: there is a folder of that name, or the folder that it would lie in cannot be written.
    """
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder; the name of a file expected")
    if streams(path):
        return
    home = next(folder for folder in path.absolute().parents if folder.exists())
    if not home.is_dir():
        raise InputError(f"cannot write {path}: {home} is not a folder")
    if not os.access(home, os.W_OK | os.X_OK):
        raise InputError(f"cannot write {path}: no permission to write in {home}")


def write_bytes(path: Path, data: bytes) -> None:
    """
    Write `data` whole or not at all, durable once this returns; to a device or a pipe it is written as it is.

    Raises:
        InputError: the disk is full, the folder cannot be written, or there is a folder of that name.
    """
    if path.is_dir():
        raise InputError(f"cannot write {path}: it is a folder; the name of a file expected")
    temporary = path.with_name(f".{path.name[:PREFIX]}.{os.getpid()}.part")
    with writing(path):
        if streams(path):
            path.write_bytes(data)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def to_text(value: Any) -> str:
    """JSON as leakaudit writes it: two spaces, keys in the order given, UTF-8, no NaN, one newline at the end."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return STEERS.sub(lambda letter: f"\\u{ord(letter[0]):04x}", text)


def write_json(path: Path, value: Any) -> None:
    """Write one JSON document."""
    write_bytes(path, to_text(value).encode())


def check_file(path: Path, most: int | None = None) -> None:
    """
    Look whether a file is one of the usual kind, before anything opens it; a pipe or a device is not waited for.

    Raises:
        InputError: there is no such file, it is a folder, a pipe or a device, or it cannot be looked at.
        RefusedError: it has more bytes than `most`.
    """
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    _check_kind(path, found, most)


def _check_kind(path: Path, found: os.stat_result, most: int | None) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise InputError(f"{path}: a folder; the name of a file expected")
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{path}: a pipe or a device; the name of a file expected")
    if most is not None and found.st_size > most:
        raise RefusedError(f"{path}: {found.st_size:,} bytes; at most {most:,} are read")


@contextlib.contextmanager
def opened(path: Path, most: int | None = None) -> Iterator[BufferedReader]:
    """A file of the usual kind, open to be read; what lies at its name by then is looked at again, as `check_file`."""
    check_file(path, most)
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    with os.fdopen(number, "rb") as file:
        _check_kind(path, os.fstat(file.fileno()), most)
        yield file


def read_json(path: Path) -> dict[str, Any]:
    """
    One JSON object.

    Raises:
        InputError: there is no such file, or it is a pipe or a device.
        RefusedError: it is not a JSON object of format 1, or larger than `DOCUMENT`.
    """
    with opened(path, DOCUMENT) as file:
        try:
            value = parsed(file.read(DOCUMENT + 1))
        except (ValueError, RecursionError) as error:
            raise RefusedError(f"{path}: not JSON, or truncated ({spelt(error)})") from error
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from error
    found = value.get("format") if isinstance(value, dict) else None
    if not isinstance(value, dict) or found != 1:
        said = _writer(value) if found is not None else "not an audit, nor another document of leakaudit"
        raise RefusedError(f"{path}: format 1 expected, {spelt(repr(found))} found: {said}")
    return value


def _writer(value: dict[str, Any]) -> str:
    said = "written by another program or a newer leakaudit"
    with contextlib.suppress(KeyError, TypeError):
        said = f"leakaudit {spelt(value['provenance']['versions']['leakaudit'], 40)} wrote it and reads it"
    return f"{said}; this is leakaudit {__version__}"


def parsed(data: bytes) -> Any:
    """
    JSON (RFC 8259) that every reader reads alike, and that neither memory nor a call stack is too small for.

    Raises:
        ValueError: it is not JSON; a name stands twice in one table; a number is NaN, infinite or beyond 64 bits; or
            there are more than `VALUES` values, or tables more than `DEEPEST` deep.
    """
    if sum(map(data.count, b",[{")) > VALUES:
        raise ValueError(f"more than {VALUES:,} values")
    value = json.loads(data.decode("utf-8"), object_pairs_hook=_table, parse_constant=_endless)
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        held = [part for part in level if isinstance(part, (dict, list))]
        level = [each for part in held for each in (part.values() if isinstance(part, dict) else part)]
        for each in level:
            if type(each) is float and not math.isfinite(each):
                raise ValueError("a number that is not finite")
            if type(each) is int and abs(each) >= WIDEST:
                raise ValueError("a number beyond 64 bits")
        if not level:
            return value
    raise ValueError(f"tables within tables, more than {DEEPEST} deep")


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"{spelt(repr(twice))} stands twice in one table")
    return table


def _endless(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")


def write_tensors(path: Path, tensors: Tensors, metadata: Mapping[str, Any] | None = None) -> None:
    """Write safetensors; `metadata` is kept as one key of canonical JSON, so that the bytes are the same twice."""
    from safetensors.numpy import save

    header = {"leakaudit": canonical(metadata)} if metadata is not None else None
    arrays = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}  # keeps scalars scalars
    write_bytes(path, save(arrays, metadata=header))


def tensor_names(path: Path) -> list[str]:
    """
    Names of the tensors in a safetensors file, of which its header alone is read.

    Raises:
        InputError: there is no such file.
        RefusedError: it is truncated, not safetensors, or its header is larger than any network's.
    """
    from safetensors import SafetensorError, safe_open

    with opened(path) as file:
        length = int.from_bytes(file.read(LENGTH), "little")
        if HEADER < length <= os.fstat(file.fileno()).st_size:
            raise RefusedError(f"{path}: a header of {length:,} bytes, at most {HEADER:,} are read")
    try:
        with safe_open(path, framework="np") as file:
            names = list(file.keys())
    except (SafetensorError, ValueError, OSError, TypeError) as error:
        raise RefusedError(f"{path}: truncated, or not a safetensors file ({spelt(error)})") from error
    if len(names) > HELD:
        raise RefusedError(f"{path}: {len(names):,} tensors, at most {HELD:,} are read")
    return names


def read_tensors(path: Path, without: str = "") -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """
    Tensors and metadata of a safetensors file, all but the one named `without`; the tensors are views of one read.

    Raises:
        InputError: there is no such file.
        RefusedError: it is truncated or not safetensors.
    """
    from safetensors import SafetensorError, safe_open

    tensor_names(path)
    try:
        with safe_open(path, framework="np") as file:
            header = (file.metadata() or {}).get("leakaudit")
            tensors = {name: file.get_tensor(name) for name in file.keys() if name != without}  # noqa: SIM118
            return tensors, json.loads(header) if header else {}
    except (SafetensorError, ValueError, OSError, TypeError) as error:
        raise RefusedError(f"{path}: truncated, or not a safetensors file ({spelt(error)})") from error


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces: one text for one value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(*parts: str | bytes) -> str:
    """Sha256 of the parts, each with its length before it, in hexadecimal."""
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        sha.update(len(data).to_bytes(8, "little"))
        sha.update(data)
    return sha.hexdigest()


def digest_tensors(tensors: Tensors) -> str:
    """Sha256 of names, types, shapes and bytes, in the order of names: the identity of a model or an array set."""
    parts: list[str | bytes] = []
    for name in sorted(tensors):
        tensor = np.asarray(tensors[name], order="C")
        parts += [name, f"{tensor.dtype.str}{list(tensor.shape)}", tensor.tobytes()]
    return digest(*parts)


def digest_file(path: Path) -> str:
    """Sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
