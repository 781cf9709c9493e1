"""An audit: everything that was asked, done and found, as one JSON document that rendering needs nothing beside."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from leakaudit import record, sound, store
from leakaudit.errors import RefusedError, spelt
from leakaudit.finding import (
    WORST_FIRST,
    Baseline,
    Bottleneck,
    Cell,
    Control,
    Coverage,
    Figures,
    Finding,
    Learned,
    Memorisation,
    Regression,
    Sensitivity,
    Verdict,
)
from leakaudit.stats import Interval


@dataclass(frozen=True)
class Curve:
    """One private class on one direction of the bottleneck, in units of the within-class deviation."""

    name: str
    rows: int
    mean: float
    deviation: float
    histogram: tuple[int, ...]
    """Counts in equal bins over `Separation.span`."""


@dataclass(frozen=True)
class Separation:
    """Private classes along one direction: `pc1` (the papers' figure) or `lda`."""

    direction: str
    d_prime: float
    """Largest distance of two class means in units of the pooled within-class deviation, on rows the direction was not
    fitted to."""
    share: float | None
    """Share of the total variance along PC1; None for LDA."""
    span: tuple[float, ...]
    """Left and right end of the histograms."""
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class Pictures:
    """A reconstruction grid; the pixels are stored only with `--with-images`."""

    height: int
    width: int
    rows: tuple[tuple[str, str], ...]
    """(name of the row, base64 of its PNG strip): truth, reconstruction, class mean."""
    labels: tuple[str, ...]
    """One caption per column: target and private class."""


@dataclass(frozen=True)
class Reconstruction:
    """Images rebuilt from the bottleneck by one decoder, and what is read from them."""

    decoder: str
    psnr: Interval
    """Mean over scored rows, in dB, of images in 0..1."""
    ssim: Interval
    """Mean over scored rows; the definition is in `notes`."""
    private: Figures
    """The private attribute read from the reconstructions by an attacker trained on true images."""
    truth: Figures
    """The same attacker on the true images: the ceiling."""
    mean_image: tuple[float, ...]
    """PSNR and SSIM of always answering the mean image."""
    class_mean: tuple[float, ...]
    """PSNR and SSIM of answering the mean image of the target class."""
    class_mean_private: Figures
    """The private attribute read from class-mean images."""
    notes: tuple[str, ...] = ()
    pictures: Pictures | None = None


@dataclass(frozen=True)
class Attribute:
    """One private attribute: verdict, reason, and all that led to it."""

    private: str
    target: str | None
    classes: tuple[str, ...]
    target_classes: tuple[str, ...]
    verdict: Verdict
    reason: str
    p: float
    attacker: str
    """The nested winner: chosen on validation rows, scored once; the most frequent one over the folds."""
    auxiliary: str
    winners: tuple[str, ...]
    """The attacker chosen in each fold."""
    figures: Figures
    """Of the nested winner."""
    upper: float
    """UCB*: the smallest tolerance this audit could pass."""
    mde: float
    """Smallest detectable E."""
    entropy: float
    """H(v|y) in bits on the scored rows."""
    rows: Coverage
    findings: tuple[Finding, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    controls: tuple[Control, ...] = ()
    sensitivity: tuple[Sensitivity, ...] = ()
    cells: tuple[Cell, ...] = ()
    separation: tuple[Separation, ...] = ()
    reconstruction: Reconstruction | None = None
    p_h: float | None = None
    """p of the permutation test over all rows (H); None where it was not run."""
    p_i: float | None = None
    """p of the nested winner (I); `p` joins both and corrects for the number of attributes."""
    h_family: str = ""
    """The statistic of H that stood out most."""
    h_draws: int = 0
    """Permutations of H."""
    h_rows: int = 0
    """Rows that served H; 0 where that is not recorded."""
    learning: tuple[Learned, ...] = ()
    """The learning curve, fewest labelled rows first."""
    labels_needed: int | None = None
    """The fewest labelled rows of the curve from which every lower bound of E lies above 0; None: not even all."""
    learning_note: str = ""
    """Which attacker learned, or why there is no curve."""
    share_of_raw: Interval | None = None
    """E / E(raw input), paired by row; None with the reason in its note."""
    share_of_raw_note: str = ""
    above_random: Interval | None = None
    """E less that of a random-init encoder, paired by row; None with the reason in its note."""
    above_random_note: str = ""
    regression: tuple[Regression, ...] = ()
    """For a continuous private attribute."""
    worst: Cell | None = None
    """The target class with the largest lower bound of E, of those with rows enough to say."""
    seeds: tuple[float, ...] = ()
    """E of the nested winner with further attack seeds, each counted one up; none where one seed was asked for."""
    memorisation: Memorisation | None = None
    """What is read from rows that the model was trained on; None where it was not asked, or as the note says."""
    memorisation_note: str = ""
    bottleneck: Bottleneck | None = None
    """Centroids and misclassified rows; None where the model does not name the target."""
    crossing: tuple[tuple[int, ...], ...] = ()
    """Attack rows by target class (outer) and private class (inner); none in audits that did not count them."""
    trained_crossing: tuple[tuple[int, ...], ...] = ()
    """The same of the rows that the model was trained on; none where that is not known."""


@dataclass(frozen=True)
class Utility:
    """How well the model does its own task on the attack rows."""

    target: str
    accuracy: Interval
    balanced_accuracy: Interval
    worst_cell: str
    worst_cell_accuracy: Interval
    """Of cells with five rows or groups, where there are such; with bounds of the smallest of many (older documents:
    of that cell alone)."""
    chance: float
    """1 / classes."""
    odds: Interval | None = None
    """Equalised-odds gap: the largest difference, over target classes, of the shares of two private classes that the
    model takes for one target class; biased upwards, which its bounds allow for; None where it was not measured."""
    odds_note: str = ""
    """Which target class and which two private classes, or why it was not measured."""


@dataclass(frozen=True)
class Gate:
    """A gate that was asked for, and how it ended."""

    gate: str
    """As it was typed: `--max-private-accuracy colour=0.2`."""
    private: str
    limit: float
    outcome: str
    """`passed`, `failed` or `open`."""
    reason: str


@dataclass(frozen=True)
class Audit:
    """The document: what was asked, done and found."""

    verdict: Verdict
    reason: str
    tolerance: float
    suite: str
    subject: dict[str, Any]
    """`name, kind, sha256, layer, width`; for a checkpoint `recipe, method, ..., target, seed` and `pseudo_labels`."""
    data: dict[str, Any]
    """`name, split, fingerprint, rows, group`."""
    threat: dict[str, Any]
    """Who attacks, with what knowledge: `knows`, `auxiliary`, `attackers` (name to knobs), `conditioned_on`, `overlap`,
    `not_tested`."""
    attributes: tuple[Attribute, ...]
    utility: Utility | None = None
    gates: tuple[Gate, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)
    """`leakaudit, versions, seed, device, command, inference, notes`; `own_task` where that is not
    measured, and `outcomes`, the sha256 of the per-row outcomes beside the document."""
    warnings: tuple[str, ...] = ()
    """What must be read before the verdict: the model hardly does its own task, or its classes stand otherwise."""

    @property
    def name(self) -> str:
        """What a person calls the subject."""
        return str(self.subject.get("name", "?"))


def worst(attributes: tuple[Attribute, ...]) -> Attribute:
    """The attribute whose verdict decides the audit's; of equals, the one with the largest UCB*."""
    return min(attributes, key=lambda part: (WORST_FIRST.index(part.verdict), -part.upper))


def document(audit: Audit) -> dict[str, Any]:
    """The JSON document, sealed with the sha256 of its canonical text."""
    body = {"format": 1, "kind": "audit", **record.to_json(audit)}
    return {**body, "sha256": store.digest(store.canonical(body))}


def sources(audit: Audit) -> tuple[str, ...]:
    """Seals of the documents behind an audit: its own, or those that it was read or joined from."""
    return tuple(map(str, audit.provenance.get("documents") or (document(audit)["sha256"],)))


def save(audit: Audit, path: Path) -> None:
    """Write the document; byte for byte what `--format json` prints."""
    store.write_json(path, document(audit))


def load(path: Path) -> Audit:
    """
    Read an audit; one that would be written otherwise today names the document it was read from in its provenance.

    Raises:
        InputError: there is no such file.
        RefusedError: it is not an audit, is damaged, or was changed since it was written.
    """
    return of_document(store.read_json(path), str(path))


def of_document(data: dict[str, Any], where: str) -> Audit:
    """
    The audit that a JSON document holds; one that would be written otherwise today names that document.

    Its sha256 tells accidents and careless edits: whoever forges a document can count it anew.

    Raises:
        RefusedError: it is not an audit, is damaged, or was changed since it was written; `where` names the file.
    """
    if data.get("kind") != "audit":
        raise RefusedError(f"{where}: an audit expected, {spelt(repr(data.get('kind')))} found")
    if not sealed(data):
        raise RefusedError(f"{where}: changed since it was written (its sha256 does not match)")
    seal = data["sha256"]
    audit = record.from_json(Audit, data, where)
    sound.check(audit, where)
    if document(audit)["sha256"] == seal:
        return audit
    return replace(audit, provenance={**audit.provenance, "documents": [*audit.provenance.get("documents", ()), seal]})


def sealed(data: dict[str, Any]) -> bool:
    """Whether a JSON document has the sha256 that it says it has."""
    body = {name: value for name, value in data.items() if name != "sha256"}
    return bool(data.get("sha256") == store.digest(store.canonical(body)))


def with_reconstruction(attribute: Attribute, other: Attribute) -> Attribute:
    """The attribute with the reconstruction that another audit of the same subject holds."""
    return replace(attribute, reconstruction=other.reconstruction)
