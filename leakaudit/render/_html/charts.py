"""
The larger drawings: private against target accuracy, private classes along one direction, and the learning curve.

The second is the papers' figure (Tartaglione et al., CVPR 2021, and Barbano et al., CVPR 2021, draw Gaussians along the
first principal component), with the direction that separates best beside it.
"""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from leakaudit.audits import Curve, Separation
from leakaudit.render import _entries, _figures
from leakaudit.render._entries import Entry
from leakaudit.render._html import strips
from leakaudit.stats import Interval

WIDE, HIGH, LEFT, TOP, RIGHT, BOTTOM = 510, 384, 46, 30, 488, 332
MOST = 12
"""Private classes drawn; of more, the farthest ten and a count."""
Box = tuple[float, float, float, float]


def scatter(group: Sequence[Entry], name: str) -> Markup:
    """Private accuracy (right is worse) against target accuracy (up is better), one mark per model."""
    shown = [(entry, entry.audit.utility.accuracy) for entry in group if entry.audit.utility]
    first = shown[0][0]
    assert first.audit.utility is not None
    floor = max(0.0, np.floor((min(task.low for _, task in shown) - 0.02) * 10) / 10)
    chance = 1 / len(first.attribute.classes)

    def x(share: float) -> float:
        return LEFT + (RIGHT - LEFT) * share

    def y(share: float) -> float:
        return float(BOTTOM - (BOTTOM - TOP) * (share - floor) / (1 - floor))

    body = _axes(x, y, floor, first)
    body += strips.line(x(chance), TOP, x(chance), BOTTOM, ink=0.75, dash=strips.DOTS)
    taken: list[Box] = []
    body += _label(x(chance), BOTTOM - 8, f"guessing {_figures.percent(chance)} %", taken, strong=False, gap=6)
    for entry, task in shown:
        at = (x(entry.attribute.figures.private_accuracy.value), y(task.value))
        taken.append((at[0] - 8, at[1] - 8, at[0] + 8, at[1] + 8))
    for entry, task in shown:
        body += _point(entry, task, (x, y), taken)
    said = "; ".join(
        f"{entry.name}: an attacker names {_figures.percent(entry.attribute.figures.private_accuracy.value)} %, "
        f"the model {_figures.percent(task.value)} %"
        for entry, task in shown
    )
    return strips.svg(WIDE, HIGH, body, kind="pic", title="Private against target accuracy", desc=f"{said}.", name=name)


def _axes(x, y, floor: float, entry: Entry) -> str:  # type: ignore[no-untyped-def]  # noqa: ANN001
    assert entry.audit.utility is not None
    body = strips.line(LEFT, BOTTOM + 8, RIGHT, BOTTOM + 8) + strips.line(LEFT - 8, TOP, LEFT - 8, BOTTOM)
    for share in (0, 0.25, 0.5, 0.75, 1):
        body += strips.line(x(share), BOTTOM + 8, x(share), BOTTOM + 12)
        body += strips.text(x(share), BOTTOM + 26, f"{100 * share:.0f}{' %' if share == 1 else ''}", anchor="middle")
    for share in np.linspace(floor, 1, 5 if round(floor * 10) % 2 == 0 else 6)[::1]:
        body += strips.line(LEFT - 12, y(share), LEFT - 8, y(share))
        body += strips.text(LEFT - 16, y(share) + 4, f"{100 * share:.0f}", anchor="end")
    body += strips.text(0, 12, f"Target: {entry.audit.utility.target} named right, %")
    return body + strips.text(
        (LEFT + RIGHT) / 2, HIGH - 6, f"Private: {entry.attribute.private} named right", anchor="middle"
    )


def _point(entry: Entry, task: Interval, scale, taken: list[Box]) -> str:  # type: ignore[no-untyped-def]  # noqa: ANN001
    x, y = scale
    read = entry.attribute.figures.private_accuracy
    at, up = x(read.value), y(task.value)
    how = f'{strips.paint(entry.place, stroke=True)} stroke-width="2"'
    body = ""
    if (said := _entries.paper(entry.attribute)) is not None:
        from_x = x(said.figures.private_accuracy.value)
        if abs(at - from_x) > 16:  # noqa: PLR2004 (the marks would touch)
            step = 8 if at > from_x else -8
            body += strips.line(from_x + step, up, at - step, up, ink=0.5)
            head = f"M{at - step:.1f} {up:.1f}l{-0.7 * step:.1f} -3.5m{0.7 * step:.1f} 3.5l{-0.7 * step:.1f} 3.5"
            body += f'<path d="{head}" fill="none" stroke="currentColor" stroke-opacity=".6"/>'
        body += strips.mark(entry.place, from_x, up, 4.5, hollow=True)
        words = f"{_figures.percent(said.figures.private_accuracy.value)} %"
        taken.append((from_x - 6, up - 6, from_x + 6, up + 6))
        body += _label(from_x, up, words, taken, strong=False)
    body += f'<line x1="{x(read.low):.1f}" y1="{up:.1f}" x2="{x(read.high):.1f}" y2="{up:.1f}" {how}/>'
    body += f'<line x1="{at:.1f}" y1="{y(task.low):.1f}" x2="{at:.1f}" y2="{y(task.high):.1f}" {how}/>'
    body += strips.mark(entry.place, at, up, 6)
    words = f"{entry.name[:32]} {_figures.percent(read.value)} %"
    return body + _label(at, up, words, taken, strong=True)


def _label(x: float, y: float, words: str, taken: list[Box], *, strong: bool, gap: float = 12) -> str:
    """Text beside a point, in the first of eight places where it touches nothing."""
    long = (7.0 if strong else 6.2) * len(words)
    for dx, dy, anchor in ((gap, -9, "s"), (-gap, -9, "e"), (gap, 19, "s"), (-gap, 19, "e"), (gap, 4, "s"),
                           (-gap, 4, "e"), (0, 34, "m"), (0, -26, "m")):  # fmt: skip
        left = x + dx - {"s": 0, "m": long / 2, "e": long}[anchor]
        box = (left, y + dy - 11, left + long, y + dy + 3)
        inside = left >= LEFT - 4 and left + long <= WIDE and box[1] >= TOP - 14 and box[3] <= BOTTOM + 4
        if inside and not any(_touch(box, other) for other in taken):
            taken.append(box)
            end = {"s": "start", "m": "middle", "e": "end"}[anchor]
            return strips.text(x + dx, y + dy, words, anchor=end, strong=strong)
    return ""


def _touch(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def reach(found: Sequence[Separation]) -> float:
    """Half the width of the axis that all panels share, in within-class deviations."""
    far = max(abs(curve.mean) + 3 * curve.deviation for part in found for curve in part.curves)
    return float(next(step for step in (4, 6, 8, 10, 15, 20, 30, 50, 100, 200, 500, 1e3, 1e6) if step >= min(far, 1e6)))


def gaussians(entry: Entry, part: Separation, far: float, *, name: str) -> Markup:
    """One panel: rows as steps, the Gaussian of each private class over them."""
    curves = _chosen(part.curves)
    together = len(part.curves) == 2  # noqa: PLR2004 (two classes share a row)
    rows = 1 if together else len(curves)
    step, wide = 15 if rows > 1 else 40, 196
    high = 26 + step * rows

    def x(value: float) -> float:
        return 4 + (wide - 8) * (max(-far, min(far, value)) + far) / (2 * far)

    body = strips.line(x(0), 6, x(0), high, ink=0.2)
    for i, curve in enumerate(curves):
        base = 26 + step * (0 if together else i) + step - 6
        body += strips.line(4, base, wide - 4, base, ink=0.13)
        body += _curve(entry.place, curve, part.span, x, base, 34 if together else 20, faint=together and i == 1)
        if together:
            body += strips.text(
                x(curve.mean) + (-10 if i == 0 else 10), 10, curve.name[:12], anchor=("end", "start")[i]
            )
        else:
            body += strips.text(4, base - 3, curve.name[:14])
    body += strips.line(4, high + 6, wide - 4, high + 6)
    for value in (-far, 0, far):
        body += strips.line(x(value), high + 6, x(value), high + 10)
        end = "middle" if value == 0 else "start" if value < 0 else "end"
        body += strips.text(
            x(value) + (0 if value == 0 else -4 if value < 0 else 4),
            high + 23,
            f"{value:g}".replace("-", "\N{MINUS SIGN}"),
            anchor=end,
        )
    title = f"{entry.attribute.private} along {part.direction.upper()} of {entry.name}"
    desc = f"The two farthest classes lie {part.d_prime:.1f} within-class deviations apart."
    return strips.svg(wide, high + 28, body, kind="pic", title=title, desc=desc, name=name)


def _chosen(curves: Sequence[Curve]) -> Sequence[Curve]:
    if len(curves) <= MOST:
        return curves
    middle = float(np.mean([curve.mean for curve in curves]))
    far = sorted(curves, key=lambda curve: -abs(curve.mean - middle))[:10]
    return [curve for curve in curves if curve in far]


def _curve(place: int, curve: Curve, span, x, base: float, tall: float, *, faint: bool) -> str:  # type: ignore[no-untyped-def]  # noqa: ANN001
    deviation = max(curve.deviation, 1e-3)
    at = np.linspace(curve.mean - 3 * deviation, curve.mean + 3 * deviation, 25)
    heights = tall * np.exp(-(((at - curve.mean) / deviation) ** 2) / 2) / max(1.0, deviation)
    outline = "L".join(f"{x(value):.1f} {base - height:.1f}" for value, height in zip(at, heights, strict=True))
    body = ""
    if curve.histogram and sum(curve.histogram):
        edges = np.linspace(span[0], span[1], len(curve.histogram) + 1)
        density = np.array(curve.histogram) / (sum(curve.histogram) * (edges[1] - edges[0]))
        steps = tall * np.minimum(density * np.sqrt(2 * np.pi), 1.6)
        kept = [i for i in range(len(steps)) if steps[i] >= 0.05]  # noqa: PLR2004 (below a pixel)
        blocks = "".join(
            f"M{x(edges[i]):.1f} {base:.1f}V{base - steps[i]:.1f}H{x(edges[i + 1]):.1f}V{base:.1f}z" for i in kept
        )
        body += f'<path d="{blocks}" fill-opacity="{0.2 if faint else 0.4}" {strips.paint(place)}/>'
    dash = ' stroke-dasharray="3 1.5"' if faint else ""
    return body + f'<path d="M{outline}" fill="none" stroke="currentColor" stroke-width="1" stroke-opacity=".8"{dash}/>'


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

    body = strips.text(0, 12, "E")
    for value in (0, 0.25, 0.5, 0.75, 1):
        body += strips.line(left, y(value), right, y(value), ink=0.13 if value else 0.5)
        body += strips.text(left - 8, y(value) + 4, f"{value:g}", anchor="end")
    tolerance = group[0].audit.tolerance
    body += strips.line(left, y(tolerance), right, y(tolerance), ink=0.9, dash=strips.DASH, wide=1.3)
    body += strips.text(right + 5, y(tolerance) + 4, "τ")
    shown, last = sorted({p.labels for p in points}), -40.0
    for labels in shown:
        if x(labels) - last > 34 and (labels == shown[-1] or x(shown[-1]) - x(labels) > 34):  # noqa: PLR2004 (touch)
            body += strips.line(x(labels), bottom + 8, x(labels), bottom + 12)
            body += strips.text(x(labels), bottom + 26, f"{labels:,}".replace(",", "\u202f"), anchor="middle")
            last = x(labels)
    body += strips.line(left, bottom + 8, right, bottom + 8)
    body += strips.text((left + right) / 2, high - 10, "labelled rows of the attacker", anchor="middle")
    for lane, entry in enumerate(group):
        body += _learned(entry, lambda labels, lane=lane: x(labels) + 3 * (lane - (len(group) - 1) / 2), y)
    said = "; ".join(
        f"{entry.name}: E {_figures.three(entry.attribute.learning[-1].excess.value)} "
        f"with {entry.attribute.learning[-1].labels:,} labelled rows"
        for entry in group
    )
    title = f"What is read of the {group[0].attribute.private} by labelled rows"
    return strips.svg(WIDE, high, body, kind="pic", title=title, desc=f"{said}.", name=name)


def _learned(entry: Entry, x, y) -> str:  # type: ignore[no-untyped-def]  # noqa: ANN001
    curve = sorted(entry.attribute.learning, key=lambda point: point.labels)
    how = strips.paint(entry.place, stroke=True)
    path = "L".join(f"{x(point.labels):.1f} {y(point.excess.value):.1f}" for point in curve)
    body = f'<path d="M{path}" fill="none" {how} stroke-width="1.5"/>'
    for point in curve:
        at, value = x(point.labels), y(point.excess.value)
        ends = f'y1="{y(point.excess.low):.1f}" y2="{y(point.excess.high):.1f}"'
        body += f'<line x1="{at:.1f}" x2="{at:.1f}" {ends} {how} stroke-width="2"/>'
        body += strips.mark(entry.place, at, value, 3.5)
        if point.labels == entry.attribute.labels_needed:
            body += f'<circle cx="{at:.1f}" cy="{value:.1f}" r="9" fill="none" {how} stroke-width="1.5"/>'
    return body
