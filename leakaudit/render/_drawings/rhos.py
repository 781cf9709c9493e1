"""Models that were trained with several values of rho: which method, which rho, and what their seeds say together."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from leakaudit.render import _figures
from leakaudit.render._entries import Entry
from leakaudit.stats import Interval

KNOB = re.compile(r"[:,]rho=(\d+(?:\.\d+)?(?:e-?\d+)?)(?=,|$)")
FEW = 4
"""Methods of which each is spoken of with its figures."""


class Trained(NamedTuple):
    """One model, with how it was trained."""

    method: str
    rho: float
    entry: Entry


class Family(NamedTuple):
    """The models of one method."""

    method: str
    place: int
    """Which method of the figure: colour and shape."""
    models: tuple[Trained, ...]

    @property
    def rhos(self) -> list[float]:
        """The values of rho that it was trained with."""
        return sorted({model.rho for model in self.models})

    def at(self, rho: float) -> list[Entry]:
        """Its models of one rho: one per seed."""
        return [model.entry for model in self.models if model.rho == rho]

    def mean(self, rho: float, figure: Callable[[Entry], float]) -> float:
        """The mean of a figure over the seeds of one rho."""
        values = [figure(entry) for entry in self.at(rho)]
        return sum(values) / len(values)


def families(group: Sequence[Entry]) -> list[Family]:
    """The models by method, in the order given; none where there are not two values of rho."""
    known = [(entry, rho) for entry in group if (rho := trained_with(entry)) is not None]
    if len({rho for _, rho in known}) < 2:  # noqa: PLR2004 (nothing to compare)
        return []
    whole = {(str(entry.audit.subject.get("method", "?")), rho) for entry, rho in known}
    bare = [(name.partition(":")[0], rho) for name, rho in whole]
    twice = {name for name, rho in bare if bare.count((name, rho)) > 1}
    models = [Trained(_method(entry, twice), rho, entry) for entry, rho in known]
    methods = list(dict.fromkeys(model.method for model in models))
    return [
        Family(method, place, tuple(model for model in models if model.method == method))
        for place, method in enumerate(methods)
    ]


def trained_with(entry: Entry) -> float | None:
    """The rho of the data that the model was trained on, as the audit says; None where it does not."""
    changed = entry.audit.subject.get("overrides")
    said = changed.get("dataset.rho") if isinstance(changed, dict) else None
    if isinstance(said, (int, float)):
        return float(said)
    found = KNOB.search(str(entry.audit.subject.get("trained_on", "")))
    return float(found[1]) if found else None


def values(found: Sequence[Family]) -> list[float]:
    """Every rho, the least first."""
    return sorted({rho for family in found for rho in family.rhos})


def written(rho: float) -> str:
    """A rho as it is typed."""
    return f"{rho:g}"


def excess(entry: Entry) -> Interval:
    """E of the attacker that decides."""
    return entry.attribute.figures.excess


def told(found: Sequence[Family]) -> str:
    """What becomes of E from the least rho to the largest, by method, as far as the data can tell."""
    private = found[0].models[0].entry.attribute.private
    ways: dict[str, list[str]] = {"rises": [], "falls": [], "does not change by more than the intervals": []}
    for family in found:
        if len(family.rhos) > 1:
            ways[_way(family)].append(_figured(family) if len(found) <= FEW else family.method)
    parts = [f"{way} for {_figures.joined(who)}" for way, who in ways.items() if who]
    if not parts:
        return f"No method was trained with two values of rho: what rho does to the {private}, these models do not say."
    first, last = values(found)[0], values(found)[-1]
    return f"From rho {written(first)} to {written(last)}, E of the {private} {'; it '.join(parts)}."


def _way(family: Family) -> str:
    """The ends are apart where all intervals of one lie above all of the other."""
    first, last = ([excess(entry) for entry in family.at(rho)] for rho in (family.rhos[0], family.rhos[-1]))
    if min(part.low for part in last) > max(part.high for part in first):
        return "rises"
    if max(part.high for part in last) < min(part.low for part in first):
        return "falls"
    return "does not change by more than the intervals"


def _figured(family: Family) -> str:
    ends = [family.mean(rho, lambda entry: excess(entry).value) for rho in (family.rhos[0], family.rhos[-1])]
    return f"{family.method} ({_figures.three(ends[0])} to {_figures.three(ends[1])})"


def _method(entry: Entry, twice: set[str]) -> str:
    """The method's name; with its knobs where two kinds of it stand at one rho."""
    whole = str(entry.audit.subject.get("method", "?"))
    bare = whole.partition(":")[0]
    return whole if bare in twice else bare
