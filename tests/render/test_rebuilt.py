"""Rebuilt images: shown only where they are asked for, and only where they are pictures of the stated size."""

import base64
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import synthetic
from made_up import png
from reader import words

from leakaudit.audits import Pictures
from leakaudit.render import Report, _tame, _thumbnails, html
from leakaudit.render._drawings import rebuilt

NAMES = ("truth", "reconstruction", "class mean")


def holding(report: Report, *pictures: Pictures | None, shown: bool = True) -> Report:
    """The report, its audits with these thumbnails."""
    made = []
    for audit, one in zip(report.audits, pictures, strict=True):
        (part,) = audit.attributes
        assert part.reconstruction is not None
        part = replace(part, reconstruction=replace(part.reconstruction, pictures=one))
        made.append(replace(audit, attributes=(part,)))
    return replace(report, audits=tuple(made), with_images=shown)


def strips(seed: int = 0, count: int = 8, side: int = 8, names: tuple[str, ...] = NAMES) -> Pictures:
    """Thumbnails of noise."""
    rng = np.random.default_rng(seed)
    labels = tuple(f"{i} / red" for i in range(count))
    return Pictures(side, side, tuple((name, png(side * count, side, rng)) for name in names), labels)


def packed(*chunks: tuple[bytes, bytes], head: bytes = _thumbnails.SIGNATURE, crc: int = 0) -> str:
    """Base64 of chunks, each with its checksum, plus `crc`."""
    parts = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) ^ crc)
        for kind, data in chunks
    )
    return base64.b64encode(head + b"".join(parts)).decode()


HEAD = (b"IHDR", struct.pack(">IIBBBBB", 4, 2, 8, 0, 0, 0, 0))
BODY, END = (b"IDAT", zlib.compress(bytes(10))), (b"IEND", b"")
GOOD = packed(HEAD, BODY, END)
BAD = {
    "no base64": '"><script>alert(1)</script>',
    "letters beside base64": GOOD + "\n",
    "beyond ASCII": "\u202eabcd",
    "empty": "",
    "no picture": base64.b64encode(b"GIF89a" + bytes(60)).decode(),
    "another size": packed((b"IHDR", struct.pack(">IIBBBBB", 5, 2, 8, 0, 0, 0, 0)), BODY, END),
    "a palette": packed((b"IHDR", struct.pack(">IIBBBBB", 4, 2, 8, 3, 0, 0, 0)), BODY, END),
    "16 bits": packed((b"IHDR", struct.pack(">IIBBBBB", 4, 2, 16, 0, 0, 0, 0)), BODY, END),
    "interlaced": packed((b"IHDR", struct.pack(">IIBBBBB", 4, 2, 8, 0, 0, 0, 1)), BODY, END),
    "a wrong checksum": packed(HEAD, BODY, END, crc=1),
    "text inside": packed(HEAD, (b"tEXt", b"Comment\0hello"), BODY, END),
    "too few pixels": packed(HEAD, (b"IDAT", zlib.compress(bytes(9))), END),
    "a bomb": packed(HEAD, (b"IDAT", zlib.compress(bytes(1 << 24))), END),
    "no such filter": packed(HEAD, (b"IDAT", zlib.compress(b"\7" + bytes(9))), END),
    "damaged pixels": packed(HEAD, (b"IDAT", zlib.compress(bytes(10))[:-3]), END),
    "no end": packed(HEAD, BODY),
    "no pixels": packed(HEAD, END),
    "something behind": base64.b64encode(base64.b64decode(GOOD) + b"<script>").decode(),
    "cut short": base64.b64encode(base64.b64decode(GOOD)[:-5]).decode(),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_png_of_the_stated_size_is_not_shown(what: str) -> None:
    """Whatever a document holds, only strict PNG passes."""
    assert _thumbnails.is_png(GOOD, 4, 2)
    assert not _thumbnails.is_png(BAD[what], 4, 2)


@pytest.mark.parametrize(
    "change",
    [
        {"rows": (("truth", strips().rows[0][1]), ("reconstruction", BAD["no base64"]))},
        {"height": 10**9},
        {"width": 0},
        {"labels": ()},
        {"labels": ("one",) * 9},
        {"rows": ()},
        {"rows": strips().rows * 3},
    ],
)
def test_a_hostile_document_leaves_one_line_and_nothing_of_its_pictures(one: Report, change: dict[str, object]) -> None:
    """Pictures that are none break no page and put nothing into it."""
    page = html.render(holding(one, replace(strips(), **change)), width=80)  # type: ignore[arg-type]
    assert "data:image" not in page
    assert "<script>alert" not in page
    assert "holds as thumbnails is no PNG of the stated size: not shown." in page
    assert html.render(holding(one, strips()), width=80).count("data:image/png;base64,") == 3


def test_names_of_strips_and_columns_stay_text(one: Report) -> None:
    """A name that is markup, or turns the reading direction, is drawn as letters."""
    evil = "<img onerror=x>\u202e"
    made = replace(strips(names=(evil,)), labels=tuple(f"{evil}{i}" for i in range(8)))
    page = html.render(holding(one, made), width=80)
    assert "data:image" in page
    assert "<img onerror" not in page
    assert "\u202e" not in page


@pytest.mark.parametrize("form", ["html", "markdown"])
def test_thumbnails_are_shown_only_where_that_is_asked_for(form: str, one: Report) -> None:
    """Without --with-images no pixel is shown, and how to show them is said; with it nothing is said of hiding."""
    closed = words(form, holding(one, strips(), shown=False))
    assert "Thumbnails of rebuilt images are stored of digits/vanilla and not shown here" in closed
    assert "personal data" in closed
    open_ = words(form, holding(one, strips()))
    assert ("and not shown" in open_) == (form == "markdown")  # which cannot show them
    assert "Thumbnails" not in words(form, holding(one, None))
    assert not rebuilt.draw(holding(one, strips(), shown=False))


def test_models_with_the_same_images_stand_in_one_grid(pair: Report) -> None:
    """What was encoded stands once, above what each model gives back; of other images there is another grid."""
    first, second = strips(), strips(1)
    same = replace(second, rows=(first.rows[0], second.rows[1], first.rows[2]))
    (grid,) = _thumbnails.grids(holding(pair, first, same))["colour"]
    assert [(name, entry and entry.name) for name, entry, _ in grid.rows] == [
        ("truth", None), ("reconstruction", "vanilla"), ("reconstruction", "end"), ("class mean", None),
    ]  # fmt: skip
    drawn = rebuilt.draw(holding(pair, first, second))
    assert [one.name for one in drawn] == ["rebuilt-colour", "rebuilt-colour-2"]
    assert all(one.svg.count("data:image/png;base64,") == 3 for one in drawn)


def test_a_report_stays_small(monkeypatch: pytest.MonkeyPatch, pair: Report) -> None:
    """Beyond the budget, which is smaller the more verdicts there are, thumbnails are left out; the page says so."""
    made = holding(pair, strips(), strips(1))
    room = sum(len(part) for _, part in strips().rows) + 10
    with monkeypatch.context() as patched:  # what two verdicts leave of a page is as much
        patched.setattr(_thumbnails, "ROOM", room + 2 * _thumbnails.EACH)
        assert [len(grid.rows) for grid in _thumbnails.grids(made)["colour"]] == [3]
    monkeypatch.setattr(_thumbnails, "BUDGET", room)
    page = html.render(made, width=80)
    assert page.count("data:image/png;base64,") == 3
    assert "Thumbnails of end are stored and not shown, so that the report stays small." in page


def test_a_grid_is_drawn_the_same_twice_and_named_for_those_who_do_not_see(one: Report) -> None:
    """Its strips lie one below the other, as wide as their columns, and its description names them."""
    report = _tame.tame(holding(one, strips(count=10, side=8)))
    first, second = (rebuilt.draw(report)[0] for _ in range(2))
    assert first == second
    svg = str(first.svg)
    tops = [float(y) for y in re.findall(r'<image x="[\d.]+" y="([\d.]+)"', svg)]
    tall = float(re.findall(r'<image [^>]*height="([\d.]+)"', svg)[0])
    assert all(b - a >= tall for a, b in pairwise(tops))
    edges = [float(x) + float(w) for x, w in re.findall(r'<image x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', svg)]
    assert max(edges) <= rebuilt.WIDE
    assert "From above: truth; reconstruction of digits/vanilla; class mean. Columns: 0 / red;" in svg
    assert "style=" not in svg


def test_long_captions_are_turned_and_cut(make_report: Callable[..., Report]) -> None:
    """Names of any length leave room for the images."""
    report = make_report(synthetic.VANILLA)
    long = replace(strips(), labels=tuple(f"{'a long name ' * 9}{i}" for i in range(8)))
    (drawn,) = rebuilt.draw(holding(report, long))
    assert drawn.svg.count("rotate(-45") == 8
    assert min(float(w) for w in re.findall(r'<image [^>]*?width="([\d.]+)"', drawn.svg)) > 250
