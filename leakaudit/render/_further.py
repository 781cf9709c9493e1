"""
What stands behind the verdict, a sentence for each figure that is known: tests, rows needed, ranking, what is left.

The forms differ in where they put a sentence, not in what it says.
"""

from collections.abc import Iterator, Sequence

from leakaudit import record
from leakaudit.audits import Attribute
from leakaudit.checkpoint import Agreement
from leakaudit.finding import Bottleneck, Memorisation, Operating, Regression
from leakaudit.render import _entries, _figures
from leakaudit.render._entries import Entry

SHOWN = 4
"""Private classes named one by one in a sentence; of more, the highest and the lowest."""
POINTS = 20
"""Attack seeds of which every point stands in a sentence; of more, the lowest and the highest."""
OF_SEEDS = (
    "the spread of attack seeds alone; the interval of E is that of test sampling, and training seeds are a third"
)


def further(entry: Entry) -> Iterator[tuple[str, str]]:
    """Label and sentence of every figure that this audit has beside E, accuracy and bits."""
    yield "Detected", detected(entry)
    for label, words in (
        ("Planted", sensitivity(entry)),
        ("Attack seeds", seeds(entry)),
        ("Memorisation", memorisation(entry)),
        ("Labels needed", labels(entry)),
        ("Worst stratum", worst(entry)),
        ("Ranking", ranking(entry)),
        ("Left over", left(entry)),
        ("Erased", erased(entry)),
        ("Drawn to", attracted(entry)),
        ("Pseudo-labels", guessed(entry)),
    ):
        if words:
            yield label, words
    for found in entry.attribute.regression:
        yield "As a number", regression(entry, found)


def detected(entry: Entry) -> str:
    """Both tests, what joins them, and the smallest E that these rows would show."""
    part = entry.attribute
    tests = both_tests(entry, brief=False)
    return f"{_figures.p_value(part.p)}{f': {tests}' * bool(tests)}; smallest detectable E {_figures.three(part.mde)}"


def both_tests(entry: Entry, *, brief: bool) -> str:
    """The p of each test by itself, and which statistic stood out; empty where one test alone was run."""
    part = entry.attribute
    if part.p_h is None:
        return ""
    drawn = f"{part.h_draws:,} permutations{_served(part)}" if part.h_draws else ""
    most = f"most by {part.h_family}" if part.h_family else ""
    more = ", ".join(filter(None, (drawn, most))) if not brief else ""
    own = f", chosen attacker {_figures.p_value(part.p_i)}" if part.p_i is not None else ""
    return f"permutation test {_figures.p_value(part.p_h)}{f' ({more})' * bool(more)}{own}"


def _served(part: Attribute) -> str:
    """Which rows the permutation test rests on, where they are others than the attack rows."""
    if part.h_rows in (0, part.rows.rows):
        return ""
    some = f"{part.h_rows:,} of {part.rows.rows:,} rows" if part.h_rows < part.rows.rows else f"{part.h_rows:,} rows"
    return f" of {some}"


def points(entry: Entry) -> list[tuple[str, float]]:
    """E of the nested winner by attack seed, the deciding one first, unless a decoder decides."""
    part, first = entry.attribute, entry.audit.provenance.get("seed")
    if not part.seeds:
        return []
    names = [str(first + i) if isinstance(first, int) else f"#{i + 1}" for i in range(len(part.seeds) + 1)]
    found = list(zip((f"{names[0]}, decides", *names[1:]), (part.figures.excess.value, *part.seeds), strict=True))
    return found[1:] if part.attacker.startswith("reconstruction") else found


def seeds(entry: Entry) -> str:
    """How far the attack itself scatters: its points, apart from what sampling and training scatter."""
    found = points(entry)
    if not found:
        return ""
    shown = found if len(found) <= POINTS else sorted(found, key=lambda point: point[1])
    said = [f"{_figures.three(value)} ({name})" for name, value in shown]
    said[0] = said[0].replace("(", "(seed ", 1)
    if len(found) > POINTS:
        said = [*said[:SHOWN], "...", *said[-SHOWN:]]
    return f"E {', '.join(said)}: {apart(found)} apart, {OF_SEEDS}"


def apart(found: Sequence[tuple[str, float]]) -> str:
    """The distance of the lowest and the highest point."""
    values = [value for _, value in found]
    return _figures.three(max(values) - min(values))


def memorisation(entry: Entry) -> str:
    """What is read from rows that the model was trained on, beside as many attack rows; or why nothing is known."""
    found = entry.attribute.memorisation
    if found is None:
        return entry.attribute.memorisation_note
    seen, unseen = found.trained, found.unseen
    read, other = (f"({_figures.percent(part.private_accuracy.value)} % named)" for part in (seen, unseen))
    return (
        f"E {_figures.with_bounds(seen.excess)} {read} on {found.rows:,} rows that it was trained on, "
        f"{_figures.with_bounds(unseen.excess)} {other} on as many attack rows of the same mix, both by "
        f"{'; '.join((found.attacker, *found.notes))}: {gap(found)}; no part of the verdict"
    )


def gap(found: Memorisation) -> str:
    """The memorisation gap in words."""
    change = found.gap
    if change.low > 0:
        return f"more is read from rows that it was trained on, by {_figures.with_bounds(change)}"
    if change.high < 0:
        lower = type(change)(-change.value, -change.high, -change.low)
        return f"less is read from rows that it was trained on, by {_figures.with_bounds(lower)}"
    return f"the gap of {_figures.with_bounds(change)} may be chance"


def sensitivity(entry: Entry) -> str:
    """The smallest planted leak of each shape that was found."""
    parts = [(part.shape.replace("xor", "XOR"), part) for part in entry.attribute.sensitivity]
    found = [f"{part.found:.2f} {shape}" for shape, part in parts if part.found is not None]
    missed = [f"{shape} not even at {part.ladder[-1][0]:.2f}" for shape, part in parts if part.found is None]
    words = f"leaks are found from E {', '.join(found)}" if found else ""
    return "; ".join(filter(None, (words, *missed)))


def labels(entry: Entry) -> str:
    """How many labelled rows an attacker needs before anything shows."""
    part = entry.attribute
    if not part.learning:
        return ""
    if not _entries.bounded(part.figures):
        return "not known: too few groups for bounds"
    most, rows = max(point.labels for point in part.learning), part.rows.rows
    if _entries.needed(part) is None:
        return f"more than the {most:,} that an attacker was given"
    return f"{_count(part)} of {rows:,}"


def _count(part: Attribute) -> str:
    """The labels needed; where the curve shows it from its first point on, no more than that."""
    assert part.labels_needed is not None
    word = "at most" if part.labels_needed == min(point.labels for point in part.learning) else "about"
    return f"{word} {_figures.about(part.labels_needed)}"


def shows(group: Sequence[Entry]) -> str:
    """From how many labelled rows on each model of one private attribute shows it."""
    private = group[0].attribute.private
    parts = [(entry.name, entry.attribute) for entry in group if _entries.bounded(entry.attribute.figures)]
    if not parts:
        return f"From how many labels on the {private} shows is not known: there are too few groups for bounds."
    found = [(name, _count(part)) for name, part in parts if _entries.needed(part)]
    never = [f"{max(point.labels for point in p.learning):,} of {name}" for name, p in parts if not _entries.needed(p)]
    if not found:
        return f"The {private} does not show after {_figures.joined(never)}: no attacker was given more labelled rows."
    after = [f"{count} of {name}" for name, count in found]
    if len(found) > SHOWN and len({count for _, count in found}) == 1:
        after = [f"{found[0][1]} of each of {len(found)} models"]
    after[0] = after[0].replace(" of ", " labelled rows of ", 1)
    words = f"The {private} shows after {_figures.joined(after)}"
    return f"{words}; not after {_figures.joined(never)}." if never else f"{words}."


def worst(entry: Entry) -> str:
    """The target class in which surely most is read."""
    cell, target = entry.attribute.worst, entry.attribute.target
    if cell is None or target is None:
        return ""
    return f"E {_figures.with_bounds(cell.excess)} where the {target} is {cell.target} ({cell.rows:,} rows)"


def ranking(entry: Entry) -> str:
    """AUC inside target classes, and how many rows are named at so few false positives."""
    part, figures = entry.attribute, entry.attribute.figures
    words = []
    if figures.auc is not None:
        inside = f" inside each {part.target}" if part.target else ""
        words.append(f"AUC {_figures.with_bounds(figures.auc, 'AUC')}{inside}")
    if figures.tpr:
        words.append(operating(figures.tpr))
    return "; ".join(words)


def operating(points: Sequence[Operating]) -> str:
    """True positive rates at their false positive rate, or why there are none."""
    known = sorted((p for p in points if p.value is not None), key=lambda p: -p.value.value if p.value else 0.0)
    at = f"at {100 * points[0].rate:g} % false positives"
    if not known:
        return f"{at}: {min(points, key=lambda point: point.negatives).note}"
    chosen = known if len(known) <= SHOWN else [known[0], known[-1]]
    named = [f"{_figures.with_bounds(point.value, '%')} of {point.private}" for point in chosen if point.value]
    more = f" ({len(known)} classes, highest and lowest)" if len(known) > SHOWN else ""
    refused = f"; refused for {len(points) - len(known)}" if len(known) < len(points) else ""
    return f"{at}: {_figures.joined(named)}{more}{refused}"


def left(entry: Entry) -> str:
    """E as a share of what the raw input holds, and above what an untrained encoder gives."""
    part, words = entry.attribute, []
    if part.share_of_raw is not None:
        words.append(f"{_figures.with_bounds(part.share_of_raw, '%')} of what the raw input holds")
    elif (share := _entries.still(part)) is not None:
        words.append(f"{_figures.percent(max(0.0, share))} % of what the raw input holds")
    if part.above_random is not None:
        words.append(above(entry))
    return "; ".join(words)


def above(entry: Entry) -> str:
    """E against that of an untrained encoder, on the same rows."""
    change = entry.attribute.above_random
    assert change is not None
    if change.low > 0:
        return f"E is {_figures.with_bounds(change)} above that of an untrained encoder"
    if change.high < 0:
        lower = type(change)(-change.value, -change.high, -change.low)
        return f"E is {_figures.with_bounds(lower)} below that of an untrained encoder"
    return f"E less that of an untrained encoder is {_figures.with_bounds(change)}: the data cannot tell them apart"


def erased(entry: Entry) -> str:
    """What is still read from the bottleneck once a hyperplane reads nothing."""
    found = _entries.baseline(entry.attribute, "leace")
    if found is None:
        return ""
    known = {one.attacker: one.figures.excess for one in found.readings}
    if not known and found.figures is not None:
        known = {found.attacker or "the strongest attacker": found.figures.excess}
    words, blind = [], False
    if linear := known.pop("linear", None):
        blind = linear.low <= 0
        words.append(f"a linear attacker {'is blind' if blind else 'still reads'} (E {_figures.with_bounds(linear)})")
    for attacker, excess in known.items():
        verb = "still reads" if excess.low > 0 else "shows nothing either," if blind else "shows nothing,"
        words.append(f"{attacker} {verb} E {_figures.with_bounds(excess)}")
    return f"after LEACE {'; '.join(words)}"


def attracted(entry: Entry) -> str:
    """How many misclassified rows lie nearest to another class's centroid, and how many share its private class."""
    part, found = entry.attribute, entry.attribute.bottleneck
    if found is None or not found.wrong:
        return ""
    nearest = f"lie nearest to the centroid of another {part.target}"
    if not found.away:
        return f"none of {found.wrong:,} misclassified rows {nearest}"
    how = f"{nearest}; {sharing(entry, found, ' in training' * found.trained)}"
    return f"{found.away:,} of {found.wrong:,} misclassified rows {how}"


def sharing(entry: Entry, found: Bottleneck, when: str = "") -> str:
    """How many of the rows nearest to another class's centroid have its dominant private class, and by chance."""
    private = entry.attribute.private
    if all(place.dominant is None for place in found.centroids if place.drawn):
        return f"no {private} dominates there{when} that could have drawn them"
    some = {0: "none of these has", 1: "1 of these has"}.get(found.shared, f"{found.shared:,} of these have")
    chance = f"{found.chance:.1f} ({_figures.p_value(found.p)})"
    return f"{some} the {private} that dominates it{when}, where chance gives {chance}"


def guessed(entry: Entry) -> str:
    """How well the private labels that the method made out agree with the truth; empty where it made out none."""
    subject = entry.audit.subject
    if subject.get("pseudo_labels") is None or subject.get("private") != entry.attribute.private:
        return ""
    found = record.from_json(Agreement, subject["pseudo_labels"], "subject.pseudo_labels")
    if found.information is None or found.accuracy is None:
        return f"no training row with a known {entry.attribute.private} to compare them with"
    conflict = found.conflicting_accuracy
    hard = (
        f" ({_figures.percent(conflict)} % of the {found.conflicting:,} that conflict)" if conflict is not None else ""
    )
    private = entry.attribute.private
    return (
        f"{_figures.percent(found.accuracy)} % of {found.rows:,} training rows agree with the {private} "
        f"that the method was not shown, after matching names{hard}; adjusted mutual information "
        f"{_figures.three(found.information)}"
    )


def regression(entry: Entry, found: Regression) -> str:
    """How far guesses of a continuous attribute are off, beside naming what is usual for the target."""
    target = entry.attribute.target
    usual = f"the usual value of its {target}" if target else "the usual value"
    bits = f"; {_figures.with_bounds(found.bits, 'bits')} bits on bins" if found.bits is not None else ""
    return (
        f"{found.attacker} is off by {_figures.with_bounds(found.mae, 'any')}, {usual} by "
        f"{_figures.number(found.mae_target)}: {_figures.with_bounds(found.gain, 'any')} nearer; "
        f"R² beyond it {_figures.with_bounds(found.r2, 'bits')}{bits}"
    )
