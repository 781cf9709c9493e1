"""What is true of every figure."""

import itertools
import re
from dataclasses import replace

import pytest
from plates import beyond, font, hostile, models, parsed, report, sweep, words

from leakaudit.render import _drawings
from leakaudit.render._drawings import cells, intervals, lettering, pareto, rho
from leakaudit.render._drawings.drawing import Drawing, slug, stems

Gallery = dict[str, tuple[Drawing, ...]]
NAMES = ("one", "two", "six", "twenty", "attributes", "sweep", "seeds", "hostile")


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_is_well_formed_and_stays_inside_its_frame(gallery: Gallery, name: str) -> None:
    """Every figure is XML, and no words, lines or marks of it lie outside of what it says it takes."""
    assert {"intervals", "pareto", "cells", "learning", "auxiliaries"} <= {one.kind for one in gallery[name]}
    outside = {one.name: found for one in gallery[name] if (found := beyond(one))}
    assert outside == {}


def test_words_that_leave_the_frame_are_noticed() -> None:
    """The measure above fails for a figure whose words leave it."""
    (drawn,) = pareto.draw(models(1))
    assert beyond(drawn) == []
    longer = drawn.svg.__class__(str(drawn.svg).replace(">Target: ", f">Target: {'W' * 60}"))
    assert beyond(replace(drawn, svg=longer))


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_needs_no_style(gallery: Gallery, name: str) -> None:
    """Attributes alone draw it: no style, no script, nothing fetched; ids begin with its name; ink is the text's."""
    for one in gallery[name]:
        tags = re.sub(r">[^<]*<", "><", str(one.svg))
        assert not re.search(r"\sstyle=|<style|<script|<image|<use|href=|\son\w+=", tags), one.name
        assert all(each.startswith(f"{one.name}-") for each in re.findall(r'\bid="([^"]*)"', tags))
        assert 'role="img"' in tags
        assert "<title" in tags
        assert "<desc" in tags
        assert not re.search(r'(?:fill|stroke)="(?:black|#000)', tags)


@pytest.mark.parametrize("name", NAMES)
def test_figures_of_a_report_have_names_of_their_own(gallery: Gallery, name: str) -> None:
    """Names are letters, digits and hyphens, none twice, whatever the audits are called."""
    made = [one.name for one in gallery[name]]
    assert len(set(made)) == len(made)
    assert all(re.fullmatch(r"[a-z0-9-]{1,64}", each) for each in made)


def test_a_figure_is_the_same_twice(gallery: Gallery) -> None:
    """The same report gives the same figures, word for word."""
    assert _drawings.every(sweep(("vanilla", "end:alpha=1"), (0.5, 0.9), seeds=3)) == gallery["seeds"]


def test_hostile_names_stay_text(gallery: Gallery) -> None:
    """Names that would be tags are words in the figure, cut where they do not end."""
    for one in gallery["hostile"]:
        root = parsed(one)
        assert not [each for each in root.iter() if each.tag.rpartition("}")[2] in ("script", "img")], one.name
        assert max(len(said) for said in words(root)) < 200
        assert "\u202e" not in str(one.svg)
    assert any("<script>" in said for one in pareto.draw(hostile()) for said in words(parsed(one)))


@pytest.mark.parametrize("name", ["one", "six", "sweep"])
def test_a_caption_says_what_is_seen_and_how_it_is_drawn(gallery: Gallery, name: str) -> None:
    """A caption is sentences without tags, names the attribute, and praises nothing."""
    for one in gallery[name]:
        assert one.caption.endswith("."), one.name
        assert "colour" in one.caption, one.name
        assert "<" not in one.caption
        assert not re.search(r"\b(safe|compliant|anonymous)\b", one.caption + one.title)


def test_names_of_files_are_slugs() -> None:
    """What a file cannot be called becomes a hyphen, and equal names get numbers."""
    assert stems("cells", ["Hair Colour", "hair-colour", "../../etc", "\u4e2d\u6587", ""]) == [
        "cells-hair-colour", "cells-hair-colour-2", "cells-etc", "cells", "cells-2",
    ]  # fmt: skip
    assert slug("A" * 500) == "a" * 40


@pytest.mark.parametrize(("strong", "name"), [(False, "DejaVuSans.ttf"), (True, "DejaVuSans-Bold.ttf")])
def test_words_are_no_wider_than_they_are_said_to_be(name: str, strong: bool) -> None:  # noqa: FBT001 (a parameter)
    """The table of widths covers what DejaVu Sans takes, so that no label reaches into the next."""
    for said in (
        "vanilla/WM-high@%",
        "0.412 [0.392, 0.432]",
        "Pareto front",
        "illicit Wi-Fi",
        "na\u00efve \u2212 \u03c4",
    ):
        measured = font(name).getlength(said) / 10
        assert measured <= lettering.wide(said, strong=strong) <= 1.25 * measured, said


def test_words_are_cut_to_the_room_there_is() -> None:
    """What fits stays whole; of the rest beginning and end stay, as many letters as fit beside an ellipsis."""
    assert lettering.cut("vanilla", 100) == "vanilla"
    short = lettering.cut("W" * 100_000, 100)
    assert re.fullmatch("W+\u2026W+", short)
    assert lettering.cut("runs/" + "x" * 60 + "-b", 100).endswith("x-b")
    assert 75 < lettering.wide(short) <= 100


def test_labels_are_spread_without_touching() -> None:
    """Names beside lines stand a line apart, in order and inside the figure; where there is room they stay."""
    assert lettering.spread([10, 50, 90], 15, 0, 100) == [10, 50, 90]
    places = lettering.spread([50, 50, 50, 51, 99], 15, 0, 100)
    assert sorted(places) == places
    assert all(b - a >= 15 - 1e-9 for a, b in itertools.pairwise(places))
    assert min(places) >= 0
    assert max(places) <= 100
    assert lettering.spread([5.0] * 20, 15, 0, 100)[-1] == pytest.approx(100)


def test_what_is_not_there_is_not_drawn() -> None:
    """Without a task of the model's own there is no front, and without two values of rho there are no lines."""
    bare = report([replace(audit, utility=None) for audit in models(2).audits])
    assert pareto.draw(bare) == ()
    assert pareto.draw(models(2))
    assert rho.draw(bare) == ()
    assert rho.draw(sweep(("vanilla",), (0.5,))) == ()
    assert intervals.draw(bare)
    assert cells.draw(bare)
