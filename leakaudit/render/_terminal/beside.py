"""Several models and one private attribute: a line for each, which leaks less, and by how much."""

from collections.abc import Iterator, Mapping, Sequence

from rich.cells import cell_len

from leakaudit.render import Comparison, Difference, Report, _entries, _figures, _further, _measures, _words
from leakaudit.render._entries import Entry
from leakaudit.render._terminal.layout import (
    NEVER,
    Block,
    Column,
    Lines,
    Section,
    axis,
    bar,
    block,
    figure,
    labelled,
    roomy,
    sentence,
    table,
    wrap,
)

NAME = 18
"""Columns of a model's name for which figures beside it are left out."""
PAIR, FEW = 2, 4
"""Models of which each gets lines of its own, and columns of its own."""
MOST = ((12, 9), (8, 15), (5, 25), (3, 40))
"""How many attackers stand beside each other, and how hard so many are let go of."""
FIRST = ("private_accuracy", "excess", "target_accuracy")
"""Differences that stay longest."""
SAID = (
    ("Attack seeds", _further.seeds, 63),
    ("Memorisation", _further.memorisation, 63),
    ("Drawn to", _further.attracted, 6),
    ("Pseudo-labels", _further.guessed, 8),
)
"""What is said of several models in one line each, and how hard it is let go of."""


def sections(report: Report, group: Sequence[Entry], width: int, warnings: Section) -> Iterator[Section]:
    """Everything on one private attribute of several models."""
    private = group[0].attribute.private
    long = [audit.name for audit in report.audits]
    names = dict(zip(long, _entries.short(long), strict=True))
    yield [_rows(report, group, width)]
    yield warnings
    yield [*_told(report, group, names, width)]
    yield [_bars(group, width)]
    compared = [part for part in report.comparisons if part.private == private]
    if len(compared) == 1:
        yield [_differences(compared[0], names, group[0], width)]
    if len(group) <= FEW:
        yield [_attackers(group, width)]
    yield [*_lines(group, width)]


def _rows(report: Report, group: Sequence[Entry], width: int) -> Block:
    """A line for each model with the four figures; where their intervals do not fit, the last two stand below."""
    private = group[0].attribute.private
    ranks = {
        place.name: f"{place.best}" if place.best == place.worst else f"{place.best} to {place.worst}"
        for ranking in report.rankings
        if ranking.private == private
        for place in ranking.places
    }
    columns = [
        Column(""), Column(private, least=max(8, min(NAME, max(cell_len(entry.name) for entry in group)))),
        Column("right", right=True), Column("[95 %]", drop=4, gap=1),
        Column("E", right=True), Column("[95 %]", drop=5, gap=1),
        Column("of raw", right=True, drop=7), Column("[95 %]", drop=2, gap=1),
        Column("vs random", right=True, drop=6), Column("[95 %]", drop=1, gap=1),
        Column("UCB*", right=True), Column("rank", drop=8),
    ]  # fmt: skip
    strongest = Column("chosen", least=10, drop=3)
    made, below = [], []
    for entry in group:
        part = entry.attribute
        figures = [cell for one in _entries.headlines(part) for cell in _cells(one)]
        made.append([part.verdict, entry.name, *figures, _figures.three(part.upper), ranks.get(entry.audit.name, "")])
        below.append([entry.name, *figures[4:]])
    long = [[*row, entry.attribute.attacker] for row, entry in zip(made, group, strict=True)]
    one = table([*columns, strongest], long, width)
    if roomy(columns, made, width):
        return block((one if roomy([*columns, strongest], long, width) else table(columns, made, width), NEVER))
    few = [[cell for i, cell in enumerate(row) if i not in range(6, 10)] for row in long]
    first = table([*columns[:6], *columns[10:], strongest], few, width)
    second = table(
        [Column("beside baselines", least=8),
         Column("of raw input", right=True), Column("[95 %]", gap=1, drop=2),
         Column("E above random", right=True), Column("[95 %]", gap=1, drop=1)], below, width,
    )  # fmt: skip
    return block(((*first, *second), 77 if len(group) <= PAIR else 27), (one, NEVER))


def _cells(one: _entries.Headline) -> tuple[str, str]:
    """A figure and its interval."""
    unit = _measures.unit(one.figure)
    return figure(one), _figures.bounds(one.interval, of=unit) if one.interval else ""


def _told(report: Report, group: Sequence[Entry], names: Mapping[str, str], width: int) -> Iterator[Block]:
    """Which leaks less, whether the data can tell, and what the verdicts do not speak of."""
    private = group[0].attribute.private
    ranked = [_named(part.sentence, names) for part in report.rankings if part.private == private]
    yield from (block((wrap(words, width), 83), (wrap(words, width, most=2), NEVER)) for words in ranked)
    told = [_words.told(part, dict(names)) for part in report.comparisons if part.private == private]
    said = [wrap(words, width) for words in told]
    if len(said) > 1:
        every = tuple(line for lines in said for line in lines)
        yield block((every, 19 if ranked else 59), (wrap(f"{_told_in_few(told)}", width), 61), ((), NEVER))
    elif said:
        yield block((said[0], NEVER))
    guessing = f"Guessing names {_figures.percent(1 / len(group[0].attribute.classes))} %. "
    suites = dict.fromkeys(entry.audit.suite for entry in group)
    yield from (block((wrap(_meaning(word, group, suites), width), 81), ((), NEVER)) for word in ("WITHIN", "NOT_FOUND")
                if any(entry.attribute.verdict == word for entry in group))  # fmt: skip
    yield block((wrap(guessing + _cannot(group), width), 62), (wrap(_cannot(group), width, most=2), 79), ((), NEVER))
    reasons = [wrap(f"{entry.name}: {sentence(entry.attribute.reason)}", width) for entry in group]
    open_ = [
        wrap(f"{entry.name}: {sentence(entry.attribute.reason)}", width, most=2)
        for entry in group
        if entry.attribute.verdict in ("DETECTED", "INCONCLUSIVE")
    ]
    yield block(
        (tuple(line for lines in reasons for line in lines), 31),
        (tuple(line for lines in open_ for line in lines), 64),
        ((), NEVER),
    )


def _named(words: str, names: Mapping[str, str]) -> str:
    for long in sorted(names, key=len, reverse=True):
        words = words.replace(long, names[long])
    return words


def _told_in_few(told: Sequence[str]) -> str:
    sure = sum("and the data can tell" in words for words in told)
    return f"Of {len(told)} comparisons with the first model, the data can tell in {sure}; all are in the document."


def _meaning(word: str, group: Sequence[Entry], suites: Sequence[str] | dict[str, None]) -> str:
    """The wording that is bound to a verdict that found nothing above the tolerance."""
    words = _words.MEANING[word].format(suite=_figures.joined(list(suites)))
    tau = _figures.tau(group[0].audit.tolerance)
    return f"{word}: {words[:1].lower()}{words[1:].split('. ')[0].rstrip('.')}; τ is {tau}."


def _cannot(group: Sequence[Entry]) -> str:
    """What the verdicts of one private attribute do not speak of."""
    several = _words.models([entry.audit for entry in group]) > 1
    seed = "Cannot be told: whether the method or the training seed did it. "
    suites = _figures.joined(list(dict.fromkeys(entry.audit.suite for entry in group)))
    counts = sorted({entry.attribute.rows.scored for entry in group})
    rows = " to ".join(map(str, dict.fromkeys((counts[0], counts[-1]))))
    limits = f"Only {group[0].attribute.private}, one checkpoint{' each' * several}, suite v{suites}, "
    return f"{seed * several}{limits}{rows} {_words.things(group[0])}; figures are floors."


def _bars(group: Sequence[Entry], width: int) -> Block:
    size, tolerance = max(16, min(width - 48, 50)), group[0].audit.tolerance
    columns = [Column("E, strongest attacker", least=8), Column(axis(tolerance, size)), Column("")]
    drawn = [
        [entry.name, bar((value := entry.attribute.figures.excess.value), tolerance, size), _figures.three(value)]
        for entry in group
    ]
    return block((table(columns, drawn, width), 7), ((), NEVER))


def _differences(comparison: Comparison, names: Mapping[str, str], entry: Entry, width: int) -> Block:
    """Every figure of both models, the difference, and whether the data can tell; in few words where room is short."""
    first, second = names[comparison.first], names[comparison.second]
    how = f"same {comparison.rows} rows" if comparison.paired else "unpaired"
    task = entry.audit.utility.target if entry.audit.utility else ""

    def columns(last: str) -> list[Column]:
        sides = [Column(name, right=True, least=6) for name in (first, second)]
        return [Column(how, least=14), *sides, Column("difference [95 %]"), Column(last, least=4)]

    def row(part: Difference, *, brief: bool) -> list[str]:
        unit, tells = _measures.unit(part.figure), _words.tells(part, first, second)
        return [
            _measures.label(part.figure, private=entry.attribute.private, target=task, brief=brief),
            _figures.figure(part.first, unit),
            _figures.figure(part.second, unit),
            " ".join(_figures.change(part)),
            tells.replace(f" {_measures.says(part.figure)}", "") if brief else tells,
        ]

    found = comparison.differences
    heads, brief = columns("the data can tell"), False
    if not roomy(heads, [row(part, brief=False) for part in found], width):
        heads, brief = columns("better"), True
    every, few = ([row(p, brief=brief) for p in found if p.figure in which] for which in (_measures.COMPARED, FIRST))
    return block((table(heads, every, width), 50), (table(heads, few, width), 66), ((), NEVER))


def _attackers(group: Sequence[Entry], width: int) -> Block:
    """E of every attacker and every baseline, one column per model."""
    columns = [Column("E by attacker and labels", least=16)]
    columns += [Column(entry.name, right=True, least=6) for entry in group]
    found = [
        {f"{row.attacker}, {row.auxiliary}": row.figures.excess.value for row in _entries.rows(one) if not row.decides}
        for one in group
    ]
    seen = [
        {
            f"from {_words.SEES.get(one.baseline, (one.baseline,))[0]}": one.figures.excess.value
            for one in entry.attribute.baselines
            if one.figures is not None and one.baseline not in ("majority", "target-only")
        }
        for entry in group
    ]
    chosen = [_figures.three(entry.attribute.figures.excess.value) for entry in group]
    every, bases = (
        list(dict.fromkeys(k for one in found for k in one)),
        list(dict.fromkeys(k for one in seen for k in one)),
    )
    every.sort(key=lambda label: -max(one.get(label, -1.0) for one in found))

    def cells(label: str, of: Sequence[Mapping[str, float]]) -> list[str]:
        return [label, *(_figures.three(one[label]) if label in one else "" for one in of)]

    forms: list[tuple[Lines, float]] = []
    for most, keep in MOST:
        shown = [["chosen on held-out rows, decides", *chosen], *(cells(label, found) for label in every[:most])]
        more = len(every) - len(every[:most])
        rest = wrap(f"and {more} more in the document", width) if more else ()
        below = [cells(label, seen) for label in bases] if most > MOST[-1][0] else []
        forms.append(((*table(columns, [*shown, *below], width), *rest), keep))
    return block(*forms, ((), NEVER))


def _lines(group: Sequence[Entry], width: int) -> Iterator[Block]:
    """What is said of several models in one line each: labels needed, and what erasing leaves of a pair."""
    for label, said, keep in SAID:
        lines = [line for e in group if (words := said(e)) for line in labelled(label, f"{e.label}: {words}", width)]
        if lines:
            yield block((tuple(lines), keep), ((), NEVER))
    if learned := [entry for entry in group if entry.attribute.learning]:
        words = _further.shows(learned)
        yield block((labelled("Labels", words, width), 65), (labelled("Labels", words, width, most=2), 78), ((), NEVER))
    for entry in group if len(group) <= PAIR else ():
        if words := _further.erased(entry):
            yield block((labelled("Erased", f"{entry.label}: {words}", width), 10), ((), NEVER))
