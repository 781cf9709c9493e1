"""Models over rho: the papers' polar plot, and lines that can be read."""

import math
import re
from dataclasses import replace

import pytest
from plates import parsed, report, sweep, words

from leakaudit.render import Report, _entries, html
from leakaudit.render._drawings import rho, rhos

METHODS = ("vanilla", "rubi", "end:alpha=1")
THREE = (0.9, 0.99, 0.999)


def families(of: Report) -> list[rhos.Family]:
    """The methods of a report of one attribute."""
    return rhos.families(_entries.entries(of))


def test_the_radius_is_private_accuracy() -> None:
    """Each point of the polar plot lies as far from the centre as the mean share that is named right."""
    made = sweep(METHODS, THREE)
    found = families(made)
    text = str(rho.draw(made)[0].svg)
    for family in found:
        places = rho.polar(found, family)
        drawn = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        assert f'd="{drawn}"' in text
        for value, (x, y) in zip(family.rhos, places, strict=True):
            (entry,) = family.at(value)
            radius = math.hypot(x - rho.MIDDLE, y - rho.CENTRE) / rho.RADIUS
            assert radius == pytest.approx(entry.attribute.figures.private_accuracy.value)


def test_angles_are_those_of_rho() -> None:
    """Models of one rho lie on one ray, the least rho on the left."""
    found = families(sweep(METHODS, THREE))
    rays = [[math.atan2(rho.CENTRE - y, x - rho.MIDDLE) for x, y in rho.polar(found, family)] for family in found]
    assert rays[0] == pytest.approx(rays[1])
    assert rays[0] == pytest.approx([math.radians(angle) for angle in (150, 90, 30)])


def test_rho_is_what_the_audit_says() -> None:
    """An override counts more than the data set's name, and the rho of the test images is another."""
    made = sweep(("vanilla",), (0.9, 0.99))
    first, *_ = _entries.entries(made)
    assert rhos.trained_with(first) == 0.9
    subject = {**first.audit.subject, "overrides": {"dataset.rho": 0.5}}
    assert rhos.trained_with(first._replace(audit=replace(first.audit, subject=subject))) == 0.5
    for words_of_it in ("biased-mnist:test_rho=0.1", "utkface", "x:rho=abc"):
        subject = {**first.audit.subject, "trained_on": words_of_it}
        assert rhos.trained_with(first._replace(audit=replace(first.audit, subject=subject))) is None


def test_seeds_are_points_around_their_mean() -> None:
    """Several models of one method and rho are drawn one by one, and the line goes through their mean."""
    made = sweep(("vanilla", "end:alpha=1"), (0.5, 0.9), seeds=3)
    vanilla, _ = families(made)
    assert len(vanilla.at(0.5)) == 3
    values = [entry.attribute.figures.excess.value for entry in vanilla.at(0.5)]
    assert vanilla.mean(0.5, lambda entry: rhos.excess(entry).value) == pytest.approx(sum(values) / 3)
    round_one, lines = rho.draw(made)
    assert str(round_one.svg).count('r="1.8"') == 12
    assert str(lines.svg).count('r="1.8"') == 24
    assert "differ in their seed" in lines.caption
    assert 'r="1.8"' not in str(rho.draw(sweep(METHODS, THREE))[1].svg)


def test_knobs_of_a_method_are_said_only_where_they_tell_models_apart() -> None:
    """A method is called by its name; where one rho has two kinds of it, by its knobs, too."""
    assert [family.method for family in families(sweep(METHODS, THREE))] == ["vanilla", "rubi", "end"]
    found = families(sweep(("end:alpha=1", "end:alpha=9"), (0.5, 0.9)))
    assert [family.method for family in found] == ["end:alpha=1", "end:alpha=9"]


def test_the_sentence_says_what_the_data_can_tell() -> None:
    """E rises where the intervals of both ends lie apart, and is not said to change where they do not."""
    found = families(sweep(("end:alpha=1",), (0.5, 0.9, 0.99)))
    assert re.fullmatch(
        r"From rho 0\.5 to 0\.99, E of the colour rises for end \(0\.\d+ to 0\.\d+\)\.", rhos.told(found)
    )
    apart = sweep(("end:alpha=1",), (0.5, 0.9))
    audits = [replace(audit, attributes=apart.audits[0].attributes) for audit in apart.audits]
    assert "does not change by more than the intervals for end" in rhos.told(families(report(audits)))


def test_both_plots_stand_beside_each_other_on_the_page() -> None:
    """The page opens the section with the sentence, draws both, and has every figure in a table."""
    made = sweep(METHODS, THREE)
    page = html.render(made, width=80)
    assert page.count('class="rhos"') == 1
    assert 'id="rho-polar-colour-t"' in page
    assert 'id="rho-lines-colour-t"' in page
    assert rhos.told(families(made)).split(",")[0] in page
    assert "<summary>The figures</summary>" in page
    assert 'class="rhos"' not in html.render(sweep(("vanilla",), (0.5,)), width=80)


def test_every_method_is_named_beside_its_line() -> None:
    """Names stand where lines end, and every rho under the axis."""
    drawn = rho.draw(sweep(METHODS, THREE))
    for one in drawn:
        assert {"vanilla", "rubi", "end", "0.9", "0.99", "0.999"} <= set(words(parsed(one)))
