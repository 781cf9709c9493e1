"""
Text for a terminal: the verdict in words, then the table that proves it.

`render` writes no escape codes, so that words come before colour; `style` adds the only two there are, for a terminal
that wants them: LEAK is red, and the row that decides is bold, as is the word before a warning.
"""

import io
import re
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from leakaudit.finding import Figures
from leakaudit.render import Comparison, Report, _annex, _entries, _figures, _further, _measures, _tame, _words
from leakaudit.render._entries import Entry

NARROW, ROOMY = 72, 80
"""The fewest columns that are written for, and those from which accuracy stands beside E."""
WIDE = 100
"""Columns from which E is drawn and each row says what it means."""
WIDEST = 112
"""Columns from which the AUC stands beside them."""
SAID = (
    ("Attack seeds", _further.seeds),
    ("Memorisation", _further.memorisation),
    ("Drawn to", _further.attracted),
    ("Pseudo-labels", _further.guessed),
)
"""What is said of several models in one line each."""
LABEL = 13
"""Columns of the labels before a sentence."""
PAIR = 2
"""Models of which each gets lines of its own."""


def render(report: Report, *, width: int) -> str:
    """The report as text of at most `width` columns (72 where that is less), without escape codes."""
    width = max(NARROW, min(width, 120))
    tamed = _tame.tame(report)
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False, emoji=False, markup=False)
    found = _entries.entries(tamed)
    for part in _compared(tamed, found, width) if len(tamed.audits) > 1 else _alone(tamed, found, width):
        console.print(part)
    for part in _ending(tamed, found):
        console.print(part)
    assert isinstance(console.file, io.StringIO)
    lines = [line.rstrip() for line in console.file.getvalue().split("\n")]
    return "\n".join(lines).strip("\n") + "\n"


def style(text: str) -> str:
    """The text with the word LEAK in red, the deciding rows and the word before a warning in bold."""
    lines = [
        f"\033[1m{line}\033[0m" if re.search(r"(, decides$|: decides )", line) else line for line in text.split("\n")
    ]
    lines = [re.sub(r"^( *WARNING:)", "\033[1m\\1\033[0m", line) for line in lines]
    return "\n".join(re.sub(r"^(LEAK)\b", "\033[1;31m\\1\033[0m", line) for line in lines)


def _alone(report: Report, found: Sequence[Entry], width: int) -> Iterator[Text | Table | Padding]:
    for entry in found:
        part, figures = entry.attribute, entry.attribute.figures
        yield Text(f"{part.verdict}   {_words.clause(entry)}\n")
        yield from (_prose(f"WARNING: {words}.\n") for words in _words.warned(report) if entry is found[0])
        before, share, after = _words.says(entry)
        accuracy = _figures.bounds(figures.private_accuracy, of="%")
        yield _prose(f"{before}{share}{after.replace(';', f' {accuracy};', 1)}")
        tolerance = _figures.tau(entry.audit.tolerance)
        yield _prose(
            f"Excess advantage E {_e(figures)}, {_words.beyond(entry)}; tolerance τ {tolerance}."
            f" The smallest tolerance that this audit could pass: {_figures.three(part.upper)}."
        )
        yield _prose(f"Reason: {part.reason}.".replace("..", "."))
        yield _prose(f"Limits: {_words.limits(entry)}\n")
        yield Padding(_attackers(entry, width), (0, 0, 0, 2))
        against = " ".join(row.against for row in _entries.rows(entry))
        loose = "* did not converge\n" * ("*" in against)
        yield _prose(loose + "open: too few groups for bounds; the intervals are too narrow\n" * ("open" in against))
        yield Padding(_lined(_lines(entry)), (0, 0, 1 if entry is not found[-1] else 0, 2))


def _attackers(entry: Entry, width: int) -> Table:
    found = _entries.rows(entry)
    ranked = width >= WIDEST and any(row.figures.auc for row in found)
    wide, size = width >= WIDE, min(24, width - (98 if ranked else 92))
    table = _table()
    table.add_column("attacker", max_width=22 if wide else 20)
    table.add_column("labels", no_wrap=True, max_width=10)
    if width >= ROOMY:
        table.add_column("acc. %", justify="right")
    table.add_column("E [95 %]", no_wrap=True)
    if wide:
        table.add_column(_axis(entry.audit.tolerance, size), no_wrap=True)
        table.add_column("bits", justify="right")
    if ranked:
        table.add_column("AUC", justify="right")
    table.add_column("E vs τ", no_wrap=True)
    for row in found:
        figures = row.figures
        bits = _figures.figure(figures.bits.value, "bits") if figures.bits else ""
        drawn = (_bar(figures.excess.value, entry.audit.tolerance, size), bits) if wide else ()
        chosen = _entries.strongest(entry.attribute, brief=True) if row.decides else row.attacker
        accuracy = (_figures.percent(figures.private_accuracy.value),) if width >= ROOMY else ()
        area = (f"{figures.auc.value:.2f}" if figures.auc else "",) if ranked else ()
        table.add_row(*_texts(chosen, row.auxiliary, *accuracy, _e(figures), *drawn, *area, row.against))
    return table


def _compared(report: Report, found: Sequence[Entry], width: int) -> Iterator[Text | Table | Padding]:
    names = dict(
        zip([audit.name for audit in report.audits], _entries.short([a.name for a in report.audits]), strict=True)
    )
    for private, group in _entries.questions(report):
        table = _table()
        for column in ("", "", f"{private} named right", "E [95 %]"):
            table.add_column(column, no_wrap=True)
        for entry in group:
            figures = entry.attribute.figures
            read = f"{_figures.percent(figures.private_accuracy.value)} % "
            read += _figures.bounds(figures.private_accuracy, of="%")
            table.add_row(*_texts(entry.attribute.verdict, entry.audit.name, read, _e(figures)))
        yield table
        yield Text("")
        yield from (_prose(f"WARNING: {words}.\n") for words in _words.warned(report) if group[0] == found[0])
        for comparison in (part for part in report.comparisons if part.private == private):
            yield _prose(_words.told(comparison, names))
        yield _prose(f"Guessing names {_figures.percent(1 / len(group[0].attribute.classes))} %. {_cannot(group)}\n")
        yield Padding(_bars(group, width), (0, 0, 1, 2))
        for comparison in (part for part in report.comparisons if part.private == private):
            yield Padding(_differences(comparison, names, group[0], width), (0, 0, 1, 2))
        yield Padding(_beside(group), (0, 0, 1, 2))
    for entry in found:
        yield _prose(f"{entry.name}, {entry.attribute.private}: {entry.attribute.reason}.".replace("..", "."))
    yield Text("")


def _beside(group: Sequence[Entry]) -> Table:
    """E of every attacker and every baseline, one column per model."""
    table = _table()
    table.add_column("E by attacker and labels", no_wrap=True, max_width=34)
    for entry in group:
        table.add_column(entry.name, justify="right", no_wrap=True, max_width=14)
    columns = [
        {f"{row.attacker}, {row.auxiliary}": row.figures for row in _entries.rows(entry) if not row.decides}
        | {
            f"from {_words.SEES.get(one.baseline, (one.baseline,))[0]}": one.figures
            for one in entry.attribute.baselines
            if one.figures is not None
        }
        for entry in group
    ]
    chosen = [_figures.three(entry.attribute.figures.excess.value) for entry in group]
    table.add_row(*_texts("chosen on held-out rows: decides", *chosen))
    for label in dict.fromkeys(label for column in columns for label in column):
        cells = [_figures.three(column[label].excess.value) if label in column else "" for column in columns]
        table.add_row(*_texts(label, *cells))
    return table


def _cannot(group: Sequence[Entry]) -> str:
    limits = sorted({_words.limits(entry).split(". ")[0] for entry in group})
    seed = "Cannot be told: whether the method or the training seed did it. "
    return f"{seed if _words.models([entry.audit for entry in group]) > 1 else ''}{limits[0]}; figures are floors."


def _bars(group: Sequence[Entry], width: int) -> Table:
    table, size = _table(), max(24, min(width - 48, 50))
    table.add_column("E, strongest attacker", no_wrap=True, max_width=30)
    table.add_column(_axis(group[0].audit.tolerance, size), no_wrap=True)
    table.add_column("")
    for entry in group:
        value = entry.attribute.figures.excess.value
        table.add_row(*_texts(entry.name, _bar(value, entry.audit.tolerance, size), _figures.three(value)))
    return table


def _differences(comparison: Comparison, names: dict[str, str], entry: Entry, width: int) -> Table:
    table = _table()
    rows = f"same {comparison.rows} rows" if comparison.paired else "unpaired"
    first, second = names[comparison.first], names[comparison.second]
    table.add_column(rows, no_wrap=True)
    table.add_column(first, justify="right", no_wrap=True, max_width=14)
    table.add_column(second, justify="right", no_wrap=True, max_width=14)
    table.add_column("difference [95 %]", no_wrap=True)
    table.add_column("the data can tell" if width >= WIDE else "tells", no_wrap=True, max_width=40)
    task = entry.audit.utility.target if entry.audit.utility else ""
    for part in comparison.differences:
        unit = _measures.unit(part.figure)
        head = _measures.label(part.figure, private=entry.attribute.private, target=task)
        shown = " ".join(_figures.change(part))
        figures = (_figures.figure(part.first, unit), _figures.figure(part.second, unit))
        tells = _words.tells(part, first, second)
        tells = tells if width >= WIDE else tells.partition(",")[0]
        table.add_row(*_texts(head, *figures, shown, tells))
    return table


def _ending(report: Report, found: Sequence[Entry]) -> Iterator[Padding]:
    several = len(report.audits) > 1
    lines = list(_besides(report)) if several else []
    if not several and report.audits[0].utility:
        lines.append(("Task", _words.utility_said(report.audits[0].utility)))
    whose = {audit.name: said for audit in report.audits if (said := _words.unmeasured(audit))}
    lines += [("Its own task", f"{name}: {said}" if several else said) for name, said in whose.items()]
    lines.append(("Controls", _words.controls_said(found)))
    if said := _words.papers_said(found):
        lines.append(("Papers", f"{said} Kept for comparison, never decides."))
    lines += [("Prepared", way) for way in _words.prepared(report)]
    lines += [("Note", note) for note in _words.noted(report)]
    lines.append(("Not tested", _annex.short(report)))
    lines += [("Gate", f"{gate.gate}: {gate.outcome}, {gate.reason}") for gate in report.gates]
    yield Padding(_lined(lines), (0, 0, 0, 2))


def _lined(lines: Iterable[tuple[str, str]]) -> Table:
    """Labels and what is said of them; blocks of it stand in line with each other."""
    table = _table()
    table.show_header = False
    table.add_column(no_wrap=True, min_width=LABEL)
    table.add_column()
    for line in lines:
        table.add_row(*_texts(*line))
    return table


def _besides(report: Report) -> Iterator[tuple[str, str]]:
    """What is said of several models in one line each: labels needed, and what erasing leaves of a pair."""
    for _, group in _entries.questions(report):
        for label, said in SAID:
            yield from ((label, f"{entry.label}: {words}") for entry in group if (words := said(entry)))
        if learned := [entry for entry in group if entry.attribute.learning]:
            yield "Labels", _further.shows(learned)
        for entry in group if len(group) <= PAIR else ():
            if words := _further.erased(entry):
                yield "Erased", f"{entry.label}: {words}"


def _lines(entry: Entry) -> Iterator[tuple[str, str]]:
    """Labels and words of what is said of every entry."""
    part = entry.attribute
    yield from _further.further(entry)
    seen = [
        f"{_words.SEES.get(one.baseline, (one.baseline,))[0]} {_figures.three(one.figures.excess.value)}"
        for one in part.baselines
        if one.figures and one.baseline not in ("majority", "target-only", "leace")
    ]
    if seen:
        yield "Baselines", f"E from {', '.join(seen)}"
    if part.reconstruction:
        read = part.reconstruction.private.private_accuracy
        yield "Rebuilt", f"{_figures.percent(read.value)} % {_figures.bounds(read, of='%')} named from rebuilt images"


def _e(figures: Figures) -> str:
    return f"{_figures.three(figures.excess.value)} {_figures.bounds(figures.excess)}"


def _bar(value: float, tolerance: float, size: int) -> str:
    """E from 0 to 1, with the tolerance where it lies."""
    end, mark = _place(value, size), _place(tolerance, size)
    cells = ["━" if i < end else " " for i in range(size)]
    cells[mark] = "┊"
    cells[end] = "●"
    return "".join(cells)


def _axis(tolerance: float, size: int) -> str:
    cells = [" "] * size
    cells[-1] = "1"
    cells[_place(tolerance, size)] = "τ"
    cells[0] = "0"
    return "".join(cells)


def _place(value: float, size: int) -> int:
    return round(max(0.0, min(1.0, value)) * (size - 1))


def _table() -> Table:
    return Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False, header_style="", expand=False)


def _texts(*cells: str) -> tuple[Text, ...]:
    return tuple(Text(cell) for cell in cells)


def _prose(words: str) -> Padding:
    return Padding(Text(words), (0, 0, 0, 2))
