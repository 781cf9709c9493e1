"""
What all figures are drawn with: lines, words and marks in ink and in the colours of models.

Presentation attributes alone draw them, so that they stand without a style sheet; classes (`f0`, `s0`, ...) only let
a page tune a colour.
"""

from markupsafe import Markup, escape

COLOURS = ("#c2660a", "#3b7dd8", "#158a7e", "#9566cc", "#858420")
"""Mid-tones, at least 3.9 on white and on black."""
DASH, DOTS = "3 2", "1 2.5"
"""The tolerance, and guessing."""
FONT = 'font-family="sans-serif" font-size="12"'


def colour(place: int) -> str:
    """The colour of a model."""
    return COLOURS[place % len(COLOURS)]


def paint(place: int, *, stroke: bool = False) -> str:
    """Attributes that fill (or stroke) in the colour of a model."""
    kind, letter = ("stroke", "s") if stroke else ("fill", "f")
    return f'{kind}="{colour(place)}" class="{letter}{place % len(COLOURS)}"'


def line(x1: float, y1: float, x2: float, y2: float, *, ink: float = 0.5, dash: str = "", wide: float = 1) -> str:
    """A line in ink."""
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="currentColor" stroke-width="{wide:g}" stroke-opacity="{ink:g}"{dashes}/>'


def text(x: float, y: float, words: str, *, anchor: str = "start", strong: bool = False, full: bool = False) -> str:
    """Text in ink, which a page mutes unless it is strong or `full`; the words are escaped."""
    weight = ' font-weight="600"' if strong else "" if full else ' class="m"'
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor"{weight}>{escape(words)}</text>'


def mark(place: int, x: float, y: float, size: float = 5, *, hollow: bool = False) -> str:
    """A model's mark: disc, square, triangle, diamond, cross."""
    how = f'fill="none" {paint(place, stroke=True)} stroke-width="1.6"' if hollow else paint(place)
    s = size
    if place % len(COLOURS) == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{s:g}" {how}/>'
    if place % len(COLOURS) == 4:  # noqa: PLR2004 (the cross has no inside to fill)
        path = f"M{x - s:.1f} {y - s:.1f}l{2 * s:.1f} {2 * s:.1f}m0 {-2 * s:.1f}l{-2 * s:.1f} {2 * s:.1f}"
        wide = 1.2 if hollow else 2.6
        return f'<path d="{path}" fill="none" {paint(place, stroke=True)} stroke-width="{wide}"/>'
    d = 1.25 * s
    path = (
        f"M{x - 0.9 * s:.1f} {y - 0.9 * s:.1f}h{1.8 * s:.1f}v{1.8 * s:.1f}h{-1.8 * s:.1f}z",
        f"M{x:.1f} {y - 1.15 * s:.1f}l{1.1 * s:.1f} {2 * s:.1f}h{-2.2 * s:.1f}z",
        f"M{x:.1f} {y - d:.1f}l{d:.1f} {d:.1f}l{-d:.1f} {d:.1f}l{-d:.1f} {-d:.1f}z",
    )[place % len(COLOURS) - 1]
    return f'<path d="{path}" {how}/>'


def svg(
    width: float, height: float, body: str, *, kind: str, title: str = "", desc: str = "", name: str = ""
) -> Markup:
    """A drawing; one with a title speaks to screen readers, one without is hidden from them."""
    head = f'<svg width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}" {FONT} overflow="visible" '
    if not title:
        return Markup(f'{head}class="{kind}" aria-hidden="true" focusable="false">{body}</svg>')  # noqa: S704
    about = f'<title id="{name}-t">{escape(title)}</title><desc id="{name}-d">{escape(desc)}</desc>'
    return Markup(  # noqa: S704 (every text in it is escaped where it is drawn)
        f'{head}class="{kind}" role="img" aria-labelledby="{name}-t {name}-d">{about}{body}</svg>'
    )


def at_least(low: float, high: float, pixels: float = 3) -> tuple[float, float]:
    """The two ends at least three pixels apart: an interval is always seen."""
    if high - low >= pixels:
        return low, high
    middle = (low + high) / 2
    return middle - pixels / 2, middle + pixels / 2
