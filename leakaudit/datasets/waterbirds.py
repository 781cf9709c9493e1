"""
Waterbirds: 11,788 birds on land or water, cut out of one photograph and set before another, so that place tells bird.

Sagawa, Koh, Hashimoto and Liang, "Distributionally Robust Neural Networks for Group Shifts", ICLR 2020, appendix C.1
(https://github.com/kohpangwei/group_DRO): birds of Wah et al., CUB-200-2011, before places of Zhou et al., Places. In
`train` 95 % of the birds are where they belong; in `validation` and `test` half of each kind are.
"""

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from leakaudit.dataset import Labels
from leakaudit.datasets._reader import home, loads, sheet, splits_of
from leakaudit.errors import InputError
from leakaudit.listing import Listing, classes, rows

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "validation", "test")

BIRDS = ("landbird", "waterbird")
PLACES = ("land", "water")
_SET = "waterbird_complete95_forest2water2"
ADVICE = (
    f"Waterbirds (https://nlp.stanford.edu/data/dro/{_SET}.tar.gz): put the unpacked folder {_SET}/, with "
    "metadata.csv and a folder for each species, there"
)


def layout(root: Path) -> Listing:
    """
    `bird` and `place`, and `species`, the name of the folder that an image lies in.

    Raises:
        InputError: the table or a column is missing, or holds what is none of its numbers.
    """
    below = (f"waterbirds/{_SET}", _SET, "waterbirds", "waterbirds_v1.0")
    folder = home("waterbirds", root, below, "metadata.csv", ADVICE)
    path = folder / "metadata.csv"
    table = sheet(path, "img_filename", "y", "split", "place", dtype={"img_filename": str})
    names = table["img_filename"].fillna("").str.strip().tolist()
    if "" in names:
        raise InputError(f"{path}: row {names.index('') + 1}: img_filename is empty: an image below {folder} expected")
    species = [PurePosixPath(name).parent.name for name in names]
    part = _numbers(table, "split", 3, path)
    return Listing(
        names=names,
        columns={
            "bird": Labels(_numbers(table, "y", 2, path), BIRDS),
            "place": Labels(_numbers(table, "place", 2, path), PLACES),
            **({"species": classes(species)} if all(species) else {}),
        },
        splits={split: rows(part == number) for number, split in enumerate(SPLITS)},
        paths=[f"{folder}/{name}" for name in names],
    )


def _numbers(table: "pd.DataFrame", column: str, count: int, path: Path) -> Int64[np.ndarray, " n"]:
    """A column of whole numbers below `count`."""
    import pandas as pd

    cells = pd.to_numeric(table[column], errors="coerce").to_numpy(np.float64)
    known = np.isin(cells, np.arange(count))
    if not known.all():
        row = int(known.argmin())
        raise InputError(f"{path}: row {row + 1}: {column} is {table[column][row]}: 0 to {count - 1} expected")
    numbers: Int64[np.ndarray, " n"] = cells.astype(np.int64)
    return numbers


load, splits = loads("waterbirds", layout, size=224), splits_of(layout)
