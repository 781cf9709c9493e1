"""A stranger's table, `.parquet` or `.csv`: its columns as arrays, those of z and of the logits put side by side."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from leakaudit import store
from leakaudit.errors import InputError, RefusedError, spelt

NULLS = ["", "NaN", "nan", "null"]
Arrays = dict[str, np.ndarray]


def table(path: Path, *, head: bool = False) -> Any:
    """
    A CSV file as an arrow table; its first block alone with `head`.

    Raises:
        InputError: there is no such file, or it is a pipe or a device.
        RefusedError: it is truncated, or no table.
    """
    import pyarrow as pa
    from pyarrow import csv

    store.check_file(path)
    options = csv.ConvertOptions(null_values=NULLS, strings_can_be_null=True, true_values=[], false_values=[])
    try:
        found = (csv.open_csv if head else csv.read_csv)(path, convert_options=options)
        "".join(found.schema.names)  # decoded only now, and perhaps not UTF-8
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise RefusedError(f"{path}: truncated, or not a CSV table ({spelt(error)})") from error
    return found


def parquet(path: Path, *, head: bool = False) -> Any:
    """
    A parquet file as an arrow table; no row of it with `head`.

    Raises:
        InputError: there is no such file, or it is a pipe or a device.
        RefusedError: it is truncated, or no table.
    """
    import pyarrow as pa
    from pyarrow import parquet as files

    store.check_file(path)
    try:
        return files.ParquetFile(path).schema_arrow.empty_table() if head else files.read_table(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise RefusedError(f"{path}: truncated, or not a parquet table ({spelt(error)})") from error


def columns(table: Any, path: Path) -> Arrays:
    """
    The columns of an arrow table, those of z and of the logits put side by side.

    Raises:
        InputError: two columns of one name, a gap in those of z or of the logits, or one that is no number.
    """
    names: list[str] = table.column_names
    double = sorted(name for name, times in Counter(names).items() if times > 1)
    if double:
        raise InputError(f"{path}: columns of the same name: {', '.join(map(spelt, double[:12]))}")
    arrays: Arrays = {}
    for whole, part in (("z", "z"), ("logits", "logit")):
        wide = [name for name in names if re.fullmatch(rf"{part}(0|[1-9]\d*)", name)]
        expected = [f"{part}{i}" for i in range(len(wide))]
        if set(wide) != set(expected):
            gap = min(set(expected) - set(wide), key=expected.index)
            raise InputError(f"{path}: {len(wide)} columns {part}0, {part}1, ... but no {gap}")
        if wide:
            arrays[whole] = np.stack([_numbers(table[name], f"{path}: column {name}") for name in expected], axis=1)
            taken = set(wide)
            names = [name for name in names if name not in taken]
    for name in names:
        lists = str(table[name].type).startswith(("list", "fixed_size_list", "large_list"))
        arrays[name] = _lists(table[name], f"{path}: column {name}") if lists else _values(table[name])
    return arrays


def _numbers(column: Any, where: str) -> Float32[np.ndarray, " n"]:
    import pyarrow as pa

    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)):
        raise InputError(f"{where} holds {kind}: numbers expected")
    with np.errstate(over="ignore"):
        return column.to_numpy().astype(np.float32)  # type: ignore[no-any-return]


def _lists(column: Any, where: str) -> np.ndarray:
    """A column of lists of one length, as a matrix."""
    rows = column.to_pylist()
    if len({len(row) if row is not None else -1 for row in rows}) > 1 or (rows and rows[0] is None):
        raise InputError(f"{where}: lists of different lengths")
    return np.array(rows)


def _values(column: Any) -> np.ndarray:
    """Whole numbers with -1, other numbers with NaN, and text with the empty text where a value is missing."""
    import pyarrow as pa
    from pyarrow import compute

    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_integer(kind):
        missing = column.null_count > 0
        return np.asarray(compute.fill_null(column.cast(pa.int64(), safe=False), -1) if missing else column)
    if pa.types.is_floating(kind):
        return np.asarray(column.to_numpy())
    if pa.types.is_boolean(kind):
        column = compute.if_else(column, "true", "false")
    texts = ["" if value is None else str(value) for value in column.to_pylist()]
    return np.array(texts, dtype=str)
