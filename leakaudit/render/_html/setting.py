"""How a page is set: its templates, its figures as a printer would have them, and what its policy calls its parts."""

import base64
import functools
import hashlib
import re
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

FOLDER = Path(__file__).parent


@functools.cache
def environment(folder: Path) -> jinja2.Environment:
    """Where templates of `folder` are filled in: everything is escaped, and nothing may be left out."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=fine,
    )
    environment.filters["ascii"] = _ascii
    environment.filters["as_typed"] = lambda text: Markup(escape(text))  # noqa: S704 (escaped)
    return environment


def fine(value: Any) -> Any:
    """Words as they are set: a true minus, narrow spaces before % and in thousands, a typographer's apostrophe."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    value = re.sub(r"(?<![\w.:/-])-(?=\d)", "\N{MINUS SIGN}", value)
    value = re.sub(r"(?<=\d) %", "\N{NARROW NO-BREAK SPACE}%", value)
    value = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "\N{NARROW NO-BREAK SPACE}", value)
    value = re.sub(r"(?<![\w.,#/:-])\d{5,9}(?![\w.])", lambda found: f"{int(found[0]):,}".replace(",", "\u202f"), value)
    return re.sub(r"(?<=\w)'(?=\w|\s|$)", "\N{RIGHT SINGLE QUOTATION MARK}", value)


def _ascii(value: str) -> str:
    """A number as a script reads it: the first of the words."""
    return str(value).split(" ", maxsplit=1)[0]


def file(path: Path) -> Markup:
    """A file of the package between its tags, where nothing is escaped."""
    text = path.read_text(encoding="utf-8")
    assert "</" not in text
    return Markup(text)  # noqa: S704 (a file of this package)


def style(*more: str) -> Markup:
    """The style sheet: the page, its drawings, paper, and what one page adds."""
    sheets = [file(FOLDER / name) for name in ("style.css", "figures.css", "print.css") if (FOLDER / name).exists()]
    return Markup("").join([*sheets, *map(Markup, more)])


def running(title: str) -> str:
    """The title at the head of every printed page but the first, every letter but the plainest spelt as a number."""
    plain = re.sub(r"[^A-Za-z0-9 ]", lambda letter: f"\\{ord(letter[0]):06x}", title)
    head = f'@top-left {{ content: "{plain}"; font: 8pt sans-serif; color: #555; }}'
    return f"@page {{ {head} }}\n@page :first {{ @top-left {{ content: none; }} }}\n"


def named(text: str) -> Markup:
    """What the content security policy calls these bytes."""
    digest = base64.b64encode(hashlib.sha256(str(text).encode()).digest()).decode()
    return Markup("sha256-{}").format(Markup(digest))  # noqa: S704 (base64)
