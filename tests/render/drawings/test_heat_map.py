"""E inside each target class, as a heat map; and E against the tolerance, row by row."""

import re
from dataclasses import replace

from plates import SPACE, models, parsed, report, words

from leakaudit.finding import Cell
from leakaudit.render import _entries, _figures
from leakaudit.render._drawings import auxiliaries, cells, forest, intervals, learning
from leakaudit.stats import Interval


def with_cells(found: tuple[Cell, ...], count: int = 1):
    """A report on models that hold these cells."""
    made = models(count).audits
    return report([replace(audit, attributes=(replace(audit.attributes[0], cells=found),)) for audit in made])


def test_every_number_is_the_documents() -> None:
    """Cell by cell the map shows E as the audit holds it, and ink in proportion, on one scale for all models."""
    made = models(6)
    (drawn,) = cells.draw(made)
    held = [cell.excess.value for audit in made.audits for cell in audit.attributes[0].cells]
    shown = [said for said in words(parsed(drawn)) if re.fullmatch(r"\u2212?\d\.\d{3}", said)]
    assert shown == [_figures.three(value).replace("-", "\u2212") for value in held]
    squares = [each for each in parsed(drawn).iter(f"{SPACE}rect") if each.get("height") == "25.0"]
    assert [float(each.get("fill-opacity", "9")) for each in squares] == [cells.ink(value) for value in held]
    assert cells.ink(1.0) == cells.INK
    assert cells.ink(-0.2) == 0
    assert cells.ink(0.25) == cells.INK / 4


def test_few_rows_stay_empty_with_a_cross() -> None:
    """A class with fewer than thirty rows has no number, and the caption says what the cross is."""
    known = [Cell(name, rows, 4, Interval(0.5, 0.1, 0.9)) for name, rows in (("0", 30), ("1", 29), ("2", 300))]
    (drawn,) = cells.draw(with_cells(tuple(known)))
    assert words(parsed(drawn)).count("0.500") == 2
    assert "A cross: fewer than 30 rows" in drawn.caption
    full = [replace(cell, rows=300) for cell in known]
    (whole,) = cells.draw(with_cells(tuple(full)))
    assert words(parsed(whole)).count("0.500") == 3
    assert "cross" not in whole.caption


def test_many_classes_break_into_lines() -> None:
    """A hundred classes are drawn in blocks, those in which surely most is read, and the caption says so."""
    many = tuple(Cell(f"class {i}", 300, 4, Interval(i / 100, i / 100, i / 100)) for i in range(100))
    (drawn,) = cells.draw(with_cells(many))
    said = words(parsed(drawn))
    assert "class 40" in said
    assert "class 39" not in said
    assert f"Drawn are the {cells.MOST} classes" in drawn.caption


def test_the_sentence_says_where_most_and_least_is_read() -> None:
    """Both ends are named, with the model where there are several."""
    known = (Cell("0", 90, 4, Interval(0.2, 0.1, 0.3)), Cell("1", 90, 4, Interval(0.7, 0.6, 0.8)))
    assert cells.told(_entries.entries(with_cells(known))) == (
        "E of the colour runs from 0.200, where the digit is 0, to 0.700, where it is 1."
    )
    assert "(vanilla)" in cells.told(_entries.entries(with_cells(known, 2)))
    few = tuple(replace(cell, rows=3) for cell in known)
    assert cells.told(_entries.entries(with_cells(few))).startswith("No digit has 30 rows")


def test_e_of_every_model_stands_beside_its_interval() -> None:
    """The forest plot prints each figure as the page does, with the word that the caption explains."""
    made = models(6)
    (drawn,) = intervals.draw(made)
    said = words(parsed(drawn))
    for entry in _entries.entries(made):
        assert _figures.with_bounds(entry.attribute.figures.excess).replace("-", "\u2212") in said
    assert said.count("above") == 5
    assert said.count("across") + said.count("under") == 1
    by_excess = [e.name for e in sorted(_entries.entries(made), key=lambda e: e.attribute.figures.excess.value)]
    assert [name for name in said if name in by_excess] == by_excess


def test_several_attributes_stand_under_their_names() -> None:
    """One figure holds all attributes, each under its name; with one there is no heading."""
    (drawn,) = intervals.draw(models(2, attributes=2))
    said = words(parsed(drawn))
    assert said.index("colour") < said.index("style")
    assert "colour" not in words(parsed(intervals.draw(models(2))[0]))


def test_the_papers_protocol_stands_last_and_never_decides() -> None:
    """Every auxiliary has its strongest attacker; the papers' comes last with its word, hollow."""
    (entry,) = _entries.entries(models(1))
    strongest = auxiliaries.strongest(entry)
    assert [finding.auxiliary for finding in strongest] == ["balanced", "matched", "paper"]
    for finding in strongest:
        rivals = [
            f for f in entry.attribute.findings if f.auxiliary == finding.auxiliary and f.attacker != "gaussian-pca"
        ]
        assert finding.figures.excess.value == max(f.figures.excess.value for f in rivals)
    (drawn,) = auxiliaries.draw(models(1))
    said = words(parsed(drawn))
    assert said.count("never decides") == 1
    assert said.index("paper") > said.index("matched") > said.index("balanced")
    bare = [replace(a, attributes=(replace(a.attributes[0], findings=()),)) for a in models(1).audits]
    assert auxiliaries.draw(report(bare)) == ()


def test_what_auxiliaries_conclude_is_said() -> None:
    """Where they differ, each is named with its word; where they agree, that is said."""
    (entry,) = _entries.entries(models(1))
    same = tuple(replace(finding, figures=entry.attribute.figures) for finding in entry.attribute.findings)
    agreed = entry._replace(attribute=replace(entry.attribute, findings=same))
    assert auxiliaries.told([agreed]).endswith("on the same side of the tolerance, above τ.")
    low = replace(entry.attribute.figures, excess=Interval(0.01, -0.02, 0.04))
    other = (*same[:-1], replace(same[-1], figures=low))
    said = auxiliaries.told([entry._replace(attribute=replace(entry.attribute, findings=other))])
    assert "under τ with the papers' protocol" in said
    assert "above τ with balanced labels" in said


def test_an_interval_is_always_seen() -> None:
    """Bounds that would fall on one pixel are drawn three apart; the word is that of the table."""
    (entry,) = _entries.entries(models(1))
    body, high = forest.drawn([forest.Row("vanilla", entry, Interval(0.5, 0.5, 0.5), forest.word(entry))])
    ends = re.findall(r'<line x1="([\d.]+)" y1="[\d.]+" x2="([\d.]+)" y2="[\d.]+" stroke="#c2660a"', body)
    assert [round(float(right) - float(left), 1) for left, right in ends] == [3.0]
    assert high == forest.HEAD + forest.STEP + forest.FOOT


def test_every_curve_is_named_at_its_end() -> None:
    """Of twenty models every name stands right of its curve; of many the sentence says the fewest and the most."""
    (drawn,) = learning.draw(models(20))
    names = {entry.name for entry in _entries.entries(models(20))}
    assert names <= set(words(parsed(drawn)))
    four = _entries.entries(models(20))[:4]
    same = [entry._replace(attribute=replace(entry.attribute, labels_needed=30, p=0.0)) for entry in four]
    assert learning.told(same).endswith("30 labelled rows of each of the 4 models.")
    assert re.match(r"The colour shows after (at most )?\d+ labelled rows of \S+ to \d+ of \S+", drawn.caption)
