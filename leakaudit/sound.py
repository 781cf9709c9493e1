"""
What an audit document must be beyond the types of its records, so that rendering one neither fails nor lasts.

Tables without a type hold what leakaudit itself writes there; a count is not negative, a share lies in 0..1, what is
drawn together has one length, and an index names something. Whoever seals a false document anew can make it say what he
likes; he cannot make it anything but a document.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from leakaudit.errors import RefusedError, spelt

LARGEST = 1e15
"""No figure of an audit, in whatever unit, is as large."""
FIGURE = 1000.0
"""No accuracy, excess, AUC or bit is as large."""
SIDE = 4096
"""Pixels along a thumbnail's side, and cells along a plot's, at most."""
BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
WORDS: dict[str, tuple[str, ...]] = {
    "subject": (
        "name", "kind", "sha256", "file_sha256", "layer", "preprocessing", "side", "recipe", "recipe_sha256", "method",
        "backbone", "trained_on", "private", "target", "format", "ledger", "ledger_sha256", "licence", "citation",
        "rows_sha256",
    ),
    "data": ("name", "split", "fingerprint", "contents", "group"),
    "threat": ("knows", "conditioned_on", "overlap"),
    "provenance": ("device", "inference", "own_task", "outcomes", "created", "command"),
}  # fmt: skip
"""What is text, or null."""
COUNTS = {"subject": ("width", "seed", "bytes"), "data": ("rows",), "provenance": ("seed",)}
LISTS = {"threat": ("auxiliary", "not_tested"), "provenance": ("notes", "documents")}
"""What is a list of texts."""
TABLES = {"subject": ("overrides", "code"), "threat": ("attackers",), "provenance": ("versions", "asked", "embeddings")}
SHARES = ("p", "p_h", "p_i", "share", "follows_target", "tolerance")
ROUNDING = 1e-6
"""By which a share may leave 0..1."""


def check(audit: Any, where: str) -> None:
    """
    Refuse an audit that could not have been written.

    Raises:
        RefusedError: one line says where it goes wrong, and how.
    """
    for name in ("subject", "data", "threat", "provenance"):
        _check_table(name, getattr(audit, name), f"{where}.{name}")
    if not audit.attributes:
        raise RefusedError(f"{where}: no attribute in it")
    _check_numbers(audit, where, "")
    names = [part.private for part in audit.attributes]
    if len(set(names)) < len(names) and len({(part.private, part.target) for part in audit.attributes}) < len(names):
        raise RefusedError(f"{where}: one attribute stands in it twice")
    for at, part in enumerate(audit.attributes):
        for wrong in _wrong(part):
            raise RefusedError(f"{where}.attributes[{at}]: {wrong}")


def _check_table(name: str, table: Mapping[str, Any], where: str) -> None:
    for kinds, wanted, words in (
        (WORDS, (str, type(None)), "a text"), (COUNTS, (int, type(None)), "a whole number"), (LISTS, list, "a list"),
        (TABLES, dict, "a table"),
    ):  # fmt: skip
        for key in kinds.get(name, ()):
            value = table.get(key, wanted() if isinstance(wanted, type) else None)
            if not isinstance(value, wanted) or isinstance(value, bool):
                raise RefusedError(f"{where}.{key}: {words} expected, {type(value).__name__} found")
            if isinstance(value, int) and value < 0:
                raise RefusedError(f"{where}.{key}: {value} is no count")
            if isinstance(value, list) and not all(isinstance(part, str) for part in value):
                raise RefusedError(f"{where}.{key}: a list of texts expected")


def _check_numbers(value: Any, where: str, field: str) -> None:
    """That no number of a record is negative where it counts, outside 0..1 where it is a share, or beyond all units."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return
    if isinstance(value, (int, float)):
        if isinstance(value, int) and value < 0:
            raise RefusedError(f"{where}: {value} is no count")
        if abs(value) > LARGEST:
            raise RefusedError(f"{where}: {value:.3g} is no figure")
        if field in SHARES and not -ROUNDING <= value <= 1 + ROUNDING:
            raise RefusedError(f"{where}: {value:.6g}, a number in 0..1 expected")
        return
    fields = getattr(value, "__dataclass_fields__", None) or getattr(value, "_fields", None)
    if fields is not None:
        for name in fields:
            part = getattr(value, name)
            if not isinstance(part, dict):  # tables without a type hold any knob
                _check_numbers(part, f"{where}.{name}", name)
    elif isinstance(value, tuple):
        for at, part in enumerate(value):
            _check_numbers(part, f"{where}[{at}]", field)


def _wrong(part: Any) -> Iterator[str]:
    """What an attribute's parts say that does not go together."""
    targets, privates = len(part.target_classes), len(part.classes)
    rows = part.rows
    if not privates:
        yield "classes: no private class"
    if rows.scored > rows.rows or rows.cells > rows.cells_possible:
        yield f"rows: {rows.scored} scored of {rows.rows}, {rows.cells} cells of {rows.cells_possible}"
    every = [part.figures, *(each.figures for each in (*part.findings, *part.baselines) if each.figures is not None)]
    for figures in every:
        if any(abs(number) > FIGURE for number in _figures(figures)):
            yield "figures: beyond what such a figure can be"
    for name in ("crossing", "trained_crossing"):
        table = getattr(part, name, ())
        if table and [len(line) for line in table] != [privates] * targets:
            yield f"{name}: not {targets} target classes by {privates} private ones"
    for each in part.separation:
        bins = {len(curve.histogram) for curve in each.curves}
        if len(each.span) != 2 or not each.span[0] < each.span[1] or len(bins) != 1 or 0 in bins:  # noqa: PLR2004 (two ends)
            yield f"separation: {spelt(each.direction, 20)} has a histogram that nobody can draw"
    for each in part.sensitivity:
        if any(len(step) != 3 for step in each.ladder):  # noqa: PLR2004 (size, detected, draws)
            yield "sensitivity: steps of (E, detected, draws) expected"
    if part.reconstruction is not None:
        yield from _rebuilt(part.reconstruction)
    if part.bottleneck is not None:
        yield from _plotted(part.bottleneck, targets, privates)


def _figures(figures: Any) -> Iterator[float]:
    for name in figures.__dataclass_fields__:
        value = getattr(figures, name)
        if isinstance(value, (int, float)):
            yield value
        elif isinstance(value, tuple) and all(isinstance(number, (int, float)) for number in value):
            yield from value


def _rebuilt(made: Any) -> Iterator[str]:
    for name in ("mean_image", "class_mean"):
        if len(getattr(made, name)) != 2:  # noqa: PLR2004 (PSNR and SSIM)
            yield f"reconstruction.{name}: PSNR and SSIM expected"
    if made.pictures is None:
        return
    if not (0 < made.pictures.height <= SIDE and 0 < made.pictures.width <= SIDE * SIDE):
        yield f"reconstruction.pictures: {made.pictures.height} by {made.pictures.width} pixels are no thumbnails"
    if not all(BASE64.fullmatch(image) for _, image in made.pictures.rows):
        yield "reconstruction.pictures: base64 expected"


def _plotted(made: Any, targets: int, privates: int) -> Iterator[str]:
    """What a bottleneck plot shows that is not there."""
    if not 1 <= made.cells <= SIDE:
        yield f"bottleneck: {made.cells} cells a side"
    tallest: Sequence[int] = (made.cells, made.cells, targets, privates)
    for centroid in made.centroids:
        if centroid.target >= targets or (centroid.dominant or 0) >= privates:
            yield "bottleneck: a centroid of a class that is not there"
    for mark in made.marks:
        if len(mark) != 5 or any(value >= most for value, most in zip(mark, tallest, strict=False)):  # noqa: PLR2004 (column, line, classes, rows)
            yield "bottleneck: a mark outside its plot, or of a class that is not there"
            return
