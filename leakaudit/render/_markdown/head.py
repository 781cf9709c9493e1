"""What is read without unfolding anything: verdicts, gates, the four figures, which leaks less, limits."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from leakaudit.finding import WORST_FIRST
from leakaudit.render import Report, _annex, _entries, _figures, _measures, _words
from leakaudit.render._entries import Entry
from leakaudit.render._inert import code, table, text

BAR = 20
"""Letters of a drawn E."""
NEVER = 100
"""Of what is never let go of."""
MOST = 300
"""Letters of a reason where there are many."""
ROWS = 20
"""Models and attributes whose figures are shown where there are too many."""

Part = tuple[tuple[str, float], ...]
"""A part in its forms, the fullest first, each with how hard it is let go of; an empty one leaves it out."""


def parts(report: Report, found: Sequence[Entry], names: Mapping[str, str]) -> Iterator[Part]:
    """The parts of the head, in the order in which they are read."""
    yield (
        (f"## {report.verdict}: {text(_words.verdicts(report))}", 90),
        (f"## {report.verdict}: {_tally(found)}", NEVER),
    )
    yield _warnings(report)
    yield _gates(report)
    for private, group in _entries.questions(report):
        yield ((_figures_of(private, group, report), 60), ("", NEVER))
    worst = sorted(found, key=lambda one: (WORST_FIRST.index(one.attribute.verdict), -one.attribute.upper))[:ROWS]
    few = [[*_row(entry, report)[:2], *_row(entry, report)[3:5], text(entry.attribute.private)] for entry in worst]
    if len(found) > ROWS:
        heads = ["model", "verdict", "E [95 %]", "UCB*", "attribute"]
        yield (("", 59), (f"{table(heads, few)}\n\nThe worst {len(few)} of {len(found)}.", NEVER))
    yield _items(report, found, names)


def _tally(found: Sequence[Entry]) -> str:
    count = Counter(entry.attribute.verdict for entry in found)
    return f"{len(found)} verdicts: {', '.join(f'{word} {count[word]}' for word in WORST_FIRST if count[word])}"


def _warnings(report: Report) -> Part:
    said = [f"> [!WARNING]\n> {text(words.rstrip('.'))}." for words in _words.warned(report)]
    if not said:
        return (("", NEVER),)
    short = [f"> [!WARNING]\n> {text(words[:MOST])}" for words in _words.warned(report)]
    first = f"{short[0]}\n>\n> One of {len(said)} warnings; the document holds all."
    return (("\n\n".join(said), 80), ("\n\n".join(short), 85), (first, NEVER))


def _gates(report: Report) -> Part:
    """Every gate; of many those that did not pass and how many there are; what failed stands first."""
    if not report.gates:
        return (("", NEVER),)
    order = ("failed", "open", "passed")
    worst = sorted(report.gates, key=lambda gate: order.index(gate.outcome))
    said = [f"- Gate {code(gate.gate)}: **{gate.outcome}**, {text(gate.reason[:MOST])}." for gate in worst]
    count = Counter(gate.outcome for gate in report.gates)
    tally = f"- {len(said)} gates: {', '.join(f'{count[how]} {how}' for how in order if count[how])}."
    loose = [line for line, gate in zip(said, worst, strict=True) if gate.outcome != "passed"]
    return (
        ("\n".join(said), 70),
        ("\n".join([*loose, tally]), 82),
        ("\n".join([*said[:3], tally]), NEVER),
    )


def _figures_of(private: str, group: Sequence[Entry], report: Report) -> str:
    """The four figures of each model, beside guessing."""
    tolerance, chance = group[0].audit.tolerance, 1 / len(group[0].attribute.classes)
    target = next((entry.audit.utility.target for entry in group if entry.audit.utility), "target")
    labels = {figure: _measures.label(figure, private=private, target=target) for figure in _measures.BY_NAME}
    rows = [_row(entry, report) for entry in group]
    rows.append(["guessing", "", _bar(0, tolerance), "0", "", _figures.percent(chance), "", "", "", ""])
    heads = [
        "model", "verdict", f"E from 0 to 1, `┊` is τ {_figures.tau(tolerance)}", "E [95 %]", "UCB*",
        *(text(labels[figure]) for figure in ("private_accuracy", "share_of_raw", "above_random", "target_accuracy")),
        "rank",
    ]  # fmt: skip
    keep = [i for i in range(len(heads)) if any(row[i] for row in rows)]
    right = [keep.index(i) for i in (3, 4, 5, 6, 7, 8) if i in keep]
    return table([heads[i] for i in keep], [[row[i] for i in keep] for row in rows], right)


def _row(entry: Entry, report: Report) -> list[str]:
    part, task = entry.attribute, entry.audit.utility
    read, _, share, above = map(_shown, _entries.headlines(part))
    places = [place for one in report.rankings if one.private == part.private for place in one.places]
    rank = next((place for place in places if place.name == entry.audit.name), None)
    ranked = "" if rank is None else f"{rank.best}" if rank.best == rank.worst else f"{rank.best} to {rank.worst}"
    return [
        text(entry.audit.name), f"**{part.verdict}**", _bar(part.figures.excess.value, entry.audit.tolerance),
        _figures.with_bounds(part.figures.excess), _figures.three(part.upper), read, share, above,
        _figures.percent(task.accuracy.value) if task else "", ranked,
    ]  # fmt: skip


def _shown(one: _entries.Headline) -> str:
    if one.value is None:
        never, _, why = one.note[:MOST].partition("does not apply: ")
        return f"does not apply ({text(why)})" if why and not never else f"not known: {text(one.note[:MOST])}"
    unit = _measures.unit(one.figure)
    bounds = f" {_figures.bounds(one.interval, of=unit)}" if one.interval else ""
    return f"{_figures.figure(one.value, unit)}{bounds}"


def _items(report: Report, found: Sequence[Entry], names: Mapping[str, str]) -> Part:
    """What can and what cannot be told, why, and within what limits."""
    ranked = [f"- {text(_named(part.sentence, names))}" for part in report.rankings]
    told = [f"- {text(_words.told(part, dict(names)))}" for part in report.comparisons]
    seed = ["- Cannot be told: whether the method or the training seed did it; each is one checkpoint."]
    seed *= bool(report.comparisons) and _words.models(report.audits) > 1
    unmeasured = {audit.name: said for audit in report.audits if (said := _words.unmeasured(audit))}
    own = [f"- **Its own task**, {text(name)}: {text(said)}." for name, said in unmeasured.items()]
    why = [f"- **Why**, {text(entry.label)}: {text(entry.attribute.reason.rstrip('.'))}." for entry in found]
    limits = list(dict.fromkeys(f"- **Limits:** {text(_words.limits(entry))}" for entry in found))
    controls = [f"- **Controls:** {text(_words.controls_said(found)[:MOST])}"]
    last = [f"- **Not tested:** {text(_annex.short(report))}."]
    return (
        ("\n".join([*ranked, *told, *seed, *own, *why, *limits, *controls, *last]), 55),
        ("\n".join([*ranked, *seed, *(line[:MOST] for line in limits[:1] if "`" not in line), *controls, *last]), 75),
        ("\n".join([*seed, *controls, *last]), NEVER),
    )


def _named(words: str, names: Mapping[str, str]) -> str:
    for long in sorted(names, key=len, reverse=True):
        words = words.replace(long, names[long])
    return words


def _bar(value: float, tolerance: float) -> str:
    end, mark = (round(max(0.0, min(1.0, part)) * (BAR - 1)) for part in (value, tolerance))
    cells = ["━" if i < end else "─" for i in range(BAR)]
    cells[mark] = "┊"
    cells[end] = "●"
    return f"`{''.join(cells)}`"
