"""
Text that stays text in GitHub's Markdown: no markup, no link, nobody mentioned, no issue referred to.

Markup is escaped. A word that GitHub would link after that, whatever its escapes, becomes a code span, which its
filters leave alone: backslashes and character references keep neither `@` nor `#` from it (github/cmark-gfm issue 181,
github/markup issue 1168), and bare addresses are linked by the autolinks extension (GFM 0.29, section 6.9).
"""

import html
import re
from collections.abc import Callable, Sequence

LINKED = re.compile(
    r"@\S|\S@"  # mentions, and addresses of mail
    r"|#\w|\bGH-\d"  # issues
    r"|://|\bwww\.|\b(mailto|xmpp):"  # addresses
    r"|\b[0-9a-f]{7,40}\b"  # commits
    r"|:[\w+-]+:",  # emoji
    re.IGNORECASE,
)
"""What is linked, or drawn, in text that is not code."""
MARKUP = re.compile(r"[&<>\\`|\[\]*~!#]|(?<![^\W_])_|_(?![^\W_])|^([-+]|\d+[.)])(?=\s|$)|\$")


def text(words: str) -> str:
    """Words as Markdown, in a paragraph, an item or a cell of a table."""
    return " ".join(_spanned(word, code) if LINKED.search(word) else _escaped(word) for word in words.split())


def _spanned(word: str, span: Callable[[str], str]) -> str:
    """What is linked in a span, and the point or comma that ends it behind the span."""
    bare = word.rstrip(".,;")
    return f"{span(bare)}{word[len(bare) :]}" if bare else span(word)


def _escaped(word: str) -> str:
    """The sign itself behind a backslash, of the number of a list its point: before a digit it would be shown."""
    return MARKUP.sub(
        lambda found: f"&{NAMED[found[0]]};" if found[0] in NAMED else f"{found[0][:-1]}\\{found[0][-1]}", word
    )


NAMED = {"&": "amp", "<": "lt", ">": "gt"}


def code(words: str) -> str:
    """A code span, in a table too: fenced by more backticks than it holds, its bars escaped."""
    fence = "`" * (max(map(len, re.findall("`+", words)), default=0) + 1)
    pad = " " if words.startswith("`") or words.endswith("`") else ""
    return f"{fence}{pad}{words.replace('|', chr(92) + '|')}{pad}{fence}"


def block(lines: str) -> str:
    """Lines as a block of code."""
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", lines)), 0)
    return f"{fence}\n{lines}\n{fence}"


def markup(words: str) -> str:
    """Words as HTML, where GitHub reads no Markdown: in a summary."""
    return " ".join(
        _spanned(word, lambda bare: f"<code>{html.escape(bare)}</code>") if LINKED.search(word) else html.escape(word)
        for word in words.split()
    )


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """A table of cells that are Markdown already; `right` are the columns of numbers."""
    rule = ["--:" if i in right else ":--" for i in range(len(heads))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows))


def fold(title: str, body: str) -> str:
    """What is seen only when it is asked for."""
    return f"<details>\n<summary>{markup(title)}</summary>\n\n{body}\n\n</details>"
