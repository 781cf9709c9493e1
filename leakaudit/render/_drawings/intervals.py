"""E of every model against the tolerance: the figure that decides, one row per model and attribute."""

from collections.abc import Sequence

from leakaudit.render import Report, _entries, _figures
from leakaudit.render._drawings import forest, svg
from leakaudit.render._drawings.drawing import Drawing
from leakaudit.render._drawings.forest import Row
from leakaudit.render._entries import Entry

KEPT = 3
"""Models that stand in the order given; more stand by E, the least first."""
WORDS = {
    "above": "above the tolerance",
    "across": "across the tolerance",
    "under": "under the tolerance",
    "open": "left open, with groups too few for a bound",
}


def draw(report: Report) -> tuple[Drawing, ...]:
    """One figure, of all models and attributes."""
    asked = _entries.questions(report)
    rows: list[Row] = []
    for private, group in asked:
        if len(asked) > 1:
            rows.append(Row(private, group[0], None, marked=False))
        rows += [Row(entry.name, entry, entry.attribute.figures.excess, forest.word(entry)) for entry in ordered(group)]
    body, high = forest.drawn(rows)
    private = _figures.joined([private for private, _ in asked])
    title = f"E of the {private} against the tolerance"
    said = " ".join(told(group) for _, group in asked)
    drawn = svg.svg(forest.WIDE, high, body, kind="pic", title=title, desc=said, name="intervals")
    return (Drawing("intervals", "intervals", private, title, caption(said, _entries.entries(report)), drawn),)


def ordered(group: Sequence[Entry]) -> list[Entry]:
    """Few models in the order given, many by E."""
    if len(group) <= KEPT:
        return list(group)
    return sorted(group, key=lambda entry: entry.attribute.figures.excess.value)


def told(group: Sequence[Entry]) -> str:
    """How many models lie where, in one sentence; of few, which."""
    parts = []
    for word, words in WORDS.items():
        there = [entry.name for entry in group if forest.word(entry) == word]
        if there:
            who = _figures.joined(there) if len(there) <= KEPT else f"{len(there)} models"
            parts.append(f"{words} for {who}")
    return f"E of the {group[0].attribute.private} lies {_figures.joined(parts)}."


def caption(said: str, found: Sequence[Entry]) -> str:
    """What is seen, and how it is drawn."""
    taus = _figures.joined([_figures.tau(tolerance) for tolerance in forest.taus(found)])
    return (
        f"{said} E is the share of what could be read beyond what the target tells: 0 is guessing, 1 is always right. "
        f"Each bar is the two-sided 95 % interval of the attacker that decides; dashed: τ {taus}. Above and under mean "
        "that the whole interval lies there; across, that τ lies in it."
    )
