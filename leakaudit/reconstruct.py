"""
Reconstruction: images rebuilt from the bottleneck, and what an attacker reads from them.

An attacker trained on true images reads the private attribute from rebuilt images that neither it nor the decoder saw.
That is what counts: PSNR and SSIM say little about privacy (Sun et al., "Privacy Assessment on Reconstructed Images",
NeurIPS 2023). A decoder that fails proves nothing, so this audit alone never says WITHIN or NOT_FOUND.
"""

from collections.abc import Generator
from dataclasses import replace
from functools import partial

import numpy as np
from jaxtyping import Int64

from leakaudit import audits, catalog, gallery, protocol, stats, verdict
from leakaudit.audits import Attribute, Audit, Reconstruction
from leakaudit.catalog import Call
from leakaudit.dataset import Images
from leakaudit.embeddings import Embeddings
from leakaudit.errors import InputError
from leakaudit.finding import Coverage
from leakaudit.gallery import Gallery, Reading, Step
from leakaudit.inquest import mixture
from leakaudit.labels import Labelled, labelled
from leakaudit.numerics import pixels, similarity
from leakaudit.numerics.device import describe, resolve
from leakaudit.outcomes import Outcomes
from leakaudit.scoring import Answers
from leakaudit.verdict import Evidence, Ruling

INFERENCE = (
    "Rebuilt images were read by an attacker trained on true images of other rows; E, accuracies and p as in an "
    "attack, with the variance doubled where decoder and attacker are cross-fitted. PSNR and SSIM: bootstrap."
)
ROUNDING = 1e-4
"""By which averages of pixels in 0..1 may leave it."""


def reconstruct(
    subject: Embeddings,
    images: Images,
    *,
    private: tuple[str, ...],
    target: str | None,
    decoder: Call,
    tolerance: float,
    seed: int,
    device: str,
    with_images: bool,
) -> Generator[Step, None, tuple[Audit, dict[str, Outcomes]]]:
    """
    Rebuild every row's image by a decoder that never saw it, and read the private attributes from it.

    Raises:
        InputError: the images are not those of the rows, too small or not in 0..1, or a label cannot be asked for.
    """
    if len(images) != len(subject):
        raise InputError(f"{subject.origin.name}: {len(subject)} rows, but {len(images)} images")
    similarity.window(*images.shape[1:])
    subject.check()
    device = resolve(device)
    chosen = {name: labelled(subject, np.ones(len(subject), dtype=bool), (name,), target)[name] for name in private}
    module = catalog.thing("decoders", decoder.name, "--decoder")
    decode = partial(module.decode, **catalog.check_counts(module.decode, decoder.knobs, f"--decoder {decoder.name}"))
    true = pixels.gather(images, gallery.LARGEST)
    least, most = float(true.min()), float(true.max())
    if least < -ROUNDING or most > 1 + ROUNDING:
        raise InputError(
            f"{subject.origin.data or subject.origin.name}: images hold numbers from {least:.3g} to {most:.3g}; "
            f"a reconstruction, and what is said of it, is of images in 0..1"
        )
    total = gallery.count(len(subject)) + len(private)
    shown = yield from gallery.rebuild(
        subject,
        true,
        _strata(subject, target),
        _cells(len(subject), chosen[private[0]]),
        decode,
        seed=seed,
        device=device,
        total=total,
    )
    readings: dict[str, Reading] = {}
    for name, labels in chosen.items():
        readings[name] = gallery.read(subject, shown, labels, seed=seed, device=device)
        yield Step(total - len(chosen) + len(readings), total, f"{name} read")
    adjusted = stats.holm([reading.p for reading in readings.values()])
    attributes, outcomes = [], {}
    columns = gallery.columns(len(chosen)) if with_images else [0] * len(chosen)
    for (name, reading), p, count in zip(readings.items(), adjusted, columns, strict=True):
        rebuilt = _measured(subject, shown, reading, decoder)
        if count:
            rebuilt = replace(rebuilt, pictures=gallery.pictures(shown, reading, chosen[name], seed, count))
        attributes.append(_attribute(name, target, chosen[name], reading, rebuilt, p, tolerance))
        outcomes[name] = _outcomes(subject, shown, reading)
    return _document(subject, tuple(attributes), decoder, target, tolerance, seed, device), outcomes


def _strata(subject: Embeddings, target: str | None) -> Int64[np.ndarray, " n"]:
    """Target stratum of every row, -1 where it is missing."""
    strata = np.zeros(len(subject), dtype=np.int64) - (target is not None)
    if target is not None:
        labels = subject.column(target)
        known = labels.values[labels.known]
        strata[labels.known] = known if labels.classes else protocol.bins(known, protocol.TARGET_BINS, target)[0]
    return strata


def _cells(rows: int, labels: Labelled) -> Int64[np.ndarray, " n"]:
    """(target, private) cell of every row; one for all rows without both labels."""
    cells = np.zeros(rows, dtype=np.int64)
    cells[labels.rows] = 1 + labels.target.codes * len(labels.private.classes) + labels.private.codes
    return cells


def _rule(reading: Reading, p: float, tolerance: float, rows: int) -> Ruling:
    """The rule's verdict, as far as a reconstruction can prove one."""
    answers, read = reading.answers, reading.figures["reconstruction"]
    part, stretch = answers.advantage(reading.guesses["reconstruction"])
    evidence = Evidence(
        tolerance=tolerance,
        p=p,
        excess=read.excess.value,
        error=float(np.sqrt(part.variance)) * stretch,
        lower=read.lower,
        upper=read.upper,
        mde=answers.mde(reading.guesses["reconstruction"]),
        cells=answers.mde(),
        rows=rows,
        off_majority=_off_majority(answers),
        classes=answers.classes,
        doubled=answers.doubled,
        bounded=answers.bounded,
    )
    ruling = verdict.rule(evidence)
    if ruling.verdict == "WITHIN":
        words = f"a leak exists ({verdict.spell(p)}), read from rebuilt images; a decoder cannot show that it is small"
        return Ruling("DETECTED", words, None)
    if ruling.verdict == "NOT_FOUND":
        words = (
            "nothing was read from rebuilt images; a decoder alone cannot show absence, an attack on the bottleneck can"
        )
        return Ruling("INCONCLUSIVE", words, None)
    return ruling


def _off_majority(answers: Answers) -> int:
    return int(answers.table.sum() - answers.table.max(axis=1).sum())


def _measured(subject: Embeddings, shown: Gallery, reading: Reading, decoder: Call) -> Reconstruction:
    """What the images are worth, to the eye and to the reader."""
    rows = reading.rows
    group, seed = reading.answers.group, reading.answers.seed
    true = shown.true[rows]
    alike = {
        name: (similarity.psnr(made[rows], true), similarity.ssim(made[rows], true))
        for name, made in (("made", shown.made), ("mean", shown.mean), ("usual", shown.usual))
    }
    psnr, ssim = (stats.bootstrap_mean(values, group, seed) for values in alike["made"])
    readers = ", ".join(dict.fromkeys(reading.readers))
    notes = [
        similarity.definition(*true.shape[2:]),
        "intervals: bootstrap over " + (f"groups ({subject.groups})" if subject.groups else "rows"),
        f"read by {readers}, trained on true images of other rows, at most {gallery.READ} pixels a side",
        *shown.notes,
    ]
    if not reading.converged:
        notes.append("the reader did not converge")
    return Reconstruction(
        decoder=str(decoder),
        psnr=psnr,
        ssim=ssim,
        private=reading.figures["reconstruction"],
        truth=reading.figures["truth"],
        mean_image=tuple(float(part.mean()) for part in alike["mean"]),
        class_mean=tuple(float(part.mean()) for part in alike["usual"]),
        class_mean_private=reading.figures["class mean"],
        notes=tuple(notes),
    )


def _attribute(
    name: str,
    target: str | None,
    labels: Labelled,
    reading: Reading,
    rebuilt: Reconstruction,
    p: float,
    tolerance: float,
) -> Attribute:
    answers, read = reading.answers, reading.figures["reconstruction"]
    ruling = _rule(reading, p, tolerance, len(labels.rows))
    return Attribute(
        private=name,
        target=target,
        classes=labels.private.classes,
        target_classes=labels.target.classes,
        verdict=ruling.verdict,
        reason=ruling.reason,
        p=p,
        attacker=f"reconstruction by {rebuilt.decoder}",
        auxiliary=protocol.DECIDING,
        winners=(),
        figures=read,
        upper=read.upper,
        mde=answers.mde(reading.guesses["reconstruction"]),
        entropy=stats.conditional_entropy(answers.table),
        rows=_coverage(labels, answers, ruling),
        reconstruction=rebuilt,
        crossing=mixture.attacked(labels),
    )


def _coverage(labels: Labelled, answers: Answers, ruling: Ruling) -> Coverage:
    covered = stats.covered(answers.table)
    single = np.flatnonzero(~covered.any(axis=1) & (answers.table.sum(axis=1) > 0))
    return Coverage(
        rows=len(labels.rows),
        missing=labels.missing,
        trained=None,
        groups=None if answers.group is None else len(np.unique(answers.group)),
        scored=int(answers.scored.sum()),
        share=float(answers.scored.mean()),
        cells=int(covered.sum()),
        cells_possible=covered.size,
        off_majority=_off_majority(answers),
        left_out=tuple(labels.target.classes[i] for i in single),
        scheme=f"cross-fit {gallery.FOLDS}" if answers.doubled else "split 70/30",
        would_decide=ruling.would_decide,
    )


def _outcomes(subject: Embeddings, shown: Gallery, reading: Reading) -> Outcomes:
    rows, answers = reading.rows, reading.answers
    hits = {name: guess == answers.private for name, guess in reading.guesses.items()}
    return Outcomes(
        ids=subject.ids[rows],
        fold=shown.fold[rows],
        target=answers.target,
        private=answers.private,
        group=rows if answers.group is None else answers.group,
        hits={"nested": hits["reconstruction"], **hits},
    )


def _document(
    subject: Embeddings,
    attributes: tuple[Attribute, ...],
    decoder: Call,
    target: str | None,
    tolerance: float,
    seed: int,
    device: str,
) -> Audit:
    worst, origin = audits.worst(attributes), subject.origin
    known = catalog.knobs(catalog.thing("decoders", decoder.name).decode)
    knobs = {**{name: knob.default for name, knob in known.items()}, **decoder.knobs}
    knows = "the bottleneck of unseen rows; bottleneck, image and private label of rows like them"
    return Audit(
        verdict=worst.verdict,
        reason=worst.reason if len(attributes) == 1 else f"{worst.private}: {worst.reason}",
        tolerance=tolerance,
        suite=protocol.SUITE,
        subject={
            "name": origin.name,
            "kind": origin.kind,
            "sha256": origin.sha256,
            "layer": origin.layer,
            "width": subject.z.shape[1],
        },
        data={
            "name": origin.data or origin.name,
            "split": origin.split,
            "fingerprint": origin.fingerprint,
            "rows": len(subject),
            "group": subject.groups or None,
        },
        threat={
            "knows": knows if target is None else f"{knows}; the {target} of every row",
            "auxiliary": [protocol.DECIDING],
            "attackers": {str(decoder): knobs} | {name: {} for name in gallery.READERS},
            "conditioned_on": target,
            "overlap": "no attack row is known, by name or by equal content, to have been trained on"
            if origin.kind == "checkpoint"
            else "overlap with training unknown",
            "not_tested": ["attacks on the bottleneck itself", "membership", "extraction", "singling out"],
        },
        attributes=attributes,
        provenance={"seed": seed, "device": describe(device), "inference": INFERENCE, "notes": list(subject.notes)},
    )
