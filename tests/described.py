"""Tables of one's own for descriptions: little images, and labels whose counts are known."""

import csv
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from leakaudit.describe import describe
from leakaudit.description import Description

Row = tuple[str, str, str, str]
"""Split, target, private, patient."""


def table(folder: Path, rows: Sequence[Row], heads: Sequence[str] = ("split", "hair", "gender", "patient")) -> str:
    """A table of as many images, each of a colour of its own; its name."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "faces.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", *heads])
        for number, row in enumerate(rows):
            name = f"{number}.png"
            Image.new("RGB", (4, 6), (number % 256, number // 256, 7)).save(folder / name)
            writer.writerow([name, *row])
    return str(folder / "faces.csv")


def counted(cells: dict[tuple[str, str, str], int]) -> list[Row]:
    """Rows of (split, target, private) cells, each of a patient of its own."""
    every = [cell for cell, count in cells.items() for _ in range(count)]
    return [(*cell, f"p{number}") for number, cell in enumerate(every)]


def made(data: str, root: Path = Path(), **how: object) -> Description:
    """The description, once all contents are compared."""
    usual: dict[str, object] = {"root": root, "target": "hair", "private": ("gender",)}
    work = describe(data, **(usual | how))  # type: ignore[arg-type]
    while True:
        try:
            next(work)
        except StopIteration as stop:
            found: Description = stop.value
            return found
