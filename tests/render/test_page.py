"""The HTML page: self-contained, strict about what it may load, and drawn by attributes."""

import base64
import hashlib
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import markup
import pytest
import synthetic

from leakaudit.render import Report, html
from leakaudit.report import report as make

VOID = {"meta", "img", "br", "link", "input", "hr"}


@pytest.fixture(scope="module")
def page(pair: Report) -> str:
    """The page of two models."""
    return html.render(pair, width=80)


def test_nothing_is_loaded(page: str) -> None:
    """Every address in the page is a place in the page or data in it."""
    addresses = re.findall(r"""\b(?:src|href|srcset|action|poster|data|xlink:href)\s*=\s*["']([^"']*)""", page)
    assert addresses
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in addresses)
    assert not re.search(r"url\(|@import|https?://", page)


def test_the_policy_names_the_very_bytes(page: str) -> None:
    """The content security policy holds the sha256 of the one style sheet and the one script, and allows no other."""
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy
    assert "default-src 'none'" in policy[1]
    assert "unsafe" not in policy[1]
    for tag in ("style", "script"):
        (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy[1]


def test_attributes_draw_the_charts(page: str) -> None:
    """No element has a style attribute or a handler, and no drawing has a style sheet of its own."""
    body = page.split("</style>", maxsplit=1)[1].split("<script>", maxsplit=1)[0]
    assert not re.search(r"<[^>]*\s(style|on\w+)=", body)
    assert "<style" not in body
    for drawing in re.findall(r"<svg.*?</svg>", body, flags=re.DOTALL):
        assert 'aria-hidden="true"' in drawing or "<title" in drawing
        for shape in re.findall(r"<(?:rect|circle|path|line|text)\b[^>]*>", drawing):
            assert re.search(r'\b(fill|stroke)="', shape), shape


def test_every_tag_is_closed_and_every_id_is_one(page: str) -> None:
    """The page parses without repair, and what is referred to is there once."""
    markup.check(page, VOID)


def test_drawn_intervals_lie_where_their_numbers_say() -> None:
    """The solid end of a strip spans the interval on the strip's own scale, and is never thinner than three pixels."""
    from leakaudit.render._html import strips
    from leakaudit.stats import Interval

    wide, thin = Interval(0.4, 0.3, 0.5), Interval(0.997, 0.996, 0.998)
    drawn = re.search(r'<rect x="([\d.]+)" y="9.5" width="([\d.]+)"', strips.excess(0, wide, 0.1, solid=True))
    assert drawn
    assert float(drawn[1]) == pytest.approx(1 + 148 * 0.3, abs=0.1)
    assert float(drawn[2]) == pytest.approx(148 * 0.2, abs=0.1)
    drawn = re.search(r'y="9.5" width="([\d.]+)"', strips.excess(0, thin, 0.1, solid=True))
    assert drawn
    assert float(drawn[1]) == pytest.approx(3.0)


def test_pictures_stand_only_where_they_are_stored(make_report: Callable[..., Report]) -> None:
    """With stored pictures there is a grid of images; without there is none, and the page says how to keep some."""
    with_images = html.render(replace(make_report(synthetic.VANILLA), with_images=True), width=80)
    without = html.render(make_report(replace(synthetic.VANILLA, pictures=False)), width=80)
    assert with_images.count("data:image/png;base64,") == 3
    assert "data:image" not in without
    assert "--with-images" in without


def test_sections_without_data_are_left_out(make_report: Callable[..., Report]) -> None:
    """No heading stands over nothing."""
    bare = html.render(
        make_report(replace(synthetic.VANILLA, paper=False, baselines=False, reconstruction=False)), width=80
    )
    full = html.render(make_report(synthetic.VANILLA), width=80)
    for name in ("papers", "baselines", "rebuilt"):
        assert f'id="{name}"' not in bare
        assert f'id="{name}"' in full


def test_rendering_is_quick_and_light(many: Report) -> None:
    """Five models take less than three seconds and load no heavy library."""
    start = time.perf_counter()
    html.render(many, width=80)
    assert time.perf_counter() - start < 3
    code = (
        "import sys; from leakaudit.render import html, markdown, terminal, json; import leakaudit.report; "
        "print([name for name in ('torch', 'sklearn', 'pandas', 'matplotlib') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_audits_with_nothing_in_common_are_no_comparison() -> None:
    """The page says two audits, both targets, and nothing of method or seed; where they are compared it says so."""
    made, outcomes = synthetic.audit(synthetic.VANILLA)
    other = replace(made, attributes=(replace(made.attributes[0], private="hat", target="shape"),))
    apart = html.render(make([(made, outcomes), (other, None)], ()), width=80)
    assert "report · 2 audits<" in apart
    assert "or the training seed;" not in apart
    assert re.search(r"digit, \d+ classes; shape, \d+ classes", apart)
    both = html.render(make([(made, outcomes), (synthetic.audit(synthetic.END)[0], None)], ()), width=80)
    assert "comparison of 2 audits" in both
    assert "or the training seed;" in both


def test_nothing_is_said_to_be_surely_read_where_the_lower_bound_is_below_nothing() -> None:
    """The class of the highest lower bound is named only where that bound says that anything is read."""
    made, outcomes = synthetic.audit(synthetic.VANILLA)
    cell = made.attributes[0].worst
    assert cell is not None
    for low, said in ((cell.excess.low, True), (-0.02, False)):
        part = replace(made.attributes[0], worst=replace(cell, excess=cell.excess._replace(low=low)))
        shown = html.render(make([(replace(made, attributes=(part,)), outcomes)], ()), width=80)
        assert ("ost is surely read with E" in shown) == said


def test_a_mark_is_explained_where_it_stands() -> None:
    """Of many models the star of an unpaired one is explained where there is one, and not where there is none."""
    plans = [replace(synthetic.VANILLA, name=f"model-{i}", strength=0.3 + 0.1 * i) for i in range(5)]
    made = [synthetic.audit(plan) for plan in plans]
    for rows, said in ((True, False), (False, True)):
        shown = html.render(make([(audit, known if rows else None) for audit, known in made], ()), width=80)
        assert ("*: unpaired" in shown) == said


def test_the_page_says_when_it_was_made_and_what_the_tolerance_lets_through(one: Report) -> None:
    """Day and version stand among the facts; E of .10 among C classes is an accuracy of 1/C + .10 (1 - 1/C)."""
    said = {"created": "2026-11-22T07:45:07+00:00", "versions": {"leakaudit": "9.8"}}
    audit = replace(one.audits[0], provenance=said)
    made = html.render(replace(one, audits=(audit,)), width=80)
    assert "<dt>Made</dt><dd>2026-11-22 by leakaudit 9.8</dd>" in made
    classes, tolerance = len(audit.attributes[0].classes), audit.tolerance
    allowed = 100 * (1 / classes + tolerance * (1 - 1 / classes))
    assert f"lets an attacker name {allowed:.1f} of 100 rows" in made
