"""
A figure as a file of its own: SVG that any viewer shows, and PNG.

The page's ink is whatever its text is; apart, it is a colour on white. PNG is drawn by resvg with two fonts that come
with matplotlib and with no other, so that a machine's own fonts change nothing.
"""

import importlib.util
import re
from pathlib import Path

from leakaudit import store
from leakaudit.errors import InputError
from leakaudit.render._drawings.drawing import Drawing

INK, PAPER = "#1b1d21", "#ffffff"
FONTS = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"
"""The first of them that is there; the widest come first, since the figures leave room for these."""
FILES = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")
MARGIN = 16
"""Pixels around a figure."""
ZOOM = 2
"""Pixels of the PNG for each of the figure."""
HEAD = re.compile(r'<svg width="([\d.]+)" height="([\d.]+)" viewBox="0 0 [\d.]+ [\d.]+" ')
FOREIGN = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Letters that no XML document may hold: https://www.w3.org/TR/xml/#charsets."""


def svg(drawing: Drawing) -> str:
    """The figure as an SVG document: white paper, ink of its own, a font by name, and no class."""
    text = FOREIGN.sub("\N{REPLACEMENT CHARACTER}", str(drawing.svg))
    head = HEAD.match(text)
    assert head is not None, drawing.name
    wide, high = (float(part) + 2 * MARGIN for part in head.groups())
    box = f'viewBox="{-MARGIN} {-MARGIN} {wide:g} {high:g}"'
    opened = f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide:g}" height="{high:g}" {box} '
    inner = text[head.end() :]
    inner = re.sub(r' class="[^"]*"', "", inner)
    inner = re.sub(r'(fill|stroke)="currentColor"', rf'\1="{INK}"', inner)
    inner = re.sub(r'font-family="sans-serif"', f'font-family="{FONTS}"', inner)
    paper = f'<rect x="{-MARGIN}" y="{-MARGIN}" width="{wide:g}" height="{high:g}" fill="{PAPER}"/>'
    start = inner.index("</desc>") + len("</desc>") if "</desc>" in inner else inner.index(">") + 1
    return f"{opened}{inner[:start]}{paper}{inner[start:]}\n"


def png(text: str) -> bytes:
    """
    An SVG document as PNG, twice as large.

    Raises:
        InputError: what draws it is not installed.
    """
    check_fonts()
    import resvg_py

    folder = _fonts()
    fonts = [str(folder / name) for name in FILES]
    return bytes(resvg_py.svg_to_bytes(svg_string=text, zoom=ZOOM, skip_system_fonts=True, font_files=fonts))


def check(folder: Path) -> None:
    """
    Look whether figures can be drawn, and written to a folder; nothing is written.

    Raises:
        InputError: something is not installed, or the folder cannot be written.
    """
    check_fonts()
    store.check_place(folder / "figure.svg")


def check_fonts() -> None:
    """
    Look whether PNG can be drawn, without loading what draws it.

    Raises:
        InputError: resvg-py or matplotlib's fonts are not there; the message says what to install.
    """
    if importlib.util.find_spec("resvg_py") is None:
        raise InputError("--figures draws PNG with resvg-py, which is not installed: python -m pip install resvg-py")
    if not all((_fonts() / name).is_file() for name in FILES):
        raise InputError(
            "--figures writes with matplotlib's fonts, which are not there: python -m pip install matplotlib"
        )


def _fonts() -> Path:
    """Where matplotlib keeps its fonts; it is found and not loaded."""
    found = importlib.util.find_spec("matplotlib")
    return Path(found.origin or "").parent / "mpl-data" / "fonts" / "ttf" if found else Path("matplotlib")
