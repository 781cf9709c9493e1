"""What a page of HTML must be, whichever command makes it."""

import re
from collections.abc import Set as AbstractSet
from html.parser import HTMLParser


class Strict(HTMLParser):
    """Follows the tags of a page, and fails at the first that is closed out of turn or says an attribute twice."""

    def __init__(self, void: AbstractSet[str]) -> None:
        """`void` are the tags that are never closed."""
        super().__init__()
        self.void = void
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open it."""
        self.handle_startendtag(tag, attrs)
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Every attribute is said once."""
        assert len({name for name, _ in attrs}) == len(attrs), (tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        """Close what was opened last."""
        last = self.open.pop() if self.open else None
        assert last == tag, f"</{tag}> closes <{last}>"


def check(page: str, void: AbstractSet[str]) -> None:
    """The page parses without repair, every id is one, and what is referred to is there."""
    strict = Strict(void)
    strict.feed(page)
    strict.close()
    assert strict.open == []
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids)), sorted({each for each in ids if ids.count(each) > 1})
    for wanted in re.findall(r'(?:href="#|aria-labelledby=")([^"]+)"', page):
        assert set(wanted.split()) <= set(ids), wanted
