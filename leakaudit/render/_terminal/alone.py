"""One model and one private attribute: the verdict in words, the four figures, the strongest attackers."""

from collections.abc import Iterator, Sequence

from leakaudit.finding import Figures
from leakaudit.render import _entries, _figures, _further, _measures, _words
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
    labelled,
    lowered,
    sentence,
    table,
    verdict,
    wrap,
)

NARROW = 72
"""Columns under which labels are brief."""
WIDE, WIDEST = 100, 112
"""Columns from which E is drawn, and from which the AUC stands beside it."""
ATTACKERS = ((14, 4), (9, 9), (6, 20), (4, 32), (3, 55), (1, 80))
"""How many attackers are shown, and how hard so many are let go of."""
KEEP = {
    "Drawn to": 6, "Pseudo-labels": 8, "Erased": 10, "Ranking": 12, "Planted": 14, "Worst stratum": 16,
    "As a number": 22, "Memorisation": 63, "Attack seeds": 63, "Detected": 44, "Labels needed": 78,
}  # fmt: skip
"""How hard each sentence beside the figures is let go of."""
FIGURES_SAID = ("Left over",)
"""What the four figures say."""


def sections(entry: Entry, width: int, warnings: Section) -> Iterator[Section]:
    """The verdict, what must be read before it is believed, and what it rests on."""
    yield [block((verdict(entry.attribute.verdict, _words.clause(entry), width), NEVER))]
    yield warnings
    yield [*_said(entry, width)]
    yield [_four(entry, width)]
    yield [_attackers(entry, width)]
    yield [*_beside(entry, width)]


def _said(entry: Entry, width: int) -> Iterator[Block]:
    part = entry.attribute
    before, share, after = _words.says(entry)
    accuracy = _figures.bounds(part.figures.private_accuracy, of="%")
    yield block((wrap(f"{before}{share}{after.replace(';', f' {accuracy};', 1)}", width), 58), ((), NEVER))
    reason = f"Reason: {sentence(part.reason)}"
    yield block((wrap(reason, width), 72), (wrap(reason, width, most=2), 84), (wrap(reason, width, most=1), NEVER))
    limits = f"Limits: {lowered(_words.limits(entry))}"
    brief = f"Limits: {lowered(_words.limits(entry).split('. ')[0])}; figures are floors."
    yield block((wrap(limits, width), 60), (wrap(brief, width), 82), ((), NEVER))


def _four(entry: Entry, width: int) -> Block:
    """The four figures with their intervals, one line each, or all in one sentence; and UCB*."""
    part, rows = entry.attribute, []
    for one, words in zip(_entries.headlines(part), _beside_figures(entry), strict=True):
        unit = _measures.unit(one.figure)
        label = _measures.label(one.figure, private=part.private, target=part.target or "", brief=width < NARROW)
        value = _figures.figure(one.value, unit) if one.value is not None else "not known"
        bounds = _figures.bounds(one.interval, of=unit) if one.interval else ""
        rows.append([label, value, bounds, words])
    columns = [Column("", least=14), Column("", right=True), Column("", gap=1), Column("", drop=1)]
    tau = _figures.tau(entry.audit.tolerance)
    passes = wrap(f"τ {tau}; UCB*, the smallest that could be passed: {_figures.three(part.upper)}.", width)
    figures = table(columns, rows, width, heads=False)
    return block(((*figures, *passes), 76), (wrap(compact(entry), width), NEVER))


def _beside_figures(entry: Entry) -> tuple[str, ...]:
    """What each of the four figures is measured against."""
    part = entry.attribute
    seen = [_entries.baseline(part, name) for name in ("raw-input", "random-init")]
    raw, random = [_figures.three(one.figures.excess.value) if one and one.figures else "" for one in seen]
    share, above = _entries.headlines(part)[2:]
    unclear = part.above_random is not None and not _figures.can_tell(part.above_random)
    untrained = "the data cannot tell them apart" if unclear else f"E of an untrained encoder is {random}"
    return (
        f"guessing names {_figures.percent(1 / len(part.classes))} %",
        f"{_words.beyond(entry)}; from 0 to 1",
        share.note or (f"E from the raw input is {raw}" if raw else ""),
        above.note or (untrained if random else ""),
    )


def compact(entry: Entry) -> str:
    """The four figures, UCB*, and the labels needed, in one sentence."""
    part = entry.attribute
    accuracy, excess, share, above = _entries.headlines(part)
    raw = _figures.with_bounds(share.interval, "%") if share.interval else ""
    if share.value is not None and not raw:
        raw = f"{_figures.percent(share.value)} %"
    words = [
        f"{_figures.with_bounds(part.figures.private_accuracy, '%')} named right",
        f"E {_figures.with_bounds(part.figures.excess)}",
        f"{raw} of what the raw input gives" if raw else "",
        f"{_figures.with_bounds(above.interval)} above a random encoder" if above.interval else "",
        f"UCB* {_figures.three(part.upper)}",
        f"labels needed {labels}" if (labels := _further.labels(entry)) else "",
    ]
    assert accuracy.interval == part.figures.private_accuracy
    assert excess.interval == part.figures.excess
    return f"{'; '.join(filter(None, words))}."


def _attackers(entry: Entry, width: int) -> Block:
    found = _entries.rows(entry)
    forms: list[tuple[Lines, float]] = []
    for most, keep in ATTACKERS:
        rows = found[:most]
        more = len(found) - len(rows)
        rest = wrap(f"and {more} more in the document{_highest(found[most:])}", width) if more else ()
        forms.append(((*_table(entry, rows, width), *rest, *_notes(rows, width)), keep))
    alone = wrap(f"Chosen attacker: {_entries.strongest(entry.attribute, brief=True)}.", width, most=1)
    return block(*forms, (alone, 86), ((), NEVER))


def _highest(rows: Sequence[_entries.Row]) -> str:
    """The largest E of what is left out."""
    return f", E up to {_figures.three(max(row.figures.excess.value for row in rows))}" if rows else ""


def _notes(rows: Sequence[_entries.Row], width: int) -> Lines:
    against = " ".join(row.against for row in rows)
    loose = wrap("* did not converge", width) if "*" in against else ()
    few = "open: too few groups for bounds; the intervals are too narrow"
    return (*loose, *(wrap(few, width) if "open" in against else ()))


def _table(entry: Entry, rows: Sequence[_entries.Row], width: int) -> Lines:
    wide, tolerance = width >= WIDE, entry.audit.tolerance
    size = min(24, width - 92)
    columns = [
        Column("attacker", least=12),
        Column("labels", drop=2),
        Column("acc. %", right=True, drop=1),
        Column("E [95 %]"),
        Column(axis(tolerance, size) if wide else ""),
        Column("bits", right=True, drop=0),
        Column("AUC", right=True, drop=0),
        Column("E vs τ"),
    ]
    made = []
    for row in rows:
        figures = row.figures
        name = _chosen(entry, wide=wide) if row.decides else row.attacker
        bits = _figures.figure(figures.bits.value, "bits") if figures.bits and wide else ""
        area = f"{figures.auc.value:.2f}" if figures.auc and width >= WIDEST else ""
        drawn = bar(figures.excess.value, tolerance, size) if wide else ""
        read = _figures.percent(figures.private_accuracy.value)
        made.append([name, row.auxiliary, read, excess(figures), drawn, bits, area, row.against])
    return table(columns, made, width)


def _chosen(entry: Entry, *, wide: bool) -> str:
    """The attackers that decide, or where they are too many for the column the one most often chosen."""
    chosen = _entries.strongest(entry.attribute, brief=True)
    others = len(set(entry.attribute.winners)) - 1
    return chosen if wide or others < 1 else f"{chosen.partition(' x')[0]}, {others} more"


def _beside(entry: Entry, width: int) -> Iterator[Block]:
    """A sentence for each figure that is known beside the four."""
    for label, words in further(entry):
        yield block((labelled(label, words, width), KEEP.get(label, 20)), ((), NEVER))


def further(entry: Entry) -> Iterator[tuple[str, str]]:
    """Labels and words of what is said of one entry."""
    part = entry.attribute
    yield from (line for line in _further.further(entry) if line[0] not in FIGURES_SAID)
    if seen := [
        f"{_words.SEES.get(one.baseline, (one.baseline,))[0]} {_figures.three(one.figures.excess.value)}"
        for one in part.baselines
        if one.figures and one.baseline not in ("majority", "target-only", "leace")
    ]:
        yield "Baselines", f"E from {', '.join(seen)}"
    if part.reconstruction:
        read = _figures.with_bounds(part.reconstruction.private.private_accuracy, "%")
        yield "Rebuilt", f"{read} named from rebuilt images"


def excess(figures: Figures) -> str:
    """E with its interval."""
    return _figures.with_bounds(figures.excess)
