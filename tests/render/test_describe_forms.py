"""The forms of a description: all say the same, none is broken by what others named, and the page is self-contained."""

import base64
import hashlib
import json
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import markup
import numpy as np
import pytest

from leakaudit import record
from leakaudit.caveats import warned
from leakaudit.crossing import Pair, bars, cross, histogram
from leakaudit.description import Attribute, Description, Groups, Label, Overlap, Reach, Split
from leakaudit.options import Page

CHROMIUM = Path("/usr/bin/chromium")
EVIL = '<script>alert("x")</script>| [a](http://e.vil) \x1b[31m'
REACH = Reach(900, 900, "cross-fit 5", 0.12, 0.3, True, True, False, 1_400, 1_241)


def described(
    private: tuple[str, ...] = ("f", "m"), target: tuple[str, ...] = ("dark", "fair"), *, numbers: bool = False,
    name: str = "gender",
) -> Description:  # fmt: skip
    """Three splits of a made-up data set."""
    random = np.random.default_rng(0)
    splits = ("train", "validation", "test")
    names = tuple(f"{5 * i} to {5 * i + 5}" for i in range(10)) if numbers else target
    ages = [random.uniform(0, 50, 400) for _ in splits]
    edges = bars(np.concatenate(ages)) if numbers else ()
    crosses = []
    for split, age in zip(splits, ages, strict=True):
        y = (age // 5).astype(np.int64) if numbers else random.integers(len(names), size=400)
        v = np.where(random.random(400) < 0.6, y % len(private), random.integers(len(private), size=400))
        found = cross(split, y, v, Pair(names, private), None, 0)
        how: dict[str, Any] = {"reach": REACH} if split != "validation" else {"refused": f"made: {name} is none"}
        if numbers:
            how["histogram"] = histogram(age, v, len(private), edges)
        crosses.append(record.from_json(type(found), record.to_json(found) | record.to_json(how), "made"))
    label = Label("age" if numbers else "hair", names, "numbers, cut into 10 quantile bins" if numbers else "")
    part = Attribute(Label(name, private), tuple(crosses), (), label.name if numbers else "", edges)
    return warned(
        Description(
            data="faces.csv", target=label, tolerance=0.1, audited="test", trained="train", handful=10, seed=0,
            splits=tuple(
                Split(split, 400, 0, (3, 64, 64), ((60, 64), (90, 70)), Groups("id", 90, 2.5, 9), 1)
                for split in splits
            ),
            overlaps=(Overlap("train", "test", 3, 2, 1, (("a.png", "b.png"),)),), compared="nothing was compared",
            attributes=(part,),
        )
    )  # fmt: skip


MADE = {
    "two classes": described(),
    "a number by two": described(numbers=True),
    "a number by seven": described(tuple("abcdefg"), numbers=True),
    "shades": described(tuple(f"colour {i}" for i in range(10)), tuple(map(str, range(10)))),
    "many": described(tuple(f"who {i}" for i in range(40)), tuple(f"class number {i}" for i in range(90))),
    "hostile": described((EVIL, "m" * 300), (EVIL + "1", "fair"), name=EVIL),
}
every = pytest.mark.parametrize("made", MADE.values(), ids=MADE)


def shown(made: Description, form: str, width: int = 80) -> str:
    """The description in one form."""
    text: str = import_module(f"leakaudit.render._describe.{form}").render(made, width=width)
    return text


@every
def test_every_form_that_can_be_asked_for_is_one_of_a_description(made: Description) -> None:
    """Each names data, attribute, splits and the smallest detectable E, the same bytes twice."""
    for form in Page:
        text = shown(made, form)
        assert made is not MADE["two classes"] or text == shown(made, form)
        assert text.endswith("\n")
        for words in ("faces.csv", "validation", "0.12"):
            assert words in text, (form, words)


@every
def test_json_is_the_description(made: Description) -> None:
    """What is read back is what was made, of format 1, without NaN."""
    read = json.loads(shown(made, "json"), parse_constant=pytest.fail)
    assert (read.pop("format"), read.pop("kind")) == (1, "description")
    assert record.from_json(Description, read, "made") == made


@every
@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_a_terminal_of_any_width_is_kept_to(made: Description, width: int) -> None:
    """No line is longer than the terminal, of 72 to 120 columns; no letter controls it; no heading is cut."""
    text = shown(made, "terminal", width)
    assert max(len(line) for line in text.splitlines()) <= max(72, min(width, 120))
    assert text.replace("\n", "").isprintable()
    if made.attributes[0].private.classes[0] in ("f", "a"):
        heads = [line for line in text.splitlines() if line.startswith(("  split", "  an audit"))]
        assert heads
        assert not any("…" in line for line in heads)


def test_large_tables_are_cut_as_is_said() -> None:
    """The commonest classes are kept, the others counted together, and no row is lost."""
    from leakaudit.render._describe import tables

    made = MADE["many"]
    for sheet, one in zip(tables.sheets(made, made.attributes[0], 13, 6), made.attributes[0].crosses, strict=True):
        assert (len(sheet.lines), len(sheet.columns)) == (13, 6)
        assert sum(map(sum, sheet.counts)) == one.rows
        assert (sheet.lines[-1], sheet.columns[-1]) == ("78 others", "35 others")
    said = "12 commonest of 90 classes of hair and 5 commonest of 40 classes of gender"
    assert said in tables.cut_said(made, made.attributes[0], 13, 6)
    assert tables.cut_said(MADE["two classes"], MADE["two classes"].attributes[0], 13, 6) == ""


def test_markdown_is_not_broken_by_names() -> None:
    """No tag, no link and no table bar of a name is one."""
    text = shown(MADE["hostile"], "markdown")
    assert "<script" not in text
    assert not re.search(r"(?<!\\)\](?<!\\)\(", text)
    for line in text.splitlines():
        if line.startswith("| train"):
            assert len(re.findall(r"(?<!\\)\|", line)) in (5, 10)


@every
def test_the_page_loads_nothing_and_is_well_formed(made: Description) -> None:
    """No address, no script, no handler; every tag is closed, every id is one, every shape is drawn by attributes."""
    page = shown(made, "html")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    (style,) = re.findall(r"<style>(.*?)</style>", page, flags=re.DOTALL)
    assert policy
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in policy[1]
    assert not re.search(r"<script|url\(|@import|src=|<[^>]*\s(style|on\w+)=", page)
    markup.check(page, {"meta"})
    for shape in re.findall(r"<(?:rect|circle|path|line|text)\b[^>]*>", page):
        assert re.search(r'\b(fill|stroke)="', shape), shape


def test_a_bar_is_as_high_as_its_rows() -> None:
    """On either side of the axis the highest bar of each class stands at its count, on the printed scale."""
    from leakaudit.render._describe import figure, tables

    made = MADE["a number by two"]
    part = made.attributes[0]
    drawn = figure.panel(made, part, 0, tables.sheets(made, part, 13, 13)[0], "p")
    most = max(map(max, part.crosses[0].histogram))
    paths = re.findall(r'<path d="(M[^"]*)" fill-opacity', drawn)
    assert len(paths) == 2
    highs = [[float(number) for number in re.findall(r"V([\d.]+)H", path)] for path in paths]
    top = next(end for end in (10, 20, 30, 40, 50, 60, 80, 100) if end >= most)
    assert min(highs[0]) == pytest.approx(112 - 90 * max(part.crosses[0].histogram[0]) / top, abs=0.1)
    assert max(highs[1]) == pytest.approx(112 + 90 * max(part.crosses[0].histogram[1]) / top, abs=0.1)


@pytest.mark.browser
def test_a_browser_has_nothing_to_complain_of(tmp_path: Path) -> None:
    """No message, no request, no sideways scroll on a phone; dark is dark; it prints."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip("no Chromium here")
    with playwright.sync_playwright() as running:
        window = running.chromium.launch(executable_path=str(CHROMIUM), args=["--headless", "--no-sandbox"])
        tab = window.new_page(viewport={"width": 400, "height": 800}, color_scheme="dark")
        said: list[str] = []
        asked: list[str] = []
        tab.on("console", lambda message: said.append(message.text))
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("request", lambda wanted: asked.append(wanted.url))
        for number, made in enumerate((MADE["two classes"], MADE["a number by two"], MADE["many"])):
            file = tmp_path / f"{number}.html"
            file.write_text(shown(made, "html"), encoding="utf-8")
            for width in (400, 1280):
                tab.set_viewport_size({"width": width, "height": 800})
                tab.goto(file.as_uri())
                assert tab.evaluate("document.documentElement.scrollWidth") <= width
            assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(19, 20, 23)"
        assert tab.pdf()[:5] == b"%PDF-"
        window.close()
    assert said == []
    assert all(url.startswith("file:") for url in asked)


def test_forms_load_no_heavy_library() -> None:
    """What shows a description needs no torch."""
    import subprocess

    code = "import sys, importlib\n" + "\n".join(
        f"importlib.import_module('leakaudit.render._describe.{form}')" for form in Page
    )
    code += "\nprint([name for name in ('torch', 'sklearn', 'pandas') if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
