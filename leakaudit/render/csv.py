"""
Long form for data frames and spreadsheets: one figure of one attacker on one attribute of one audit per row.

RFC 4180 as the csv module writes it: commas, quotes doubled, lines ended by CR LF, one header. Numbers are the
document's own, unscaled, in the digits that give the same float back; what was not measured has no row, and nothing
speaks of single rows of the data. `pandas.read_csv(file, keep_default_na=False, na_values=[""])` reads it as it was
written; without these a class called `None` or `NA` counts as missing, and a pandas that does not yet read floats
exactly by itself (3.1 does) wants `float_precision="round_trip"` too.

Names are those of the other forms (control marks spelt out, the middle of long ones left out). A text that begins with
`=`, `+`, `-` or `@`, of full width too, would be run as a formula by a spreadsheet, so an apostrophe stands before it,
as before an apostrophe of its own: `text[1:] if text[:1] == "'"` gives it back (OWASP, "CSV Injection").
"""

import csv
import dataclasses
import io
from collections.abc import Iterator, Mapping
from typing import Any

from leakaudit import audits
from leakaudit.audits import Attribute, Audit, Reconstruction
from leakaudit.finding import Control, Figures
from leakaudit.render import Comparison, Ranking, Report, _tame
from leakaudit.stats import Interval

COLUMNS = {
    "kind": "what the row is of: attribute (the nested winner, which decides), finding, baseline, control, "
    "sensitivity, cell, worst, learning, seed, regression, memorisation, reconstruction, separation, bottleneck, "
    "coverage, crossing, trained_crossing, utility, gate, comparison or ranking",
    "audit": "name of the subject",
    "data": "data set and split",
    "layer": "layer that was read",
    "attribute": "private attribute",
    "target": "what the model is for; empty where none was named",
    "attacker": "attacker, or decoder of a reconstruction",
    "auxiliary": "labels that the attacker learned from: balanced, matched or paper",
    "item": "which of its kind: baseline, control, shape of a plant, target class, direction, images, gate, paired",
    "label": "private class, where the figure is of one",
    "step": "labelled rows of a learning curve, Bayes E of a planted ladder, number of a draw or of an attack seed",
    "metric": "which figure, named as in the JSON document",
    "value": "the figure; of a comparison audit less other, of a gate its limit",
    "low": "lower two-sided 95 % bound; empty for a figure without an interval",
    "high": "upper two-sided 95 % bound",
    "unit": "share, E, bits, dB, SSIM, p, rows, count, own (the attribute's own unit) or none",
    "rows": "rows that the figure is counted on, where known",
    "decides": "True where the row may decide the verdict",
    "converged": "whether the attacker converged; empty where nothing is fitted",
    "seed": "attack seed",
    "outcome": "of a gate passed, failed or open; of a control held, failed or does not apply; of a comparison "
    "can tell or cannot tell",
    "verdict": "of the attribute; of the audit where the row has none",
    "tolerance": "tau on E",
    "suite": "declared suite of attackers",
    "other": "of a comparison the subject it is compared with",
    "note": "why, in words",
    "subject_sha256": "of the subject's tensors, or of an embeddings file",
    "sha256": "seals of the audit documents behind the row, with spaces between",
}
UNITS = {
    "share": "private_accuracy accuracy balanced_accuracy follows_target private_upper private_lower auc tpr share "
    "share_of_raw target_accuracy worst_group worst_cell_accuracy equalised_odds odds chance between r2",
    "E": "excess lower upper mde size found draw gap above_random",
    "bits": "bits entropy",
    "dB": "psnr",
    "SSIM": "ssim",
    "p": "p p_h p_i",
    "rows": "rows missing trained scored off_majority would_decide labels_needed h_rows wrong away shared negatives",
    "count": "groups cells cells_possible classes detected h_draws draws best worst",
    "own": "mae mae_target gain mean deviation",
}
UNIT = {metric: unit for unit, metrics in UNITS.items() for metric in metrics.split()}
FORMULA = ("=", "+", "-", "@", "'", "\t", "\r", "\n", *"\uff1d\uff0b\uff0d\uff20")
"""Beginnings of what a spreadsheet may run, those of full width among them."""

Row = dict[str, Any]


def render(report: Report, *, width: int) -> str:
    """The table; `width` is the terminal's and says nothing here."""
    assert width > 0
    tamed = _tame.tame(report)
    text = io.StringIO()
    table = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\r\n")
    table.writeheader()
    for row in _rows(tamed, [audits.sources(audit) for audit in report.audits]):
        table.writerow({name: _cell(value) for name, value in row.items()})
    return text.getvalue()


def _rows(report: Report, seals: list[tuple[str, ...]]) -> Iterator[Row]:
    known = {}
    for audit, sources in zip(report.audits, seals, strict=True):
        common = known[audit.name] = _common(audit, sources)
        for attribute in audit.attributes:
            yield from _attribute(attribute, common)
        if audit.utility is not None:
            item = {"target": audit.utility.target, "item": audit.utility.worst_cell}
            yield from _scalars(audit.utility, {**common, **item, "kind": "utility", "note": audit.utility.odds_note})
    every = " ".join(dict.fromkeys(seal for sources in seals for seal in sources))
    for gate in report.gates:
        common = next(iter(known.values())) if len(known) == 1 else {"sha256": every}
        said = {"kind": "gate", "attribute": gate.private, "item": gate.gate, "outcome": gate.outcome}
        yield {**common, **said, "metric": "limit", "value": gate.limit, "unit": "none", "note": gate.reason}
    for comparison in report.comparisons:
        yield from _comparison(comparison, known)
    for ranking in report.rankings:
        yield from _ranking(ranking, known)


def _common(audit: Audit, sources: tuple[str, ...]) -> Row:
    return {
        "audit": audit.name,
        "data": " ".join(str(audit.data[key]) for key in ("name", "split") if audit.data.get(key)),
        "layer": audit.subject.get("layer"),
        "seed": audit.provenance.get("seed"),
        "verdict": audit.verdict,
        "tolerance": audit.tolerance,
        "suite": audit.suite,
        "subject_sha256": audit.subject.get("sha256"),
        "sha256": " ".join(sources),
    }


def _attribute(part: Attribute, common: Row) -> Iterator[Row]:
    here = {**common, "attribute": part.private, "target": part.target, "verdict": part.verdict}
    here["rows"] = part.rows.scored
    own = {"attacker": part.attacker, "auxiliary": part.auxiliary}
    yield from _scalars(part, {**here, **own, "kind": "attribute", "decides": True, "note": part.reason})
    yield from _scalars(part.figures, {**here, **own, "kind": "attribute", "decides": True})
    yield from _scalars(part.rows, {**here, "kind": "coverage", "item": part.rows.scheme})
    for finding in part.findings:
        yield from _scalars(finding, {**here, "kind": "finding"})
    for baseline in part.baselines:
        named = {**here, "kind": "baseline", "item": baseline.baseline}
        if baseline.figures is not None:
            yield from _scalars(baseline.figures, {**named, "attacker": baseline.attacker, "note": baseline.note})
        for reading in baseline.readings:
            yield from _scalars(reading, {**named, "attacker": reading.attacker})
    for control in part.controls:
        yield from _control(control, {**here, "kind": "control", "item": control.control})
    for shape in part.sensitivity:
        named = {**here, "kind": "sensitivity", "item": shape.shape}
        yield from _scalars(shape, named)
        for excess, found, draws in shape.ladder:
            yield _row("detected", found, {**named, "step": excess, "rows": None, "note": f"of {draws:g} draws"})
    yield from _deeper(part, here)


def _deeper(part: Attribute, here: Row) -> Iterator[Row]:
    """What goes beyond one attack: cells, curves, seeds, numbers, memorisation."""
    for kind, cell in (*(("cell", cell) for cell in part.cells), *([("worst", part.worst)] if part.worst else [])):
        yield from _scalars(cell, {**here, "kind": kind, "item": cell.target, "rows": cell.rows})
    for point in part.learning:
        yield from _scalars(point, {**here, "kind": "learning", "step": point.labels, "note": part.learning_note})
    for number, excess in enumerate(part.seeds, 1):
        yield _row("excess", excess, {**here, "kind": "seed", "step": number, "decides": False})
    for guessed in part.regression:
        yield from _scalars(guessed, {**here, "kind": "regression", "attacker": guessed.attacker})
    if part.memorisation is not None:
        named = {**here, "kind": "memorisation", "attacker": part.memorisation.attacker, "decides": False}
        named["rows"] = part.memorisation.rows
        yield from _scalars(part.memorisation, named)
        for item in ("trained", "unseen"):
            yield from _scalars(getattr(part.memorisation, item), {**named, "item": item})
    yield from _drawn(part, here)


def _drawn(part: Attribute, here: Row) -> Iterator[Row]:
    """What is told in pictures: rebuilt images, directions, the plane of the bottleneck, and how classes cross."""
    if part.reconstruction is not None:
        yield from _reconstruction(part.reconstruction, {**here, "kind": "reconstruction"})
    for direction in part.separation:
        named = {**here, "kind": "separation", "item": direction.direction}
        yield from _scalars(direction, named)
        for curve in direction.curves:
            yield from _scalars(curve, {**named, "label": curve.name, "rows": curve.rows})
    if part.bottleneck is not None:
        named = {**here, "kind": "bottleneck", "item": part.bottleneck.projection, "rows": part.bottleneck.rows}
        yield from _scalars(part.bottleneck, named)
    for kind in ("crossing", "trained_crossing"):
        for target, line in zip(part.target_classes, getattr(part, kind), strict=False):
            for private, rows in zip(part.classes, line, strict=False):
                yield _row("rows", rows, {**here, "kind": kind, "item": target, "label": private, "rows": None})


def _control(control: Control, named: Row) -> Iterator[Row]:
    said = {True: "held", False: "failed", None: "does not apply"}[control.passed]
    named = {**named, "outcome": said, "note": control.note}
    yield from _scalars(control, named)
    for number, draw in enumerate(control.draws, 1):
        yield _row("draw", draw, {**named, "step": number})


def _reconstruction(made: Reconstruction, here: Row) -> Iterator[Row]:
    named = {**here, "attacker": made.decoder}
    yield from _scalars(made, {**named, "item": "reconstruction"})
    figures = {"reconstruction": made.private, "truth": made.truth, "class mean": made.class_mean_private}
    for item, part in figures.items():
        yield from _scalars(part, {**named, "item": item})
    for item, pair in (("mean image", made.mean_image), ("class mean", made.class_mean)):
        for metric, value in zip(("psnr", "ssim"), pair, strict=False):
            yield _row(metric, value, {**named, "item": item})


def _comparison(made: Comparison, known: Mapping[str, Row]) -> Iterator[Row]:
    how = {"other": made.first, "item": "paired" if made.paired else "unpaired", "rows": made.rows or None}
    seals = dict.fromkeys(known[name]["sha256"] for name in (made.first, made.second) if name in known)
    named = {**known.get(made.second, {}), **how, "kind": "comparison", "attribute": made.private}
    for part in made.differences:
        tells = part.difference.low > 0 or part.difference.high < 0
        said = {"outcome": "can tell" if tells else "cannot tell", "note": made.sentence, "sha256": " ".join(seals)}
        yield _row(part.figure, part.difference, {**named, **said})


def _ranking(made: Ranking, known: Mapping[str, Row]) -> Iterator[Row]:
    for place in made.places:
        named = {**known.get(place.name, {"audit": place.name}), "kind": "ranking", "attribute": made.private}
        yield from _scalars(place, {**named, "note": made.sentence})


def _scalars(record: Any, named: Row) -> Iterator[Row]:
    """Every figure that a record holds itself, in the order of its fields; of a finding also who found it."""
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        if isinstance(value, Figures) and hasattr(record, "auxiliary") and hasattr(record, "decides"):
            who = {key: getattr(record, key) for key in ("attacker", "auxiliary", "decides", "converged")}
            yield from _scalars(value, {**named, **who, "note": "; ".join(record.notes) or named.get("note")})
        elif field.name == "tpr":
            for point in value:
                about = {**named, "label": point.private, "note": point.note}
                yield from [_row("tpr", point.value, about)] if point.value is not None else []
        elif isinstance(value, (Interval, float, int)) and not isinstance(value, bool):
            yield _row(field.name, value, named)


def _row(metric: str, value: Interval | float, named: Row) -> Row:
    low, high = (value.low, value.high) if isinstance(value, Interval) else (None, None)
    point = value.value if isinstance(value, Interval) else value
    unit = UNIT.get(metric, "none")
    return {**named, "metric": metric, "value": point, "low": low, "high": high, "unit": unit}


def _cell(value: Any) -> Any:
    """A cell that comes back as what it was: nothing for None, all digits of a float, no text that is a formula."""
    if value is None:
        return ""
    if isinstance(value, float):
        return repr(float(value))
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
