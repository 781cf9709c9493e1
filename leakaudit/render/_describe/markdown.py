"""Markdown for a pull request or a README: what to know first, the figures, and the cross tables folded."""

import re
from collections.abc import Iterator, Sequence

from leakaudit.description import Attribute, Description
from leakaudit.render import _figures, _tame
from leakaudit.render._describe import tables

LINES, COLUMNS = 31, 13
"""The most lines and columns of a cross table."""


def render(made: Description, *, width: int) -> str:
    """The description; `width` is the terminal's and says nothing here."""
    assert width > 0
    return "\n\n".join(_parts(_tame.plain(made))) + "\n"


def _parts(made: Description) -> Iterator[str]:
    privates = _figures.joined([part.private.name for part in made.attributes])
    yield f"## {_text(made.data)}: {_text(privates)} beside {_text(made.target.name)}, before anybody trains"
    yield from _warnings(made.warnings)
    rows = [
        [_text(split.split), f"{split.rows:,}", _text(tables.groups(split)), _text(tables.images(split))]
        for split in made.splits
    ]
    yield _table(["split", "rows", "groups of median (largest)", "images"], rows, right=(1,))
    for part in made.attributes:
        yield f"### {_text(part.private.name)}"
        yield from _warnings(part.warnings)
        yield _told(made, part)
        yield _reach(made, part)
        yield from _crossed(made, part)
    for label in (made.target, *(part.private for part in made.attributes)):
        if label.note:
            yield f"{_text(label.name)}: {_text(label.note)}."
    yield f"{_text(made.compared)}."


def _warnings(words: Sequence[str]) -> Iterator[str]:
    if words:
        yield "\n".join(f"- {_text(each)}" for each in words)


def _told(made: Description, part: Attribute) -> str:
    rows = [
        [_text(cross.split), f"{cross.rows:,}", f"{cross.missing:,}", *map(_text, tables.strength(cross))]
        + [tables.percent(each) for each in (cross.majority, cross.accuracy, cross.balanced_accuracy, cross.chance)]
        for cross in part.crosses
    ]
    alone = f"by {_text(made.target.name)} alone, %"
    heads = ["split", "rows", "missing", "Cramér's V", "beyond chance [95 %]", "commonest, %", alone]
    return _table([*heads, "balanced, %", "chance, %"], rows, right=(1, 2, 3, 5, 6, 7, 8))


def _reach(made: Description, part: Attribute) -> str:
    rows = []
    for cross in part.crosses:
        row = [_text(cross.split), f"{cross.reach.scored:,}" if cross.reach else "", _text(tables.smallest(cross))]
        row += [f"{cross.empty:,}", f"{cross.few:,}", tables.detectable(cross.reach) if cross.reach else ""]
        row += [tables.verdicts(cross.reach)]
        open_ = cross.reach is not None and not cross.reach.absence
        row += [f"{cross.reach.rows_of_this_mix:,}" if open_ and cross.reach else ""]
        rows.append([*row, f"{cross.reach.rows_balanced:,}" if open_ and cross.reach else ""])
    heads = ["an audit of", "scores", "smallest cell", "empty", f"up to {made.handful}", "smallest detectable E"]
    tau = _figures.tau(made.tolerance)
    heads += [f"verdicts at τ {tau}", "rows of this mix to decide", "balanced rows to decide"]
    return _table(heads, rows, right=(1, 3, 4, 5, 7, 8))


def _crossed(made: Description, part: Attribute) -> Iterator[str]:
    for cross, sheet in zip(part.crosses, tables.sheets(made, part, LINES, COLUMNS), strict=True):
        heads = [_text(f"{made.target.name} / {part.private.name}"), *map(_text, sheet.columns)]
        rows = [
            [_text(name), *(f"{count:,} ({share} %)" if share else "0" for count, share in _cells(counts))]
            for name, counts in zip(sheet.lines, sheet.counts, strict=True)
        ]
        said = tables.cut_said(made, part, LINES, COLUMNS)
        body = _table(heads, rows, right=tuple(range(1, len(heads)))) + (f"\n\n{_text(said)}" if said else "")
        title = f"{part.private.name} by {made.target.name} in {cross.split}: rows, and their share of the line"
        yield f"<details>\n<summary>{_text(title)}</summary>\n\n{body}\n\n</details>"


def _cells(counts: Sequence[int]) -> Iterator[tuple[int, str]]:
    return zip(counts, tables.shares(counts), strict=True)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: tuple[int, ...] = ()) -> str:
    rule = ["--:" if i in right else ":--" for i in range(len(heads))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows))


def _text(words: str) -> str:
    """Words in which nothing is markup: HTML, table bars, links, emphasis, mentions, addresses."""
    return re.sub(r"[&<>@\\`|\[\]*#~!]|(?<!\w)_|_(?!\w)|(?<=http):|(?<=https):", _escaped, words)


def _escaped(found: re.Match[str]) -> str:
    return f"&#{ord(found[0])};" if found[0] in "&<>@:" else f"\\{found[0]}"
