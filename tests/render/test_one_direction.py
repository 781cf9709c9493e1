"""Single directions: bells lie where the document has them, and d' can be read off one axis."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
import synthetic
from reader import words

from leakaudit.audits import Curve, Separation
from leakaudit.render import Report, html
from leakaudit.render._drawings import directions


def along(report: Report, *separations: Separation) -> Report:
    """The report, its first audit with these directions."""
    first, *others = report.audits
    part = replace(first.attributes[0], separation=separations)
    return replace(report, audits=(replace(first, attributes=(part,)), *others))


def bells(count: int, far: float, rows: int = 100) -> tuple[Curve, ...]:
    """Bells evenly apart, of which every seventh has no rows but the first."""
    return tuple(
        Curve(f"c{i}", 0 if i % 7 == 6 else rows, far * (i / (count - 1) - 0.5), 1.0, (1, 5, 9, 5, 1))
        for i in range(count)
    )


def peaks(svg: str) -> list[float]:
    """Where each Gaussian is highest, in pixels from the left."""
    found = []
    for path in re.findall(r'<path d="M([^"z]+)" fill="none" stroke="currentColor" stroke-opacity=".8"', svg):
        points = [tuple(map(float, point.split())) for point in path.split("L")]
        found.append(min(points, key=lambda point: point[1])[0])
    return found


def test_bells_lie_as_far_apart_as_the_document_says(one: Report) -> None:
    """Pixels between two peaks are deviations on the axis that is drawn, in both panels."""
    made = along(
        one,
        Separation("pc1", 1.0, 0.4, (-6.0, 6.0), bells(5, 1.0)),
        Separation("lda", 6.0, None, (-8.0, 8.0), bells(5, 6.0)),
    )
    (drawn,) = directions.draw(made)
    at, far = peaks(drawn.svg), directions.reach(made.audits[0].attributes[0].separation)
    assert len(at) == 10
    ends = [float(x) for x in re.findall(rf'<text x="([\d.]+)"[^>]*>\u2212?{far:g}</text>', drawn.svg)]
    unit = (ends[1] - ends[0]) / (2 * far)
    assert at[4] - at[0] == pytest.approx(1.0 * unit, abs=0.3)
    assert at[9] - at[5] == pytest.approx(6.0 * unit, abs=0.3)
    assert "PC1, 40.0 % of variance" in drawn.svg
    assert "d\u2032 1.0" in drawn.svg
    assert "d\u2032 6.0" in drawn.svg
    assert "Here it is 1.0 on PC1 and 6.0 on LDA. A picture of one direction clears no model." in drawn.caption


@pytest.mark.parametrize(("count", "drawn"), [(2, 2), (7, 6), (12, 11), (15, 10), (40, 10)])
def test_of_many_classes_the_farthest_are_drawn_and_none_without_rows(count: int, drawn: int, one: Report) -> None:
    """Beyond a dozen the ten farthest, and the caption says so."""
    made = along(one, Separation("lda", 5.0, None, (-6.0, 6.0), bells(count, 5.0)))
    (figure,) = directions.draw(made)
    assert len(peaks(figure.svg)) == drawn
    assert (f"the 10 farthest of {count}" in figure.caption) == (count > 12)


def test_nothing_to_draw_is_no_figure_and_odd_documents_break_nothing(one: Report) -> None:
    """No directions, no classes with rows, a span of nothing, an unknown direction."""
    assert directions.draw(along(one)) == ()
    for odd in (
        Separation("lda", 0.0, None, (0.0, 0.0), bells(2, 0.0, rows=0)),
        Separation("lda", 0.0, None, (), bells(3, 0.0)),
        Separation("<b>", 1e9, 0.5, (-1e9, 1e9), bells(3, 1e9)),
        Separation("lda", 0.0, None, (-1.0, 1.0), ()),
    ):
        page = html.render(along(one, odd), width=80)
        assert "<b>, 50.0" not in page
        assert "nan" not in directions.draw(along(one, odd))[0].svg


def test_models_share_one_axis_and_names(pair: Report, make_report: Callable[..., Report]) -> None:
    """A figure per model; the axis is that of the widest, and the page says d' of each."""
    made = directions.draw(pair)
    assert [one.name for one in made] == ["directions-colour-vanilla", "directions-colour-end"]
    ends = [re.findall(r'anchor="end"[^>]*>(\d+)</text>', one.svg) for one in made]
    assert ends[0] == ends[1]
    assert "PC1 and on the LDA direction: 0.3 and 7.2 for vanilla and 0.3 and 0.7 for end." in words("html", pair)
    plans = [replace(synthetic.VANILLA, name=f"m{i}", model="abcdef0"[i], strength=0.1 * i) for i in range(7)]
    many = words("html", make_report(*plans))
    assert re.search(r"LDA direction: 0.3 and 4.8 for m6 and 0.3 and 0.0 for m0\.", many)
