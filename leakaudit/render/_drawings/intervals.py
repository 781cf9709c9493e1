"""E of every model against the tolerance: the figure that decides, with its interval, one row per model."""

from collections.abc import Sequence

from leakaudit.render import Report, _entries, _figures
from leakaudit.render._drawings import forest, svg
from leakaudit.render._drawings.drawing import Drawing, stems
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
    """One figure per private attribute."""
    asked = _entries.questions(report)
    names = stems("intervals", [private for private, _ in asked])
    return tuple(_drawing(name, private, group) for name, (private, group) in zip(names, asked, strict=True))


def told(group: Sequence[Entry]) -> str:
    """How many models lie where, in one sentence; of few, which."""
    parts = []
    for word, words in WORDS.items():
        there = [entry.name for entry in group if forest.word(entry) == word]
        if there:
            who = _figures.joined(there) if len(there) <= KEPT else f"{len(there)} models"
            parts.append(f"{words} for {who}")
    return f"E of the {group[0].attribute.private} lies {_figures.joined(parts)}."


def caption(group: Sequence[Entry]) -> str:
    """What is seen, and how it is drawn."""
    taus = _figures.joined([_figures.tau(tolerance) for tolerance in forest.taus(group)])
    order = " The least E stands first." if len(group) > KEPT else ""
    return (
        f"{told(group)} E is the share of what could be read beyond what the target tells: 0 is guessing, 1 is always "
        f"right. Each bar is the two-sided 95 % interval of the attacker that decides; dashed: τ {taus}. "
        f"Above and under mean that the whole interval lies there; across, that τ lies in it.{order}"
    )


def _drawing(name: str, private: str, group: Sequence[Entry]) -> Drawing:
    order = group if len(group) <= KEPT else sorted(group, key=lambda entry: entry.attribute.figures.excess.value)
    rows = [Row(entry.name, entry, entry.attribute.figures.excess, forest.word(entry)) for entry in order]
    body, high = forest.drawn(rows)
    title = f"E of the {private} against the tolerance"
    drawn = svg.svg(forest.WIDE, high, body, kind="pic", title=title, desc=told(group), name=name)
    return Drawing(name, "intervals", private, title, caption(group), drawn)
