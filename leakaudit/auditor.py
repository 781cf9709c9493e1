"""The auditor: runs the verbs in order, from whatever SUBJECT is to the audit document."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from leakaudit import archive, audits, catalog, extract, gate, outcomes, provenance, reconstruct, store
from leakaudit import attack as attacking
from leakaudit.audits import Audit
from leakaudit.catalog import Call
from leakaudit.checkpoint import Checkpoint
from leakaudit.comparison import judging
from leakaudit.dataset import Dataset
from leakaudit.embeddings import Embeddings
from leakaudit.encoder import Encoder
from leakaudit.errors import InputError
from leakaudit.inquest.beyond import LEAST, NUMBERS, draw
from leakaudit.inquest.exhibits import Exhibits, renamed, reordered
from leakaudit.network import UndrawnError
from leakaudit.numerics import device as devices
from leakaudit.origins import Traits
from leakaudit.outcomes import Outcomes
from leakaudit.passes import Make, Way, alone
from leakaudit.subject import Subject, Terms, find

LIES = "z lies on disk"
BINS = 5
"""Quantile bins that decide for a continuous private attribute."""

__all__ = ["attack", "attack_each", "find", "folder", "helped", "rebuild", "rows", "together"]


def attack(
    subject: Subject, terms: Terms, attackers: tuple[Call, ...], auxiliaries: tuple[str, ...]
) -> Generator[Any, None, tuple[Audit, Path]]:
    """Extract what is missing, attack, and leave the audit document in the store."""
    found = yield from rows(subject, terms)
    seen = subject
    if found.lying is not None and subject.dataset is not None:  # what stands beside them is of the sample as well
        drawn = draw(found, terms.private, terms.target or subject.target, terms.seed)
        seen = replace(subject, dataset=subject.dataset.take(drawn.rows))
    exhibits = yield from _exhibits(seen, terms, auxiliaries)
    if exhibits.raw is not None and seen.dataset is not None:
        found = replace(found, notes=(*found.notes, *extract.reduced(exhibits.raw, seen.dataset)))
    beside = [other.notes for other in (exhibits.paper, exhibits.studied) if other is not None]
    found = replace(found, notes=(*found.notes, *(note for notes in beside for note in notes if LIES in note)))
    with devices.threads(len(found) * found.z.shape[1]):
        audit, marks = yield from attacking.attack(
            found,
            private=terms.private,
            target=terms.target or subject.target,
            attackers=attackers,
            auxiliaries=auxiliaries,
            exhibits=exhibits,
            tolerance=terms.tolerance,
            seed=terms.seed,
            device=terms.device,
            seeds=terms.seeds,
            prepared=provenance.prepared(subject),
            projection=terms.projection,
        )
    what = [[str(call) for call in attackers], auxiliaries, terms.seeds, *["memorisation"] * terms.memorisation]
    return _leave(audit, marks, (subject, found), terms, ["attack", what])


def attack_each(
    subject: Subject, terms: Terms, attackers: tuple[Call, ...], auxiliaries: tuple[str, ...]
) -> Generator[Any, None, list[Path]]:
    """`attack`, of each layer that is read apart; all layers are extracted in one pass."""
    yield from together(subject, terms)
    left = []
    for part in subject.apart():
        left.append((yield from attack(part, terms, attackers, auxiliaries))[1])  # noqa: PERF401 (it yields)
    return left


def together(subject: Subject, terms: Terms, make: Make = alone) -> Generator[Any, None, list[Embeddings]]:
    """The embeddings of each layer that is read, of all in one pass where they are several; made by `make`."""
    parts = subject.apart()
    _foreseen(subject, terms)
    if len(parts) > 1 and subject.encoder is not None and subject.dataset is not None:
        yield from extract.together(subject.encoder, subject.dataset, store=terms.store, make=make, **_how(terms))
    found = []
    for part in parts:
        found.append((yield from rows(part, terms, make)))  # noqa: PERF401 (it yields)
    return found


def helped(subject: Subject, terms: Terms) -> tuple[Traits, Way]:
    """
    How this process passes a share of the rows of an extraction that another one leads.

    Raises:
        InputError: there are no images to pass.
    """
    _foreseen(subject, terms)
    if subject.encoder is None or subject.dataset is None:
        raise InputError(f"{subject.typed}: these are embeddings already; leakaudit attack reads them as they are")
    return extract.helped(subject.encoder, subject.dataset, **_how(terms))


def rebuild(subject: Subject, terms: Terms, decoder: Call) -> Generator[Any, None, tuple[Audit, Path]]:
    """Extract what is missing, reconstruct, and leave the audit document in the store."""
    if subject.dataset is None:
        raise InputError(
            "reconstruct: embeddings alone hold no images; a checkpoint or weights file with --data expected"
        )
    found = yield from rows(subject, terms)
    known = subject.checkpoint
    exhibits = Exhibits() if known is None else Exhibits(trained=known.trained, contents=known.contents)
    found = replace(found, notes=(*found.notes, *renamed(found, exhibits)))
    unseen = np.flatnonzero(~found.among(exhibits.trained, exhibits.contents)).astype(np.int64)
    audit, marks = yield from reconstruct.reconstruct(
        found.take(unseen),
        subject.dataset.take(unseen).images,
        private=terms.private,
        target=terms.target or subject.target,
        decoder=decoder,
        tolerance=terms.tolerance,
        seed=terms.seed,
        device=terms.device,
        with_images=terms.with_images,
    )
    return _leave(audit, marks, (subject, found), terms, ["reconstruct", str(decoder), terms.with_images])


def rows(subject: Subject, terms: Terms, make: Make = alone) -> Generator[Any, None, Embeddings]:
    """The embeddings of the attack rows, extracted where the store lacks them."""
    _foreseen(subject, terms)
    if subject.embeddings is not None:
        found = subject.embeddings
    else:
        assert subject.encoder is not None
        assert subject.dataset is not None
        found = yield from _extract(subject.encoder, subject.dataset, terms, make)
        if found.contents is None:  # of fresh weights, beside which none are kept
            found = replace(found, contents=subject.dataset.contents)
    return _grouped(found, terms.group)


def _foreseen(subject: Subject, terms: Terms) -> None:
    """Refuse labels that there are not, and gates that can decide nothing, before anything is computed."""
    target = terms.target or subject.target
    held = subject.dataset if subject.embeddings is None else subject.embeddings
    assert held is not None
    for name in filter(None, (*terms.private, target)):
        held.column(name)
    classes = {name: held.column(name).classes for name in terms.private}
    gate.check(terms.gates, {name: len(names) or BINS for name, names in classes.items()})
    gate.check_past(terms.gates, classes, target)


def _grouped(found: Embeddings, name: str | None) -> Embeddings:
    """The rows in the groups of that name: those the data set has, or else those of a label column."""
    return found if name in (None, found.groups) else found.grouped(str(name))


def folder(made: Embeddings, terms: Terms) -> Path:
    """
    Where extracted embeddings lie.

    Raises:
        InputError: they are a stranger's file, of which nothing was extracted.
    """
    if not made.origin.key:
        raise InputError(f"{made.origin.name}: these are embeddings already; leakaudit attack reads them as they are")
    return terms.store / "embeddings" / made.origin.key / made.origin.split


def _extract(source: Encoder, dataset: Dataset, terms: Terms, make: Make = alone) -> Generator[Any, None, Embeddings]:
    return (yield from extract.extract(source, dataset, store=terms.store, make=make, **_how(terms)))


def _how(terms: Terms) -> extract.How:
    """How images pass through a network."""
    return {"device": terms.device, "batch_size": terms.batch_size, "amp": terms.amp}


def _fresh(source: Encoder, dataset: Dataset, terms: Terms) -> Generator[Any, None, Embeddings | str]:
    """The baseline of a random initialisation; or why there is none, of a graph or of code that keeps its weights."""
    try:
        found = yield from _extract(source.untrained(terms.seed), dataset, terms)
    except InputError as error:
        if source.kind != "onnx" and not isinstance(error, UndrawnError):
            raise
        return str(error)
    return found.take(np.arange(len(found))) if found.lying else found


def _exhibits(subject: Subject, terms: Terms, auxiliaries: tuple[str, ...]) -> Generator[Any, None, Exhibits]:
    """What else the auditor holds: baselines, training table, and rows coloured the papers' way."""
    absent: dict[str, str] = {}
    if terms.memorisation and subject.checkpoint is None:
        raise InputError("--memorisation: a checkpoint expected, which records the rows that it was trained on")
    if subject.encoder is None or subject.dataset is None:
        no_model = "embeddings alone: there is no model and no image here"
        reasons = dict.fromkeys(("trained", "table", "paper", "random_init", "raw"), no_model)
        return Exhibits(absent=reasons)
    fresh = yield from _fresh(subject.encoder, subject.dataset, terms)
    random_init = fresh if isinstance(fresh, Embeddings) else None
    if isinstance(fresh, str):
        absent["random_init"] = fresh
    pixels = extract.pixels(subject.dataset)
    card = subject.checkpoint
    if card is None:
        unknown = dict.fromkeys(("trained", "table", "paper"), "the training of this model is not known")
        return Exhibits(random_init=random_init, raw=pixels, absent=unknown | absent)
    table = card.table if (terms.target or card.recipe.target) == card.recipe.target else None
    if terms.private != (card.recipe.private,) or table is None or not table.any():
        table, absent["table"] = None, "the training table is recorded for the recipe's own attribute and target only"
    else:
        now = subject.dataset.column(card.recipe.target).classes, subject.dataset.column(card.recipe.private).classes
        table = reordered(table, (card.card.target_classes, card.card.private_classes), now)
        if table is None:
            absent["table"] = "the classes of these rows are others than those of training"
    paper = None
    if "paper" in auxiliaries:
        paper = _some((yield from _extract(subject.encoder, _training(card, terms, paper=True), terms)), terms.seed)
    else:
        absent["paper"] = "not asked"
    studied = None
    if terms.memorisation:
        studied = yield from _extract(subject.encoder, _training(card, terms), terms)
        studied = _some(studied, terms.seed, studied.among(card.trained, card.contents))
        studied = _grouped(studied, terms.group)
    return Exhibits(
        trained=card.trained, contents=card.contents, table=table, paper=paper, studied=studied,
        random_init=random_init, raw=pixels, absent=absent,
    )  # fmt: skip


def _some(found: Embeddings, seed: int, among: Bool[np.ndarray, " n"] | None = None) -> Embeddings:
    """The rows among which one may choose; where z lies on disk, a sample of these of the size of the subject's own."""
    rows = np.arange(len(found)) if among is None else np.flatnonzero(among)
    if found.lying is None:
        return found if among is None else found.take(rows)
    count = max(LEAST, NUMBERS // found.lying.width)
    if count >= len(rows):
        return found.take(rows)
    drawn = found.take(np.sort(np.random.default_rng(seed).choice(rows, count, replace=False)))
    note = f"{found.origin.split}: a sample of {count:,} of {len(rows):,} rows stands for them: {LIES}"
    return replace(drawn, notes=(note,))


def _training(card: Checkpoint, terms: Terms, *, paper: bool = False) -> Dataset:
    """The training rows; as the papers' own attacker sees them (Biased-MNIST: recoloured at rho .999) if `paper`."""
    call = card.recipe.dataset
    module = catalog.thing("datasets", call.name)
    knobs = {**call.knobs, **(getattr(module, "PAPER", {}) if paper else {})}
    if terms.skip_unreadable and "skip_unreadable" in catalog.knobs(module.load):
        knobs["skip_unreadable"] = True
    return module.load("train", terms.root, **catalog.check(module.load, knobs, card.name))  # type: ignore[no-any-return]


def _leave(
    audit: Audit, marks: dict[str, Outcomes], attacked: tuple[Subject, Embeddings], terms: Terms, what: list[Any]
) -> tuple[Audit, Path]:
    """The document of a question, in the place of an earlier one: gates and the plane of a plot are no part of it."""
    subject, found = attacked
    audit = replace(
        audit,
        subject={**audit.subject, **provenance.about(subject)},
        threat=audit.threat | ({"overlap": subject.overlap} if subject.overlap else {}),
        warnings=(*subject.warnings, *audit.warnings),
        gates=judging.judge(terms.gates, [(audit, marks)]),
        data={**audit.data, **provenance.images(subject)},
        provenance={
            **audit.provenance,
            **provenance.of(terms.command),
            **provenance.asked(subject, terms),
            **provenance.extracted(found, terms.store),
        },
    )
    question = [audit.subject.get("sha256"), audit.data.get("fingerprint"), terms.private, terms.target]
    source = subject.encoder
    if source is not None and (source.kind != "checkpoint" or source.layers):  # one file, read in several ways
        question += [str(source.backbone), [str(layer) for layer in source.layers], provenance.prepared(subject)]
    key = store.digest(store.canonical([*question, terms.tolerance, terms.seed, terms.group, what]))[:8]
    path = archive.place(terms.store, audit.name, what[0], key)
    outcomes.save(marks, outcomes.path_of(path))
    beside = {"outcomes": store.digest_file(outcomes.path_of(path))}
    audit = replace(audit, provenance={**audit.provenance, **beside})
    audits.save(audit, path)
    return audit, path
