"""
Images rebuilt from the bottleneck beside what was encoded: the papers' reconstruction grids.

Barbano et al., "Bridging the gap between debiasing and privacy for deep learning", ICCV workshops 2021, figure 6. Below
what each model gives back stands the mean image of the target class, which needs no embedding.
"""

from markupsafe import Markup

from leakaudit.render import Report, _thumbnails
from leakaudit.render._drawings import svg
from leakaudit.render._drawings.drawing import Drawing, stems
from leakaudit.render._drawings.lettering import cut, wide
from leakaudit.render._entries import Entry
from leakaudit.render._thumbnails import Grid

WIDE, GAP, LARGEST = 510, 2, 64
"""Pixels across, between images, and of one image."""
NAMES, CAPTIONS = 118, 96
"""Pixels that names of rows, and captions above columns, take at most."""
LINES = 30
"""Pixels that the two lines of a name need."""
SLANT = 0.71


def draw(report: Report) -> tuple[Drawing, ...]:
    """One figure per private attribute and set of images, where they may be shown."""
    found = [(private, grid) for private, grids in _thumbnails.grids(report).items() for grid in grids]
    names = stems("rebuilt", [private for private, _ in found])
    return tuple(
        Drawing(name, "rebuilt", private, _title(private), caption(private, grid), _grid(private, grid, name))
        for name, (private, grid) in zip(names, found, strict=True)
    )


def _title(private: str) -> str:
    return f"Images rebuilt from the bottleneck, audited for {private}"


def caption(private: str, grid: Grid) -> str:
    """What is seen."""
    mean = any(name == "class mean" for name, _, _ in grid.rows)
    below = " Below: the mean image of the target class, which needs no embedding." if mean else ""
    return (
        f"{len(grid.labels)} rows that no decoder was trained on: what was encoded, and what is rebuilt from its "
        f"embedding. Captions name the target and the {private}.{below} Likeness is no measure of the leak: "
        f"what counts is what an attacker reads from such images."
    )


def _grid(private: str, grid: Grid, name: str) -> Markup:
    count, labels = len(grid.labels), [cut(label, CAPTIONS) for label in grid.labels]
    left = max(_named(row) for row in grid.rows) + 10
    longest = max(wide(label) for label in labels)
    level = longest + 4 <= min(LARGEST, (WIDE - left) / count)
    room = WIDE - left - (0 if level else max(0.0, SLANT * longest - 12))
    cell = min(LARGEST, room / count)
    head = 18.0 if level else SLANT * (longest + 12) + 4
    tall = max((cell - GAP) * grid.height / grid.width, 4.0)
    step = max(tall + GAP + 2, LINES + 4)
    body = f'<clipPath id="{name}-c"><path d="'
    high = head + step * len(grid.rows)
    body += "".join(f"M{left + cell * i:.1f} 0h{cell - GAP:.1f}V{high:.1f}h{GAP - cell:.1f}z" for i in range(count))
    body += '"/></clipPath>'
    for i, label in enumerate(labels):
        x = left + cell * i + (cell - GAP) / 2
        if level:
            body += svg.text(x, head - 7, label, anchor="middle")
            continue
        turned = svg.text(x + 4, head - 6, label)
        body += turned.replace("<text ", f'<text transform="rotate(-45 {x + 4:.1f} {head - 6:.1f})" ', 1)
    for line, row in enumerate(grid.rows):
        y = head + step * line
        body += _label(row, y + tall / 2)
        body += (
            f'<image x="{left:.1f}" y="{y:.1f}" width="{cell * count:.1f}" height="{tall:.1f}" '
            f'preserveAspectRatio="none" image-rendering="{"pixelated" if grid.width < cell else "auto"}" '
            f'clip-path="url(#{name}-c)" href="data:image/png;base64,{row[2]}"/>'
        )
    what = "; ".join(f"{row} of {entry.name}" if entry else row for row, entry, _ in grid.rows)
    desc = f"From above: {what}. Columns: {'; '.join(grid.labels)}."
    return svg.svg(WIDE, high, body, kind="pic", title=_title(private), desc=desc, name=name)


def _named(row: tuple[str, object, str]) -> float:
    """Pixels that the name of a row takes."""
    name, entry, _ = row
    own = 16 + wide(str(entry.name), strong=True) if isinstance(entry, Entry) else 0.0
    return min(NAMES, max(own, wide(name)))


def _label(row: tuple[str, Entry | None, str], y: float) -> str:
    """The name of a row; of one that a model gave back, with its mark and its name above."""
    name, entry, _ = row
    if entry is None:
        return svg.text(0, y + 4, cut(name, NAMES))
    body = svg.mark(entry.place, 6, y - 7) + svg.text(16, y - 3, cut(entry.name, NAMES - 16, strong=True), strong=True)
    return body + svg.text(0, y + 13, cut(name, NAMES))
