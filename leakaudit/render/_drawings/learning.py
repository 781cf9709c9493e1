"""The learning curve: E against the labelled rows that an attacker holds, one line per model."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from leakaudit.render import Report, _entries, _figures
from leakaudit.render._drawings import svg
from leakaudit.render._drawings.drawing import Drawing, stems
from leakaudit.render._entries import Entry

WIDE = 510


def draw(report: Report) -> tuple[Drawing, ...]:
    """One figure per private attribute of which a curve is known."""
    asked = [
        (private, [entry for entry in group if entry.attribute.learning])
        for private, group in _entries.questions(report)
    ]
    known = [(private, group) for private, group in asked if group]
    names = stems("learning", [private for private, _ in known])
    return tuple(
        Drawing(
            name,
            "learning",
            private,
            f"What is read of the {private} by labelled rows",
            caption(group),
            learning(group, name),
        )
        for name, (private, group) in zip(names, known, strict=True)
    )


def caption(group: Sequence[Entry]) -> str:
    """What the figure shows."""
    return "E on the same scored rows, by how many labelled rows an attacker learned from, on a scale of doublings; upright: 95 % intervals; ringed: from here on the lower bound lies above 0; dashed: the tolerance."


def learning(group: Sequence[Entry], name: str) -> Markup:
    """E against the labelled rows that the attacker held, on a scale of doublings; one line per model."""
    points = [point for entry in group for point in entry.attribute.learning]
    few, most = np.log2(min(p.labels for p in points)), np.log2(max(p.labels for p in points))
    floor = -0.2 if min(p.excess.low for p in points) < -0.02 else 0.0  # noqa: PLR2004 (hardly below nothing)
    high, left, right, top, bottom = 264, 40, 494, 30, 206

    def x(labels: float) -> float:
        return float(left + 10 + (right - left - 20) * (np.log2(labels) - few) / max(most - few, 1e-9))

    def y(excess: float) -> float:
        return bottom - (bottom - top) * (max(floor, min(1.0, excess)) - floor) / (1 - floor)

    body = svg.text(0, 12, "E")
    for value in (0, 0.25, 0.5, 0.75, 1):
        body += svg.line(left, y(value), right, y(value), ink=0.13 if value else 0.5)
        body += svg.text(left - 8, y(value) + 4, f"{value:g}", anchor="end")
    tolerance = group[0].audit.tolerance
    body += svg.line(left, y(tolerance), right, y(tolerance), ink=0.9, dash=svg.DASH, wide=1.3)
    body += svg.text(right + 5, y(tolerance) + 4, "τ")
    shown, last = sorted({p.labels for p in points}), -40.0
    for labels in shown:
        if x(labels) - last > 34 and (labels == shown[-1] or x(shown[-1]) - x(labels) > 34):  # noqa: PLR2004 (touch)
            body += svg.line(x(labels), bottom + 8, x(labels), bottom + 12)
            body += svg.text(x(labels), bottom + 26, f"{labels:,}".replace(",", "\u202f"), anchor="middle")
            last = x(labels)
    body += svg.line(left, bottom + 8, right, bottom + 8)
    body += svg.text((left + right) / 2, high - 10, "labelled rows of the attacker", anchor="middle")
    for lane, entry in enumerate(group):
        body += _learned(entry, lambda labels, lane=lane: x(labels) + 3 * (lane - (len(group) - 1) / 2), y)
    said = "; ".join(
        f"{entry.name}: E {_figures.three(entry.attribute.learning[-1].excess.value)} "
        f"with {entry.attribute.learning[-1].labels:,} labelled rows"
        for entry in group
    )
    title = f"What is read of the {group[0].attribute.private} by labelled rows"
    return svg.svg(WIDE, high, body, kind="pic", title=title, desc=f"{said}.", name=name)


def _learned(entry: Entry, x, y) -> str:  # type: ignore[no-untyped-def]  # noqa: ANN001
    curve = sorted(entry.attribute.learning, key=lambda point: point.labels)
    how = svg.paint(entry.place, stroke=True)
    path = "L".join(f"{x(point.labels):.1f} {y(point.excess.value):.1f}" for point in curve)
    body = f'<path d="M{path}" fill="none" {how} stroke-width="1.5"/>'
    for point in curve:
        at, value = x(point.labels), y(point.excess.value)
        ends = f'y1="{y(point.excess.low):.1f}" y2="{y(point.excess.high):.1f}"'
        body += f'<line x1="{at:.1f}" x2="{at:.1f}" {ends} {how} stroke-width="2"/>'
        body += svg.mark(entry.place, at, value, 3.5)
        if point.labels == entry.attribute.labels_needed:
            body += f'<circle cx="{at:.1f}" cy="{value:.1f}" r="9" fill="none" {how} stroke-width="1.5"/>'
    return body
