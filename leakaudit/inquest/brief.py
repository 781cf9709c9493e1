"""The brief of an attack: what is asked, drawn up from the subject and from what else the auditor holds."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64, UInt64

from leakaudit import catalog, protocol, stats
from leakaudit.attackers import Rows
from leakaudit.catalog import Call
from leakaudit.embeddings import Embeddings
from leakaudit.errors import InputError
from leakaudit.inquest.arena import Arena, Case
from leakaudit.inquest.baselines import AFTER, READERS, model_output
from leakaudit.inquest.beyond import Drawn
from leakaudit.inquest.contest import Entrant, entrants
from leakaudit.inquest.exhibits import Exhibits, together
from leakaudit.inquest.questions import Paper, Plan
from leakaudit.labels import Labelled, recoded
from leakaudit.protocol import AUXILIARIES, DECIDERS


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What holds for every attribute."""

    target: str | None
    auxiliaries: tuple[str, ...]
    exhibits: Exhibits
    left_out: tuple[str, ...]
    """Attackers of the suite that were not asked for, or not with their default knobs."""
    projection: str = "pca"
    """The plane of the bottleneck plot: one of `planes.NAMES`."""


def lined(
    private: tuple[str, ...], attackers: tuple[Call, ...], auxiliaries: tuple[str, ...], tolerance: float, seeds: int
) -> tuple[Entrant, ...]:
    """
    The attackers of these calls.

    Raises:
        InputError: there is no such attacker or auxiliary, none decides, or what is asked makes no sense.
    """
    for name in auxiliaries:
        if name not in AUXILIARIES:
            raise InputError(f"no auxiliary {name!r}. {catalog.suggest(name, AUXILIARIES)}")
    if not private or len(set(private)) < len(private):
        raise InputError(f"--private {' '.join(private)}: one or more labels expected, each once")
    if not 0 < tolerance < 1:
        raise InputError(f"--tolerance {tolerance:g}: a number between 0 and 1 expected")
    if seeds < 1:
        raise InputError(f"--seeds {seeds}: at least 1 expected")
    found = entrants(attackers)
    if not any(each.decides for each in found):
        given = ", ".join(map(str, attackers)) or "none"
        raise InputError(f"attackers {given}: none of them decides; add {' or '.join(DECIDERS)}")
    return found


def drawn(
    subject: Embeddings, chosen: Mapping[str, Labelled], terms: Terms, attacking: tuple[Entrant, ...],
    attackers: tuple[Call, ...], tolerance: float, seeds: tuple[int, int], device: str,
    *, whole: Drawn | None = None,
) -> Plan:  # fmt: skip
    """
    What is asked about these attributes; of `seeds` the first decides, the second says how many there are.

    `whole` is the file of which the subject is a sample.

    Raises:
        InputError: the scored rows say nothing of an attribute beyond the target.
    """
    (seed, count), first = seeds, next(iter(chosen.values()))
    part, y, strata = subject.take(first.rows), first.target.codes, len(first.target.classes)
    fingerprint = subject.origin.fingerprint
    private = np.stack([rows.private.codes for rows in chosen.values()])
    group, grouped = together(part, np.concatenate([private, y[None]]))
    folds, *again = (
        protocol.folds(y, private, group, protocol.chance(fingerprint, seed + i, "folds")) for i in range(count)
    )
    arena = Arena(part.z, y, strata, group, folds, seed, device)
    if not arena.x.shape[1]:
        raise InputError(
            f"{subject.origin.name}: z is the same in all {len(part)} attack rows: there is nothing to read"
        )
    if whole is not None and len(folds) == 1:
        arena = replace(arena, beyond=whole.beyond(terms.target, first.target, first.rows[folds[0].test], device))
    exhibits = terms.exhibits
    papers, tables, cases = {}, {}, []
    for name, rows in chosen.items():
        shape = strata, len(rows.private.classes)
        if exhibits.table is not None and exhibits.table.shape == shape:
            tables[name] = exhibits.table
        if "paper" in terms.auxiliaries and (paper := _paper(rows, part.ids, name, terms.target, exhibits)):
            papers[name] = paper
        usual = tables[name].argmax(axis=1) if name in tables else None
        if usual is None and name in papers:
            usual = stats.tabulate(papers[name].rows.target, papers[name].labels, *shape).argmax(axis=1)
        case = Case(
            name, arena, rows.private.codes, shape[1], grouped, usual, fingerprint,
            draws=max(999, 100 * len(chosen) - 1), names=rows.private.classes, values=rows.private.values,
            everywhere=None if arena.beyond is None or whole is None else whole.codes(name, rows.private),
        )  # fmt: skip
        _scorable(case, subject.origin.name, terms.target)
        cases.append(case)
    own = [call for call in attackers if call.name in READERS] or [Call(name, {}) for name in READERS]
    return Plan(
        arena=arena,
        cases=tuple(cases),
        attackers=attacking,
        readers=entrants(own),
        after=entrants([Call(name, {}) for name in AFTER]),
        auxiliaries=terms.auxiliaries,
        tables=tables,
        papers=papers,
        features=_features(subject, part, first.rows, exhibits),
        tolerance=tolerance,
        again=tuple(again),
    )


def _scorable(case: Case, where: str, target: str | None) -> None:
    """Refuse where the scored rows say nothing beyond the target."""
    rows = case.scored
    table = stats.tabulate(case.arena.target[rows], case.private[rows], case.arena.strata, case.classes)
    if not stats.covered(table).any():
        raise InputError(
            f"{where}: {case.name!r} is a function of {target!r} in the {len(rows)} scored rows of "
            f"{case.known.sum()}: too few rows in which they disagree"
        )


def _features(
    subject: Embeddings, part: Embeddings, rows: Int64[np.ndarray, " n"], exhibits: Exhibits
) -> dict[str, Float32[np.ndarray, "n p"] | str]:
    """What the baselines are read from, or why they do not apply."""
    why = exhibits.absent
    features: dict[str, Any] = {
        "model-output": "there are no logits" if part.logits is None else model_output(part.logits),
        "random-init": why.get("random_init", "there is no model"),
        "raw-input": why.get("raw", "there are no images"),
    }
    for kind, x in (
        ("random-init", None if exhibits.random_init is None else exhibits.random_init.z),
        ("raw-input", exhibits.raw),
    ):
        if x is not None:
            assert len(x) == len(subject), "a baseline has the subject's rows"
            features[kind] = x.reshape(len(x), -1)[rows]
    return features


def _paper(
    rows: Labelled, attacked: UInt64[np.ndarray, " m"], name: str, target: str | None, exhibits: Exhibits
) -> Paper | None:
    """Training rows of known classes, without the images that are attacked."""
    if exhibits.paper is None:
        return None
    z = exhibits.paper.z
    v = recoded(exhibits.paper.column(name), rows.private)
    y = np.zeros(len(z), np.int64) if target is None else recoded(exhibits.paper.column(target), rows.target)
    known = (v >= 0) & (y >= 0) & ~np.isin(exhibits.paper.ids, attacked)
    if not known.any():
        return None
    seen = Rows(z[known], y[known], len(rows.target.classes), np.arange(int(known.sum())))
    return Paper(seen, v[known], entrants([Call("linear-sgd", {})])[0])
