"""Split histograms: what is drawn is what the document counted, of the attack rows beside those of training."""

import re
from dataclasses import replace

import numpy as np
import pytest
from reader import words

from leakaudit.render import Report, html
from leakaudit.render._drawings import histograms

Counts = tuple[tuple[int, ...], ...]


def table(targets: int, privates: int, *, usual: int = 40, other: int = 2) -> Counts:
    """Rows of which most have the private class that goes with their target class."""
    made = np.full((targets, privates), other)
    made[np.arange(targets), np.arange(targets) % privates] = usual
    return tuple(map(tuple, made.tolist()))


def mixed(report: Report, *pairs: tuple[Counts, Counts], **changes: object) -> Report:
    """The report, its audits with these counts."""
    made = []
    for audit, (attacked, trained) in zip(report.audits, pairs, strict=True):
        part = replace(audit.attributes[0], crossing=attacked, trained_crossing=trained, **changes)  # type: ignore[arg-type]
        made.append(replace(audit, attributes=(part,)))
    return replace(report, audits=tuple(made))


def lengths(svg: str) -> list[float]:
    """How long each bar is; samples of the key are squares."""
    return [float(wide) for wide in re.findall(r'<rect [^>]*width="([\d.]+)" height="11" ', svg)]


def many(count: int) -> tuple[str, ...]:
    """Names of classes."""
    return tuple(f"c{i}" for i in range(count))


def test_bars_are_as_long_as_their_rows_are_many(one: Report) -> None:
    """Two private classes: in each panel a pixel stands for the same number of rows, and the key names the inks."""
    attacked, trained = ((10, 20), (30, 40), (5, 0), (1, 2), (3, 4)), table(5, 2, usual=900, other=100)
    (drawn,) = histograms.draw(mixed(one, (attacked, trained), classes=("thin", "bold")))
    bars = np.array(lengths(drawn.svg)).reshape(2, 5, 2)
    assert bars[0] == pytest.approx(np.array(trained) * bars[0].max() / 900, abs=0.06)
    assert bars[1] == pytest.approx(
        np.maximum(np.array(attacked) * bars[1].max() / 40, [[1, 1], [1, 1], [1, 0], [1, 1], [1, 1]]), abs=0.06
    )
    for said in ("115 attack rows", "5\u202f000 training rows", "thin", "bold"):
        assert said in drawn.svg
    assert "each panel on a scale of its own" in drawn.caption


def test_shades_hold_shares_of_the_line(one: Report) -> None:
    """Ten private classes: every line adds up to about 100 %, the commonest is the darkest, nothing is no figure."""
    counts = table(5, 10, usual=82, other=2)
    (drawn,) = histograms.draw(mixed(one, (counts, counts), classes=many(10)))
    figures = re.findall(r">(\d+)</text>", drawn.svg)
    assert figures.count("82") == 10
    assert figures.count("2") == 90 + 2  # and the target class 2, in two panels
    inks = [float(ink) for ink in re.findall(r'<rect [^>]*fill-opacity="([\d.]+)"', drawn.svg)]
    assert len(inks) == 100
    assert max(inks) == pytest.approx(0.04 + 0.36 * 0.82, abs=2e-3)
    assert "adds up to 100 %" in drawn.caption


def test_how_closely_the_attribute_goes_with_the_target_is_said(one: Report, pair: Report) -> None:
    """Of training and attack rows; where training is not known, that is said; models of the same rows share it."""
    counts, even = table(5, 4, usual=70, other=10), table(5, 4, usual=10, other=10)
    both = mixed(one, (even, counts))
    said = "70.0 % of the training rows have the commonest colour of their digit, of the attack rows 25.0 %."
    assert said in words("html", both)
    assert histograms.draw(both)[0].caption.startswith(said)
    alone = mixed(one, (even, ()))
    assert "25.0 % of the attack rows have the commonest colour of their digit; of the training rows" in words(
        "html", alone
    )
    assert "training rows</text>" not in histograms.draw(alone)[0].svg
    assert len(histograms.draw(mixed(pair, (even, counts), (even, counts)))) == 1
    apart = mixed(pair, (even, counts), (even, even))
    assert [made.name for made in histograms.draw(apart)] == ["histograms-colour", "histograms-colour-2"]
    assert "vanilla: 70.0 %" in words("html", apart)


@pytest.mark.parametrize(
    "counts",
    [(), ((0,) * 4,) * 5, ((1, 2, 3, 4),), ((1, 2),) * 5, ((1, 2, 3, -4),) * 5],
    ids=["not counted", "no row", "too few lines", "too few columns", "fewer than none"],
)
def test_what_was_not_counted_is_not_drawn(counts: Counts, one: Report) -> None:
    """Earlier audits, and documents whose counts do not fit their classes, have no figure."""
    assert histograms.draw(mixed(one, (counts, table(5, 4)))) == ()
    assert 'id="histograms"' not in html.render(mixed(one, (counts, ())), width=80)
    fitting = histograms.draw(mixed(one, (table(5, 4), counts)))
    assert "training rows</text>" not in fitting[0].svg


def test_many_classes_are_cut_and_a_target_is_needed(one: Report) -> None:
    """Of more than two dozen the commonest are drawn; without a target there is nothing to split by."""
    counts = table(60, 50)
    (drawn,) = histograms.draw(mixed(one, (counts, counts), classes=many(50), target_classes=many(60)))
    assert "the 23 commonest of 60 classes of digit and the 23 commonest of 50 classes of colour" in drawn.caption
    assert "37 others" in drawn.svg
    tops = [float(y) for y in re.findall(r"translate\([\d.]+ ([\d.]+)\)", drawn.svg)]
    assert tops[1] > tops[0]  # one below the other
    assert histograms.draw(mixed(one, (table(5, 4), ()), target=None)) == ()


def test_hostile_names_stay_text(one: Report) -> None:
    """Names of classes and attributes are escaped wherever they are drawn."""
    evil = ("<script>alert(1)</script>", '"><img src=x>', "c", "d", "e")
    for privates in (4, 5):
        page = html.render(
            mixed(one, (table(5, privates), ()), classes=evil[:privates], target_classes=evil, target="<b>x"), width=80
        )
        assert 'id="histograms"' in page
        assert "<script>alert" not in page
        assert "<img src" not in page
        assert "<b>x" not in page
