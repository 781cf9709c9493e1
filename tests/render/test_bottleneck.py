"""The bottleneck plot, and how well pseudo-labels agree: in every form, drawn where the figures say, for every eye."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
import synthetic
from made_up import bottleneck
from reader import AGE, known, words

from leakaudit import audits
from leakaudit.finding import Bottleneck
from leakaudit.render import Report, _further, html
from leakaudit.render._drawings import bottleneck as plot
from leakaudit.render._drawings.lettering import wide
from leakaudit.render._entries import entries
from leakaudit.render._html.bottleneck import bottleneck as section_of
from leakaudit.report import report as make

STYLE = (Path(html.__file__).parent / "_html" / "style.css").read_text(encoding="utf-8")
SIGHT = {
    "all cones": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""Linear sRGB as others see it: Machado, Oliveira and Fernandes, IEEE TVCG 15 (2009), severity 1."""
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
LABELS = {"rows": 792, "information": 0.9391, "accuracy": 0.917, "conflicting": 161, "conflicting_accuracy": 0.888}


def shown(found: Bottleneck | None, *, names: int = 1, **changes: object) -> Report:
    """A report on as many models with this plot."""
    made, rows = known()
    part = replace(made.attributes[0], bottleneck=found, **changes)  # type: ignore[arg-type]
    models = [replace(made, attributes=(part,), subject={**made.subject, "name": f"model {i}"}) for i in range(names)]
    return make([(model, rows) for model in models], ())


def linear(colour: str) -> np.ndarray:
    """Linear sRGB of `#rrggbb`."""
    part = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def lab(light: np.ndarray) -> np.ndarray:
    """CIE L*a*b* under D65 of linear sRGB."""
    x, y, z = np.cbrt(XYZ @ np.clip(light, 0, 1) / XYZ.sum(axis=1))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("sight", SIGHT)
def test_colours_stay_apart_for_the_colour_blind(sight: str, mode: int) -> None:
    """Two colours of the page differ by 20 of L*a*b* or more, where 2.3 is just seen; each stands out from paper."""
    colours = [re.findall(rf"--t{i}: (#\w{{6}})", STYLE)[mode] for i in range(len(plot.COLOURS))]
    paper = re.findall(r"--paper: (#\w{6})", STYLE)[mode]
    seen = {colour: lab(np.array(SIGHT[sight]) @ linear(colour)) for colour in colours}
    assert min(np.linalg.norm(seen[one] - seen[other]) for one, other in combinations(colours, 2)) > 20
    for colour in colours:
        low, high = sorted(XYZ[1] @ linear(part) for part in (colour, paper))
        assert (high + 0.05) / (low + 0.05) > 3  # WCAG 2.2, 1.4.11: graphical objects


@pytest.mark.parametrize("form", ["html", "markdown"])
def test_the_sentence_stands_in_every_form(form: str, make_report: Callable[..., Report]) -> None:
    """Misclassified, near another centroid, of its dominant class, by chance, and p; nothing where no logits are."""
    said = words(form, make_report(synthetic.VANILLA))
    assert re.search(r"15 of 20 misclassified rows lie nearest|Of 20 misclassified rows, 15 lie nearest", said)
    assert re.search(r"15 of these have the colour that dominates it.{0,12}, where chance gives 3.8 \(p 0.001\)", said)
    said = words(form, make_report(replace(synthetic.VANILLA, utility=False)))
    assert "misclassified rows" not in said
    assert "none of these has the age" in words(form, shown(replace(bottleneck(5, 4), shared=0)))
    both = words(form, make_report(synthetic.VANILLA, synthetic.END))
    assert len(re.findall("where chance gives 3.8", both)) == (4 if form == "html" else 2)  # and once to be read aloud


@pytest.mark.parametrize("form", ["html", "markdown"])
def test_a_model_without_mistakes_is_said_to_have_none_or_nothing(form: str) -> None:
    """No sentence counts rows that there are not."""
    none = replace(bottleneck(5, 4), wrong=0, away=0, shared=0, chance=0.0, p=1.0, marks=())
    said = words(form, shown(none))
    assert "chance gives" not in said
    assert ("no misclassified row" in said) == (form == "html")
    own = words(form, shown(replace(none, wrong=7)))
    assert re.search("none of 7 misclassified rows|misclassifies 7 rows; none lies nearest", own)
    assert "chance gives" not in own


def test_centroids_and_rows_are_drawn_where_the_document_has_them() -> None:
    """A large mark lies at its centroid, to a tenth of a pixel; each row inside its cell; each with its own words."""
    found = bottleneck(5, 4)
    page = html.render(shown(found), width=80)
    (svg,) = re.findall(r'<svg width="510".*?id="bottleneck-age-t".*?</svg>', page, flags=re.DOTALL)
    unit = (plot.ALONE - 2 * plot.EDGE) / found.cells
    large = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="10" [^>]*><title>digit 0, mostly age red', svg)
    assert large
    first = found.centroids[0]
    assert [float(part) for part in large[0]] == pytest.approx(
        [plot.EDGE + unit * first.x, plot.ALONE - plot.EDGE - unit * first.y], abs=0.06
    )
    small = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="3.6" [^>]*><title>digit (\d), age red', svg)
    cells = [
        (int((float(x) - plot.EDGE) / unit), int((plot.ALONE - plot.EDGE - float(y)) / unit), int(digit))
        for x, y, digit in small
    ]
    assert sorted(set(cells)) == sorted((*mark[:2], mark[2]) for mark in found.marks if mark[3] == 0)
    assert len(set(small)) == len(small) == sum(mark[-1] for mark in found.marks if mark[3] == 0)
    assert svg.count("<title>") == len(found.centroids) + found.away


def test_the_page_says_which_rows_and_centroids_are_drawn() -> None:
    """All of them, or a lot of so many, and the centroids of those classes with the most mistakes."""
    found = bottleneck(5, 4)
    assert "Drawn: all 15 misclassified rows, 5 centroids." in words("html", shown(replace(found, wrong=15)))
    names = tuple(f"c{i}" for i in range(50))
    said = unescape(words("html", shown(replace(found, wrong=5000), target_classes=names)))
    assert "Drawn: 15 of 5 000 misclassified rows, by the audit\u2019s seed, 5 of 50 centroids (most miscl" in said
    assert "holds 47.0 % of the variance between centroids and 36.0 % of that of all rows" in said


@pytest.mark.parametrize(("classes", "others"), [(4, 0), (10, 0), (11, 2), (40, 31)])
def test_every_private_class_has_a_shape_of_its_own_up_to_ten(classes: int, others: int) -> None:
    """Of more, nine have their own and the others share one, and the page says how many."""
    found = bottleneck(classes, classes)
    shapes = plot._shapes([found], classes)
    assert len(set(shapes.values())) == min(classes, len(plot.SHAPES))
    assert sum(shape == len(plot.SHAPES) - 1 for shape in shapes.values()) == (others or classes // 10)
    names = tuple(f"c{i}" for i in range(classes))
    said = words("html", shown(found, classes=names, target_classes=names))
    assert (f"{others} other classes" in said) == bool(others)
    assert ("with more than 10 they return" in said) == (classes > 10)


def test_a_target_class_is_told_by_colour_and_by_filling() -> None:
    """Ten classes look different; the eleventh looks as the first."""
    looks = [plot._paint(target, large=large) for target in range(11) for large in (True, False)]
    assert len(set(looks)) == 20
    assert looks[:2] == looks[20:]


def test_names_do_not_lie_on_centroids() -> None:
    """Of centroids on a circle no name touches a large mark or another name."""
    places = [
        plot.Place(255 + 150 * math.cos(a), 255 + 150 * math.sin(a), place)
        for place, a in zip(bottleneck(12, 4).centroids, np.linspace(0, 5.5, 12), strict=True)
    ]
    drawn = plot._names(places, [], [f"class {i}" for i in range(12)], 510)
    at = re.findall(r'<text x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)".*?>([^<]+)</text>', drawn)
    assert len(at) == 12
    boxes = []
    for x, y, anchor, letters in at:
        long = 7 * len(letters)
        left = float(x) - long * {"start": 0, "middle": 0.5, "end": 1}[anchor]
        boxes.append((left, float(y) - 9, left + long, float(y) + 1))
    marks = [plot._around(place.x, place.y, plot.LARGE) for place in places]
    for i, box in enumerate(boxes):
        assert plot._touched(box, [*marks, *boxes[:i]]) == 0


def test_hostile_names_stay_text_in_the_drawing() -> None:
    """Class names in titles and labels are escaped."""
    names = ("<script>alert(1)</script>", '"><img src=x onerror=y>', "b", "c", "d")
    page = html.render(shown(bottleneck(5, 4), classes=names[:4], target_classes=names), width=80)
    assert "<script>alert" not in page
    assert "<img src=x" not in page


def test_of_many_models_those_that_draw_most_are_spoken_of() -> None:
    """Two stand in the order given; of four the three whose rows share most beyond chance, that one first."""
    section = section_of(shown(bottleneck(5, 4), names=2))
    assert section is not None
    assert section.lede == (
        "15 of 15 rows drawn to another digit have its age in model 0 (by chance 3.8) and 15 of 15 in model 1 (3.8)."
    )
    report = shown(bottleneck(5, 4), names=4)
    audits = [
        replace(one, attributes=(replace(one.attributes[0], bottleneck=replace(bottleneck(5, 4), shared=shared)),))
        for one, shared in zip(report.audits, (3, 15, 0, 9), strict=True)
    ]
    section = section_of(replace(report, audits=tuple(audits)))
    assert section is not None
    assert re.findall(r"(\d+) of 15.*?(model \d)", section.lede) == [
        ("15", "model 1"),
        ("9", "model 3"),
        ("3", "model 0"),
    ]


@pytest.mark.parametrize(
    ("projection", "told", "held"),
    [
        ("pca", "two leading principal components of the centroids", "47.0 % of the variance between centroids"),
        ("lda", "linear discriminants of the target (Fisher, Rao)", "47.0 % of what sets the centroids apart"),
        ("tsne", "distances between clusters, their sizes and the axes mean nothing. Placed: 900 of 1", ""),
        ("<b>", "of a kind that this version does not know", ""),
    ],
)
def test_the_plane_is_named_and_what_it_means(projection: str, told: str, held: str) -> None:
    """In the drawing, in its caption and on the page; of t-SNE nothing is said of variance."""
    found = replace(bottleneck(5, 4), projection=projection, mapped=900 * (projection == "tsne"))
    (drawn,) = plot.draw(shown(found))
    said = unescape(words("html", shown(found))).replace("\u202f", " ").replace("\u2019", "'")
    assert told in said
    assert told in drawn.caption
    assert f"Plane: {plot.PLANES.get(projection, 'not known')}" in drawn.svg
    assert ("The plane holds" in said) == bool(held)
    assert held in said
    assert "Nearest is measured in the whole bottleneck" in said


def test_every_model_has_a_figure_with_a_key_of_its_own() -> None:
    """It stands alone: shapes are named below it, inside its width, and figures of several models differ in name."""
    long = tuple(f"a rather long name of a class {i}" for i in range(4))
    drawn = plot.draw(shown(bottleneck(5, 4), names=2, classes=long))
    assert [one.name for one in drawn] == ["bottleneck-age-model-0", "bottleneck-age-model-1"]
    assert [one.name for one in plot.draw(shown(bottleneck(5, 4)))] == ["bottleneck-age"]
    for one in drawn:
        assert one.svg.count("a rather long") >= 4
        ends = [
            float(x) + wide(unescape(letters))
            for x, letters in re.findall(r'<text x="([\d.]+)"[^>]*class="m">([^<]+)<', one.svg)
        ]
        assert max(ends) <= plot.BESIDE
        assert "style=" not in one.svg


def test_many_attributes_fold_their_plots(make_report: Callable[..., Report]) -> None:
    """Four stand open, the fifth is folded."""
    plans = tuple(replace(synthetic.VANILLA, private=f"v{i}", pictures=False, reconstruction=False) for i in range(5))
    page = html.render(make_report(plans), width=80)
    assert re.findall(r"<summary>Centroids and misclassified rows, by (\w+)</summary>", page) == ["v4"]
    assert page.count("Class centroids and misclassified rows of ") == 5


def test_the_document_of_a_plot_is_read_back_and_holds_no_row(tmp_path: Path) -> None:
    """Save and load is identity; a mark is four places and a count."""
    made, _ = known()
    audits.save(made, tmp_path / "audit.json")
    read = audits.load(tmp_path / "audit.json").attributes[0].bottleneck
    assert read == made.attributes[0].bottleneck
    assert read is not None
    assert {len(mark) for mark in read.marks} == {5}


@pytest.mark.parametrize("form", ["html", "markdown"])
@pytest.mark.parametrize("names", [1, 2])
def test_agreement_of_pseudo_labels_stands_in_every_form(form: str, names: int) -> None:
    """Beside the attribute that they stand for, and beside no other; where there are none, nothing is said."""
    made, rows = synthetic.audit(AGE)
    for subject, there in (
        ({"private": "age", "pseudo_labels": LABELS}, True), ({"private": "colour", "pseudo_labels": LABELS}, False),
        ({"private": "age"}, False),
    ):  # fmt: skip
        models = [replace(made, subject={**made.subject, **subject, "name": f"m{i}"}) for i in range(names)]
        said = words(form, make([(model, rows) for model in models], ()))
        line = (
            "91.7 % of 792 training rows agree with the age that the method was not shown, after matching names "
            "(88.8 % of the 161 that conflict); adjusted mutual information 0.939"
        )
        assert (line in said) == there
        assert ("Pseudo-labels" in said) == there
        assert "pseudo_labels" not in said


def test_pseudo_labels_without_a_known_truth_say_so() -> None:
    """No figure is made up where no row could be compared."""
    made, rows = known()
    nothing = {"rows": 0, "information": None, "accuracy": None, "conflicting": 0, "conflicting_accuracy": None}
    made = replace(made, subject={**made.subject, "private": "age", "pseudo_labels": nothing})
    (entry,) = entries(make([(made, rows)], ()))
    assert _further.guessed(entry) == "no training row with a known age to compare them with"


def test_of_many_classes_no_name_covers_another() -> None:
    """A hundred centroids keep their marks and what a pointer brings up; names stand only where they can be read."""
    many = tuple(f"class {number}" for number in range(100))
    for targets, all_named in ((many, False), (many[:8], True)):
        made, _ = synthetic.audit(replace(synthetic.VANILLA, targets=targets, rows=4000))
        (drawn,) = plot.draw(make([(made, None)], ()))
        names = re.findall(r'<text x="([\d.]+)" y="([\d.]+)"[^>]*font-weight="700"[^>]*>([^<]*)</text>', drawn.svg)
        rows = sorted((float(y), float(x)) for x, y, _ in names)
        assert not any(b[0] - a[0] < 3 and abs(b[1] - a[1]) < 20 for a, b in pairwise(rows))
        assert (len(names) == len(targets)) == all_named
        assert ("left out" in drawn.caption) != all_named
        assert drawn.svg.count("<title>digit class") >= len(targets)
