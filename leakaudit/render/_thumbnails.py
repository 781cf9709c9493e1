"""
Thumbnails of rebuilt images: whether they may be shown, and whether what an audit holds are such at all.

A document comes from anywhere, and its sha256 says only that nobody changed it since. A strip is shown where it decodes
to a PNG of the stated size (W3C, "Portable Network Graphics", third edition, 2025): 8 bits, grey or RGB, not
interlaced, of its three critical chunks alone, every checksum right, and no byte more.
"""

import base64
import binascii
import struct
import sys
import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from leakaudit.audits import Pictures
from leakaudit.render import Report, _entries, _figures
from leakaudit.render._entries import Entry

COLUMNS, SIDE, STRIPS = 64, 256, 8
"""Images in a strip, pixels of a side, and strips, at most."""
BUDGET = 1_200_000
"""Letters of base64 that one report shows at most, so that it stays under two megabytes."""
ROOM, EACH = 1_700_000, 60_000
"""Letters that a report has for pictures, and how many fewer each verdict leaves."""
FEW = 4
"""Models that are named one by one."""
SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3}
"""By colour type: grey, RGB."""
FILTERS = 5


class Grid(NamedTuple):
    """Strips of the same images: what was encoded, what each model's embedding gives back, the mean of the class."""

    height: int
    width: int
    """Pixels of one image."""
    labels: tuple[str, ...]
    rows: tuple[tuple[str, Entry | None, str], ...]
    """Name of the row, the model whose it is (None: the truth, and what depends on the data alone), base64 of a PNG."""


def held(group: Sequence[Entry]) -> list[tuple[Entry, Pictures]]:
    """The models of which pictures are stored."""
    known = [(entry, entry.attribute.reconstruction) for entry in group]
    return [(entry, made.pictures) for entry, made in known if made is not None and made.pictures is not None]


def withheld(report: Report) -> str:
    """That there are pictures which are not shown, and how to show them; empty where there are none, or all are."""
    return "" if report.with_images else _stored(report, "--with-images shows them")


def elsewhere(report: Report) -> str:
    """The same, of a form that shows no picture."""
    return _stored(report, "--format html --with-images shows them")


def _stored(report: Report, how: str) -> str:
    models = list(dict.fromkeys(entry.name for entry, _ in held(_entries.entries(report))))
    if not models:
        return ""
    whose = _figures.joined(models) if len(models) <= FEW else f"{len(models)} models"
    return (
        f"Thumbnails of rebuilt images are stored of {whose} and not shown here, since they are "
        f"personal data where they show people: leakaudit report {how}."
    )


def grids(report: Report) -> dict[str, list[Grid]]:
    """Of each private attribute the strips that may be shown, as far as the budget goes; those of a kind together."""
    room = min(BUDGET, max(0, ROOM - EACH * len(_entries.entries(report))))
    left, found = room if report.with_images else 0, {}
    for private, group in _entries.questions(report):
        made: list[Grid] = []
        for entry, pictures in held(group):
            if not genuine(pictures) or sum(len(png) for _, png in pictures.rows) > left:
                continue
            left -= sum(len(png) for _, png in pictures.rows)
            _joined(made, entry, pictures)
        found[private] = made
    return found


def unshown(report: Report) -> list[str]:
    """Why pictures that are stored, and may be shown, are not: a line for each reason."""
    if not report.with_images:
        return []
    drawn = {
        (private, entry.place)
        for private, found in grids(report).items()
        for grid in found
        for _, entry, _ in grid.rows
        if entry is not None
    }
    stored = held(_entries.entries(report))
    broken = [entry.label for entry, pictures in stored if not genuine(pictures)]
    more = [e.label for e, p in stored if genuine(p) and (e.attribute.private, e.place) not in drawn]
    lines = []
    if broken:
        lines.append(
            f"What the audit of {_figures.joined(broken)} holds as thumbnails is no PNG of the stated size: not shown."
        )
    if more:
        lines.append(f"Thumbnails of {_figures.joined(more)} are stored and not shown, so that the report stays small.")
    return lines


def _joined(made: list[Grid], entry: Entry, pictures: Pictures) -> None:
    """Add strips to the grid of the same images, rows that all share once, or begin a grid."""
    truth = dict(pictures.rows).get("truth")
    same = (pictures.height, pictures.width, pictures.labels)
    place = next((i for i, one in enumerate(made) if one[:3] == same and ("truth", None, truth) in one.rows), len(made))
    known = made[place].rows if place < len(made) else ()
    rows = tuple((name, None if name in ("truth", "class mean") else entry, png) for name, png in pictures.rows)
    grid = Grid(*same, tuple(sorted((*known, *(row for row in rows if row not in known)), key=_order)))
    made[place : place + 1] = [grid]


def _order(row: tuple[str, Entry | None, str]) -> int:
    """The truth above, models in their order, and below them what needs no model."""
    name, entry, _ = row
    return -1 if name == "truth" else sys.maxsize if entry is None else entry.place


def genuine(pictures: Pictures) -> bool:
    """Whether every strip is a PNG of as many images of the stated size as there are captions."""
    count = len(pictures.labels)
    sizes = 0 < pictures.height <= SIDE and 0 < pictures.width <= SIDE and 0 < count <= COLUMNS
    few = sizes and 0 < len(pictures.rows) <= STRIPS
    return few and all(is_png(png, pictures.width * count, pictures.height) for _, png in pictures.rows)


def is_png(text: str, width: int, height: int) -> bool:
    """Whether the base64 text is a PNG of that size, and nothing beside."""
    try:
        chunks = list(_chunks(base64.b64decode(text.encode("ascii"), validate=True)))
        (first, head), *body, (last, end) = chunks
        columns, lines, *how = struct.unpack(">IIBBBBB", head)
        kinds = {kind for kind, _ in body}
        if (first, last, end, kinds) != (b"IHDR", b"IEND", b"", {b"IDAT"}) or (columns, lines) != (width, height):
            return False
        if how[0] != 8 or how[1] not in CHANNELS or any(how[2:]):  # noqa: PLR2004 (bits)
            return False
        line = 1 + width * CHANNELS[how[1]]
        inflate = zlib.decompressobj()
        pixels = inflate.decompress(b"".join(data for _, data in body), height * line + 1)
    except (ValueError, binascii.Error, struct.error, zlib.error):
        return False
    whole = len(pixels) == height * line and inflate.eof and not inflate.unused_data
    return whole and max(pixels[::line]) < FILTERS


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """
    Kind and content of every chunk.

    Raises:
        ValueError: the signature or a checksum is another, or a chunk ends beyond the file.
    """
    if not data.startswith(SIGNATURE):
        raise ValueError(SIGNATURE)
    at = len(SIGNATURE)
    while at < len(data):
        long, kind = struct.unpack_from(">I4s", data, at)
        content, end = data[at + 8 : at + 8 + long], at + 12 + long
        if end > len(data) or struct.unpack_from(">I", data, end - 4)[0] != zlib.crc32(kind + content):
            raise ValueError(kind)
        yield kind, content
        at = end
