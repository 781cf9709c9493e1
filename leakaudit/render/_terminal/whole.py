"""What is said of the whole report: warnings, controls, gates, what was not tested, and where the rest is."""

from collections import Counter
from collections.abc import Iterator, Sequence

from leakaudit.audits import Gate
from leakaudit.finding import WORST_FIRST
from leakaudit.render import Report, _annex, _entries, _figures, _measures, _words
from leakaudit.render._entries import Entry
from leakaudit.render._terminal.layout import (
    NEVER,
    Block,
    Column,
    Lines,
    Section,
    block,
    figure,
    labelled,
    sentence,
    table,
    verdict,
    wrap,
)

REST = "The whole document: --format html --output report.html"
CROWD = ((28, 30), (22, 40), (17, 50), (13, 60), (10, 85), (8, 90), (6, 94), (4, 98), (2, NEVER))
"""Lines of models and attributes where there are too many for a table each, and how hard so many are let go of."""
FEW = 3
"""Models of which the verdicts make a sentence."""
MANY = 3
"""Warnings, gates and failed controls that are told in full before anything else is."""


def warnings(report: Report, width: int) -> Section:
    """Every warning, as fully as there is room; where there is none, how many there are and the first."""
    said = [f"WARNING: {sentence(words)}" for words in _words.warned(report)]
    if not said:
        return ()

    def lines(most: int) -> Lines:
        return tuple(line for words in said for line in wrap(words, width, most=most))

    many = f"WARNING: {len(said)} warnings, all in the document. {said[0].removeprefix('WARNING: ')}"
    full, two, one = (87, 93, 96) if len(said) <= MANY else (45, 65, 88)
    return [block((lines(0), full), (lines(2), two), (lines(1), one), (wrap(many, width, most=3), NEVER))]


def ending(report: Report, found: Sequence[Entry], width: int) -> Iterator[Section]:
    """What is said of all models, and where the rest is."""
    yield [*_lines(report, found, width)]
    yield [block((wrap(REST, width), NEVER))]


def _lines(report: Report, found: Sequence[Entry], width: int) -> Iterator[Block]:
    several = len(report.audits) > 1
    if not several and report.audits[0].utility:
        yield _line("Task", _words.utility_said(report.audits[0].utility), width, 30)
    for name, said in {audit.name: words for audit in report.audits if (words := _words.unmeasured(audit))}.items():
        yield _line("Its own task", f"{name}: {said}" if several else said, width, 34)
    yield _controls(found, width)
    if said := _words.papers_said(found):
        yield _line("Papers", f"{said} Kept for comparison, never decides.", width, 24)
    yield from (_line("Prepared", way, width, 5) for way in _words.prepared(report))
    yield from (_line("Note", note, width, 18) for note in _words.noted(report))
    missing = labelled("Not tested", _annex.short(report), width)
    yield block((missing, 94), (labelled("Not tested", _annex.short(report), width, most=3), NEVER))
    yield from _gates(report.gates, width)


def _line(label: str, words: str, width: int, keep: float) -> Block:
    return block((labelled(label, words, width), keep), ((), NEVER))


def _controls(found: Sequence[Entry], width: int) -> Block:
    """Whether the controls held; of many that failed, how many of each kind."""
    failed = Counter(
        _words.CONTROLS.get(control.control, (control.control,))[0]
        for entry in found
        for control in entry.attribute.controls
        if control.passed is False
    )
    kinds = ", ".join(f"{kind} ({times})" for kind, times in failed.most_common(6))
    brief = f"{failed.total()} failed: {kinds}. No absence can be concluded there."
    words = _words.controls_said(found)
    full = 90 if failed.total() <= MANY else 42
    return block(
        (labelled("Controls", words, width), full), (labelled("Controls", brief if failed else words, width), NEVER)
    )


def _gates(gates: Sequence[Gate], width: int) -> Iterator[Block]:
    """Every gate; of many those that did not pass; of too many how many, and the first that failed."""
    if not gates:
        return

    def lines(shown: Sequence[Gate], most: int = 0) -> Lines:
        said = [f"{gate.gate}: {gate.outcome}, {gate.reason}" for gate in shown]
        return tuple(line for words in said for line in labelled("Gate", words, width, most=most))

    worst = sorted(gates, key=lambda gate: ("failed", "open", "passed").index(gate.outcome))
    short = [gate for gate in worst if gate.outcome != "passed"]
    count = Counter(gate.outcome for gate in gates)
    count_said = labelled(
        "Gates", ", ".join(f"{count[how]} {how}" for how in ("failed", "open", "passed") if count[how]), width
    )
    few = len(gates) <= MANY
    yield block(
        (lines(gates), 95 if few else 40),
        ((*lines(short), *count_said), 96 if len(short) <= MANY else 55),
        ((*lines(worst[:MANY], most=2), *count_said), 97 if few else 80),
        ((*lines(worst[:1], most=2), *count_said), NEVER),
    )


def head(report: Report, found: Sequence[Entry], width: int) -> Section:
    """The worst verdict first: of few models in words, of more how many there are of each."""
    count = tally(report, found, width)
    if len({entry.attribute.private for entry in found}) > 1 or len(found) > FEW:
        return [count]
    words = verdict(report.verdict, _words.verdicts(report), width)
    return [block((words, 85), *((form.lines, form.keep) for form in count.forms))]


def tally(report: Report, found: Sequence[Entry], width: int) -> Block:
    """How many there are of each verdict."""
    count = Counter(entry.attribute.verdict for entry in found)
    every = ", ".join(f"{word} {count[word]}" for word in WORST_FIRST if count[word])
    models, privates = len(report.audits), len({entry.attribute.private for entry in found})
    of = f"{len(found)} verdicts on {privates} attribute{'s' * (privates > 1)} of {models} model{'s' * (models > 1)}"
    return block((verdict(report.verdict, f"{of}: {every}", width), NEVER))


def crowd(report: Report, found: Sequence[Entry], width: int) -> Iterator[Section]:
    """Where there are too many for a table each: how many of each verdict, then the worst, a line each."""
    yield [tally(report, found, width)]
    yield warnings(report, width)
    order = sorted(
        found, key=lambda one: (WORST_FIRST.index(one.attribute.verdict), -one.attribute.figures.excess.value)
    )
    forms = []
    for most, keep in CROWD:
        more = len(order) - len(order[:most])
        rest = wrap(f"and {more} more in the document", width) if more else ()
        forms.append(((*_rows(order[:most], width, several=len(report.audits) > 1), *rest), keep))
    yield [block(*forms)]
    yield from ending(report, found, width)


def _rows(shown: Sequence[Entry], width: int, *, several: bool) -> Lines:
    columns = [
        Column(""), Column("attribute", least=8), Column("model", least=8),
        Column("right", right=True), Column("[95 %]", drop=3, gap=1),
        Column("E", right=True), Column("[95 %]", drop=4, gap=1),
        Column("of raw", right=True, drop=6), Column("vs random", right=True, drop=5),
        Column("UCB*", right=True),
    ]  # fmt: skip
    rows = []
    for entry in shown:
        cells = [entry.attribute.verdict, entry.attribute.private, entry.name if several else ""]
        for place, one in enumerate(_entries.headlines(entry.attribute)):
            unit = _measures.unit(one.figure)
            cells.append(figure(one))
            if place < 2:  # noqa: PLR2004 (the first two with their intervals)
                cells.append(_figures.bounds(one.interval, of=unit) if one.interval else "")
        rows.append([*cells, _figures.three(entry.attribute.upper)])
    return table(columns, rows, width)
