"""The page in a real browser: the first screen, tables, keyboard, screen reader, strict policies, and paper."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import browsing
import numpy as np
import pytest
import synthetic
from browsing import Tab
from made_up import png

from leakaudit.audits import Audit
from leakaudit.outcomes import Outcomes
from leakaudit.render import Report, html
from leakaudit.report import report as make

pytestmark = pytest.mark.browser
SHEET = 1001
"""Height of what an A4 sheet holds, in CSS pixels: 297 mm less the margins."""
PAPER = 680
"""Pixels that A4 leaves between its margins."""
OPEN = "document.querySelectorAll('details').forEach(fold => fold.open = true)"
ROWS = "[...document.querySelectorAll('.attackers tbody tr:not(.group)')].filter(row => row.checkVisibility())"
HOSTILE = (
    "<script>document.title = 'run'; alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "\u202egnp.exe\u2066",
    "x" * 10_000,
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One for the module."""
    with browsing.chromium() as window:
        yield window


def page(report: Report) -> str:
    """The page of a report."""
    return html.render(report, width=80)


@pytest.mark.parametrize("name", ["one", "pair", "many"])
def test_a_browser_has_nothing_to_complain_of(browser: Any, name: str, request: pytest.FixtureRequest) -> None:
    """No console message, no request, no sideways scroll on a phone; dark is dark, and paper is white."""
    tab = Tab(browser, page(request.getfixturevalue(name)), width=390, dark=True)
    assert tab.ask("document.documentElement.scrollWidth") <= 390
    assert tab.ask("getComputedStyle(document.body).backgroundColor") == "rgb(19, 20, 23)"
    for width in (700, 1200, 1600):
        tab.tab.set_viewport_size({"width": width, "height": 900})
        few = name != "many" or width > 700
        assert tab.ask(browsing.CUT) == [] or not few, width
    tab.tab.set_viewport_size({"width": 1280, "height": 900})
    assert tab.ask("document.documentElement.scrollWidth") <= 1280
    tab.tab.emulate_media(media="print")
    assert tab.ask("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    tab.close()


@pytest.mark.parametrize("name", ["one", "pair"])
def test_the_first_screen_shows_four_figures(browser: Any, name: str, request: pytest.FixtureRequest) -> None:
    """Of each model: private accuracy, E, the share of the raw input, E above a random encoder; the rest is folded."""
    report = request.getfixturevalue(name)
    tab = Tab(browser, page(report))
    bottoms = tab.ask("[...document.querySelectorAll('.four div')].map(part => part.getBoundingClientRect().bottom)")
    assert len(bottoms) == 4 * len(report.audits)
    assert max(bottoms) <= 800
    assert not tab.ask("[...document.querySelectorAll('.more')].some(part => part.checkVisibility())")
    assert tab.ask("[...document.querySelectorAll('.card .limits')].every(part => part.checkVisibility())")
    tab.close()


def test_tables_are_sorted_and_filtered_by_keyboard(browser: Any, pair: Report) -> None:
    """A filter keeps the rows that hold every word, counts them aloud, hides empty groups, and is undone by Escape."""
    tab = Tab(browser, page(pair))
    whole = len(tab.ask(f"{ROWS}.map(row => 0)"))
    tab.tab.get_by_label("Filter rows").first.focus()
    tab.tab.keyboard.type("END matched")
    found = tab.ask(f"{ROWS}.map(row => row.cells[1].textContent)")
    assert 0 < len(found) < whole
    assert set(found) == {"matched"}
    assert tab.ask("document.querySelectorAll('.attackers tbody:not([hidden])').length") == 1
    count = tab.tab.locator(".filter output").first
    assert count.text_content() == f"{len(found)} of {whole} rows"
    assert count.get_attribute("aria-live") == "polite"
    tab.tab.keyboard.type(" nothing of the kind")
    assert tab.ask(f"{ROWS}.length") == 0
    tab.tab.emulate_media(media="print")
    assert tab.ask(f"{ROWS}.length") == whole
    tab.tab.emulate_media(media="screen")
    tab.tab.get_by_label("Filter rows").first.focus()
    tab.tab.keyboard.press("Escape")
    assert (tab.ask(f"{ROWS}.length"), count.text_content()) == (whole, f"{whole} of {whole} rows")
    button = tab.tab.locator(".attackers thead button").nth(3)
    button.focus()
    for key, way in (("Enter", "descending"), ("Space", "ascending")):
        tab.tab.keyboard.press(key)
        values = tab.ask(
            "[...document.querySelector('.attackers tbody').querySelectorAll('tr:not(.group) td:nth-child(5)')]"
            ".map(cell => +cell.dataset.v)"
        )
        assert values == sorted(values, reverse=way == "descending")
        assert tab.ask("[...document.querySelectorAll('[aria-sort]')].map(head => head.ariaSort)") == [way]
    tab.close()


def test_the_page_is_walked_by_keyboard_and_by_headings(browser: Any, pair: Report) -> None:
    """The skip link comes first and shows; headings go down by one; what scrolls is reached; parts keep their order."""
    tab = Tab(browser, page(pair), width=390)
    tab.tab.keyboard.press("Tab")
    assert tab.ask("document.activeElement.className") == "skip"
    assert tab.ask("document.activeElement.getBoundingClientRect().top") >= 0
    assert tab.ask("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    tab.tab.keyboard.press("Enter")
    assert abs(tab.ask("document.querySelector('#verdict').getBoundingClientRect().top")) < 200
    levels = [int(level) for level in tab.ask("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => h.tagName[1])")]
    assert levels[0] == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
    wide = tab.ask("[...document.querySelectorAll('.scroll')].filter(p => p.scrollWidth > p.clientWidth + 1).length")
    assert wide > 0
    assert tab.ask("document.querySelectorAll('.scroll[tabindex=\"0\"][aria-label]').length") == wide
    parts = tab.ask("[...document.querySelectorAll('.toc > ul > li > a')].map(link => link.textContent)")
    assert [name.split(maxsplit=1)[1] for name in parts] == [
        "Verdict", "Threat model", "Findings", "Controls", "Comparison", "Pictures", "Limits", "Provenance",
    ]  # fmt: skip
    assert tab.ask("[...document.querySelectorAll('.toc a')].every(link => document.querySelector(link.hash))")
    tab.close()


def violations(browser: Any, report: Report, *, width: int, dark: bool) -> list[str]:
    """What axe-core finds, with folds closed and with folds open."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    tab = Tab(browser, page(report), width=width, dark=dark)
    found = axe.run(tab.tab).response["violations"]
    tab.ask(OPEN)
    tab.ask(browsing.SETTLED)
    found += axe.run(tab.tab).response["violations"]
    tab.close()
    return [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]


def test_axe_finds_nothing(browser: Any, make_report: Callable[..., Report]) -> None:
    """A dark page of one model on a phone, folds closed and open; the rest is run with the long tests."""
    plan = replace(synthetic.VANILLA, targets=("0", "1"), classes=("red", "blue"))
    assert violations(browser, make_report(plan), width=390, dark=True) == []


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", ["one", "pair", "many"])
def test_axe_finds_nothing_anywhere(
    browser: Any, name: str, width: int, scheme: str, request: pytest.FixtureRequest
) -> None:
    """One, two and many models, light and dark, wide and narrow, folds closed and open."""
    assert violations(browser, request.getfixturevalue(name), width=width, dark=scheme == "dark") == []


def test_paper_holds_what_is_folded_and_no_contents_list(browser: Any, one: Report, pair: Report) -> None:
    """On paper folds are open, the contents list and filters are gone, nothing is cut, and it becomes a document."""
    gone, folded, wide = "nav, .filter, .skip, th button", "details dd, details td", "main svg, main img, main table"
    rights = f"[...document.querySelectorAll('{wide}')].map(part => part.getBoundingClientRect().right)"
    alone = Tab(browser, page(one), width=PAPER)
    alone.tab.emulate_media(media="print")
    assert max(alone.ask(rights)) <= PAPER  # where it is wider, Chromium prints everything smaller
    alone.close()
    tab = Tab(browser, page(pair), width=PAPER)
    tab.tab.emulate_media(media="print")
    assert tab.ask(f"document.querySelectorAll('{gone}').length") > 4
    assert not tab.ask(f"[...document.querySelectorAll('{gone}')].some(part => part.checkVisibility())")
    assert min(tab.ask(f"[...document.querySelectorAll('{folded}')].map(p => p.getBoundingClientRect().height)")) > 0
    assert max(tab.ask(rights)) <= PAPER
    ends = "[...document.querySelectorAll('.card .four, .card .limits')].map(p => p.getBoundingClientRect().bottom)"
    assert max(tab.ask(ends)) < SHEET  # the verdict, its four figures and its limits stand on the first sheet
    assert tab.tab.pdf(prefer_css_page_size=True)[:5] == b"%PDF-"
    tab.close()


def test_a_policy_without_scripts_and_styles_leaves_a_page_to_read(browser: Any, pair: Report) -> None:
    """Charts keep the colours of their attributes, words their order, and no button stands there that does nothing."""
    tab = browser.new_page()
    policy = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": browsing.FORBIDDING}
    tab.route("**/*", lambda asked: asked.fulfill(body=page(pair), headers=policy))
    tab.goto("http://report.invalid/")
    assert tab.evaluate("document.styleSheets.length") == 0
    assert tab.evaluate("document.querySelectorAll('main button, main input').length") == 0
    fills = tab.evaluate(
        "[...document.querySelectorAll('#verdict .key svg *')].map(mark => getComputedStyle(mark).fill)"
    )
    assert fills[:2] == ["rgb(194, 102, 10)", "rgb(59, 125, 216)"]
    drawn = tab.evaluate("[...document.querySelectorAll('#main svg [fill]')].map(p => getComputedStyle(p).fill)")
    assert {"rgb(194, 102, 10)", "rgb(59, 125, 216)"} <= set(drawn)
    words = tab.evaluate("document.querySelector('main').innerText")
    order = ["1.1 Verdict", "LEAK", "Limits.", "2 Threat model", "4 Controls", "5 Comparison", "8 Provenance"]
    places = [words.index(part) for part in order]
    assert places == sorted(places)
    assert all(html_part in words for html_part in ("Private accuracy", "E above a random encoder"))
    tab.close()


def hostile(name: str, place: int) -> tuple[Audit, dict[str, Outcomes]]:
    """An audit in which everything that others may name is called so."""
    plan = replace(synthetic.END, name=name, private=name, target=name, classes=(name, "b"), targets=(name, "1"))
    made, rows = synthetic.audit(plan)
    path = f"/home/{name}/model.pth"
    changed = replace(
        made,
        subject={**made.subject, "layer": name, "path": path, "sha256": str(place) * 64},
        data={**made.data, "name": name, "split": name},
        provenance={**made.provenance, "command": f"leakaudit attack '{path}'"},
    )
    return changed, rows


def test_hostile_names_stay_text_in_the_document(browser: Any) -> None:
    """A checkpoint, an attribute, classes and a path that are markup make no element; they stand there, spelt out."""
    given = [synthetic.audit(synthetic.VANILLA), *(hostile(name, place) for place, name in enumerate(HOSTILE))]
    tab = Tab(browser, page(make(given, ())))
    assert tab.ask("document.querySelectorAll('main script, body > script').length") == 1
    assert tab.ask("document.querySelectorAll('img:not([src^=\"data:image/png;base64,\"]), [onerror]').length") == 0
    assert tab.tab.title() != "run"
    shown = tab.ask("document.body.textContent")
    for name in (HOSTILE[0], HOSTILE[1], r"\u202egnp.exe\u2066", f"{'x' * 44}…{'x' * 19}"):
        assert shown.count(name) > 10, name
    assert not set(shown) & {"\u202e", "\u2066"}
    assert "x" * 129 not in shown
    tab.close()


def test_a_page_with_pictures_stays_small() -> None:
    """Two models with eight noisy pictures of 64 by 64 pixels in each of three rows: under 2 MB."""
    made = []
    for plan in (synthetic.VANILLA, synthetic.END):
        one, rows = synthetic.audit(plan)
        (part,) = one.attributes
        assert part.reconstruction is not None
        assert part.reconstruction.pictures is not None
        kinds = enumerate(name for name, _ in part.reconstruction.pictures.rows)
        strips = tuple((name, png(512, 64, np.random.default_rng(10 * len(made) + i))) for i, name in kinds)
        pictures = replace(part.reconstruction.pictures, height=64, width=64, rows=strips)
        rebuilt = replace(part, reconstruction=replace(part.reconstruction, pictures=pictures))
        made.append((replace(one, attributes=(rebuilt,)), rows))
    shown = replace(make(made, ()), with_images=True)
    assert page(shown).count("data:image/png;base64,") >= 5
    assert len(page(shown).encode()) < 2_000_000
    assert "data:image" not in page(replace(shown, with_images=False))
