"""
A user's own table, CSV or parquet, as columns of words and numbers, and those as labels.

Cells of a CSV are words first, so that a file called 007 stays one: a column is of numbers where every cell is. What
separates cells is read from the first lines (`csv.Sniffer`); a byte-order mark, and spaces around a name or a cell, are
no part of it; between semicolons a comma may be the decimal point.
"""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int64

from leakaudit.dataset import Labels
from leakaudit.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

MISSING = ("", "nan", "NaN", "NA", "N/A", "null")
"""Cells that hold nothing."""
SEPARATORS = ",;\t|"
LOOKED = 1 << 14
"""Characters that are looked at to learn what separates cells."""
EXACT = 2.0**53
"""From here on a float does not tell whole numbers apart: a long one is a word."""
COMMA = r"[+-]?\d+(,\d+)?"
"""A number as it stands between semicolons."""


def read(path: Path, file: str) -> "pd.DataFrame":
    """
    The table, called `file` in messages, with gaps where a cell holds nothing; columns without a name are not kept.

    Raises:
        InputError: it is no table, has no rows, or has two columns of one name.
    """
    import pandas as pd

    try:
        frame, names = _parquet(path) if path.suffix.lower() == ".parquet" else _text(path, file)
    except (ValueError, OSError, pd.errors.ParserError) as error:
        raise InputError(f"{file}: not a table that can be read: {' '.join(str(error).split())[:200]}") from error
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{file}: two columns are called {twice!r}: which is meant cannot be told; rename one")
    frame.columns = names
    if frame.empty:
        raise InputError(f"{file}: the table has no rows")
    kept = {name: _stripped(frame[name]) for name in names if name}
    return pd.DataFrame(kept)


def separator(text: str, usual: str) -> str:
    """What separates the cells of these first lines of a table: `usual` where they do not tell."""
    lines = text.splitlines()
    try:
        found = csv.Sniffer().sniff("\n".join(lines[:50]), SEPARATORS).delimiter
    except csv.Error:
        found = usual
    head = lines[0] if lines else ""
    if found not in head:
        found = max(SEPARATORS, key=head.count)
    return found if found in head else usual


def labels(cells: "pd.Series", *, numbers: bool = False) -> Labels:
    """
    Classes or numbers, whichever the cells are; whole numbers are classes unless told otherwise.

    Raises:
        ValueError: a number is not finite.
    """
    import pandas as pd

    missing = cells.isna().to_numpy(dtype=bool)
    known = as_numbers(cells)
    if missing.all():
        return Labels(np.full(len(cells), np.nan, dtype=np.float32))
    if known is not None:
        if not np.isfinite(known.astype(np.float64)).all():
            raise ValueError("holds a number that is not finite")
        if numbers or (known % 1 != 0).any():
            values = np.full(len(cells), np.nan, dtype=np.float32)
            values[~missing] = known
            return Labels(values)
        words, index = np.unique(known, return_inverse=True)
        names = tuple(str(int(number)) for number in words)
    else:
        index, found = pd.factorize(cells[~missing].astype(str), sort=True)
        names = tuple(map(str, found))
    codes = np.full(len(cells), -1, dtype=np.int64)
    codes[~missing] = index
    return Labels(codes, names)


def as_numbers(cells: "pd.Series") -> "np.ndarray | None":
    """The cells that hold something, as numbers; None where one of them is a word."""
    import pandas as pd
    from pandas.api import types

    known = cells[cells.notna()]
    if types.is_bool_dtype(known.dtype) or not len(known):
        return None
    if types.is_numeric_dtype(known.dtype):
        return known.to_numpy() if types.is_integer_dtype(known.dtype) else known.to_numpy(dtype=np.float64)
    if not types.is_string_dtype(known.dtype):
        return None
    found = pd.to_numeric(known.astype(object), errors="coerce").to_numpy()
    if found.dtype == object or np.isnan(found.astype(np.float64)).any():
        return None
    rounded = found.dtype.kind == "f" and known[np.abs(found) >= EXACT].str.isdigit().any()
    return None if rounded else found


def groups(cells: "pd.Series") -> Int64[np.ndarray, " n"]:
    """A number for each group; a row without one is a group of its own."""
    import pandas as pd

    codes = np.array(pd.factorize(cells.astype("string"), sort=True)[0], dtype=np.int64)
    alone = codes < 0
    codes[alone] = codes.max(initial=-1) + 1 + np.arange(alone.sum())
    return codes


def _parquet(path: Path) -> "tuple[pd.DataFrame, list[str]]":
    import pandas as pd

    frame = pd.read_parquet(path)
    return frame, [str(name).strip() for name in frame.columns]


def _text(path: Path, file: str) -> "tuple[pd.DataFrame, list[str]]":
    """
    A table of text, its cells as words, and its header.

    Raises:
        InputError: rows have cells that the header does not name, or a cell holds a line break.
    """
    import pandas as pd

    with path.open(encoding="utf-8-sig", newline="") as stream:
        cut = separator(stream.read(LOOKED), "\t" if path.suffix.lower() == ".tsv" else ",")
    how: dict[str, Any] = {"sep": cut, "encoding": "utf-8-sig", "dtype": str, "skipinitialspace": True}
    how["keep_default_na"] = False
    head = pd.read_csv(path, header=None, nrows=1, **how)
    names = [str(name).strip() for name in head.iloc[0]]
    frame = pd.read_csv(path, **how)
    if b'"' in path.read_bytes():
        _check_lines(frame, names, file)
    if not isinstance(frame.index, pd.RangeIndex) or len(frame.columns) != len(names):
        raise InputError(f"{file}: rows have more cells than the header's {len(names)} names")
    if cut == ";":
        for place in range(len(names)):
            cells = frame.iloc[:, place]
            known = ~cells.isin(MISSING)
            if cells[known].str.contains(",", regex=False).any() and cells[known].str.fullmatch(COMMA).all():
                frame.isetitem(place, cells.str.replace(",", ".", regex=False))
    return frame, names


def _check_lines(frame: "pd.DataFrame", names: list[str], file: str) -> None:
    """
    Refuse a cell of several lines: mostly a stray quote, which makes one cell of all rows up to the next.

    Raises:
        InputError: there is one; the message names its row.
    """
    for place, name in enumerate(names):
        broken = frame.iloc[:, place].str.contains(r"[\r\n]").to_numpy(dtype=bool)
        where = "the header" if "\n" in name or "\r" in name else f"row {broken.argmax() + 1}" if broken.any() else ""
        if where:
            raise InputError(
                f"{file}: {where}: the cell of {' '.join(name.split())!r} holds a line break: a stray quote swallows "
                f"the rows up to the next one, and no label has two lines; take it out"
            )


def _stripped(cells: "pd.Series") -> "pd.Series":
    """Words without the spaces around them; the empty word, and its like, is a gap."""
    from pandas.api import types

    if types.is_numeric_dtype(cells.dtype) or types.is_bool_dtype(cells.dtype):
        return cells
    words = cells.astype("string").str.strip()
    return words.mask(words.isin(MISSING))
