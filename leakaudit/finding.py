"""
What one attack found: figures with their intervals, the same for attackers, baselines and the nested winner.

E is the excess advantage, the sum over target classes y of pi_y (BA_y - 1/C_y) / (1 - 1/C_y), where BA_y is the
balanced accuracy among the C_y private classes present in y: zero exactly when nothing beats knowing the target, one
when everything is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from leakaudit.ranking import Operating
from leakaudit.stats import Interval
from leakaudit.verdict import WORST_FIRST, Verdict

__all__ = [
    "WORST_FIRST",
    "Baseline",
    "Bottleneck",
    "Cell",
    "Centroid",
    "Control",
    "Coverage",
    "Figures",
    "Finding",
    "Learned",
    "Memorisation",
    "Operating",
    "Regression",
    "Sensitivity",
    "Verdict",
    "labels_needed",
    "worst_cell",
]


@dataclass(frozen=True)
class Figures:
    """How well guesses about the private attribute do on the scored rows; every interval is two-sided 95 %."""

    private_accuracy: Interval
    """Mean recall over the private classes, rows weighted so that the attribute is independent of the target."""
    accuracy: Interval
    """Plain share of rows guessed right."""
    balanced_accuracy: Interval
    """Sum over target classes of pi_y BA_y."""
    excess: Interval
    """E."""
    lower: float
    """One-sided 95 % lower bound of E."""
    upper: float
    """One-sided 95 % upper bound of E."""
    private_upper: float
    """One-sided 95 % upper bound of the private-class accuracy."""
    private_lower: float
    """One-sided 95 % lower bound of the private-class accuracy."""
    bits: Interval | None
    """Usable bits H(v|y) minus cross-entropy; None where guesses carry no probabilities."""
    follows_target: float
    """Share of guesses that name the target class's own majority private class."""
    auc: Interval | None = None
    """AUC inside target classes; None where guesses carry no probabilities."""
    tpr: tuple[Operating, ...] = ()
    """Share of each private class named at a false positive rate of 1 %; empty where it was not asked."""


@dataclass(frozen=True)
class Finding:
    """One attacker with one auxiliary distribution."""

    attacker: str
    auxiliary: str
    decides: bool
    """Whether this finding may decide the verdict: an attacker of the suite with the balanced auxiliary."""
    converged: bool
    figures: Figures
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Baseline:
    """What is reached from something else than the bottleneck."""

    baseline: str
    """`majority`, `target-only`, `model-output`, `random-init`, `raw-input`, `leace`."""
    attacker: str | None
    """The attacker that did best on the validation part; None for the first two, which need none."""
    figures: Figures | None
    """None where the baseline does not apply, with the reason in `note`."""
    note: str = ""
    readings: tuple[Finding, ...] = ()
    """Each attacker by itself, where that is what the baseline is about: `linear` and `quadratic` on erased z."""


@dataclass(frozen=True)
class Control:
    """A check on the audit itself; one that fails voids NOT_FOUND and WITHIN."""

    control: str
    """`shuffled`, `planted-SHAPE` for each shape of plants, `converged`."""
    passed: bool | None
    """None: not applicable, with the reason in `note`."""
    size: float | None
    """Bayes E of the plant; None for the others."""
    draws: tuple[Interval, ...]
    """E of the nested winner on each draw."""
    detected: int
    """Draws that were detected at 5 %."""
    note: str = ""


@dataclass(frozen=True)
class Sensitivity:
    """The smallest planted leak of one shape that was found."""

    shape: str
    found: float | None
    """Smallest Bayes E of the ladder that was found in 2 of 3 draws, as were all larger ones; None: not even the
    largest."""
    ladder: tuple[tuple[float, ...], ...]
    """(Bayes E, draws detected, draws) of each step."""


@dataclass(frozen=True)
class Coverage:
    """Which rows the figures speak of."""

    rows: int
    """Attack rows with both labels."""
    missing: int
    """Rows left out because a label is missing."""
    trained: int | None
    """Rows left out because the checkpoint was trained on them; None where that is unknown (a stranger's model)."""
    groups: int | None
    """Count of groups; None where rows stand for themselves."""
    scored: int
    """Rows in target classes with at least two private classes."""
    share: float
    """Share of the rows that E covers."""
    cells: int
    """(target, private) cells with a row."""
    cells_possible: int
    off_majority: int
    """Rows whose private class is not the majority one of their target class."""
    left_out: tuple[str, ...]
    """Target classes with a single private class."""
    scheme: str
    """`cross-fit 5` or `split 50/20/30`."""
    would_decide: int | None
    """About how many rows of this mix would decide, where these do not."""


@dataclass(frozen=True)
class Cell:
    """E inside one target class, of the nested winner."""

    target: str
    rows: int
    classes: int
    """Private classes present."""
    excess: Interval


@dataclass(frozen=True)
class Learned:
    """What an attacker with fewer labelled rows reads: one point of the learning curve."""

    labels: int
    """Labelled rows that the attacker is given, on average over folds."""
    excess: Interval
    """E on the same scored rows."""
    lower: float
    """One-sided 95 % lower bound of E."""


@dataclass(frozen=True)
class Memorisation:
    """The memorisation gap: one attacker on rows that the model was trained on, and on attack rows; never decides."""

    attacker: str
    rows: int
    """Rows of each kind, as many of each kind in every (target, private) cell."""
    trained: Figures
    """On rows that the model was trained on."""
    unseen: Figures
    """On attack rows."""
    gap: Interval
    """E of `trained` less that of `unseen`, two-sample: the rows are different ones."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Regression:
    """A continuous private attribute guessed as a number, in its own unit; intervals are two-sided 95 %."""

    attacker: str
    """`ridge`, or the attacker whose distribution over quantile bins was read as a number."""
    mae: Interval
    """Mean absolute error of the guesses."""
    mae_target: float
    """Mean absolute error of naming the median of the row's target class among the seen rows."""
    gain: Interval
    """`mae_target` less `mae`, paired by row: what is read beyond the target."""
    r2: Interval
    """1 - SSE / SSE of the means of the target classes among the seen rows: 0 is nothing beyond the target."""
    bits: Interval | None = None
    """Usable bits about the quantile bins; None where guesses carry no distribution."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Centroid:
    """One target class in a bottleneck plot."""

    target: int
    """Which of the target classes."""
    x: float
    y: float
    """In cells of the plot, from its left and lower edge."""
    rows: int
    wrong: int
    """Rows of this class that the model takes for another."""
    drawn: int
    """Misclassified rows of other classes that lie nearer to this centroid than to any other."""
    dominant: int | None
    """The private class that most rows of this class have; None where several have as many."""
    shared: int
    """Rows of `drawn` that have this private class."""


@dataclass(frozen=True)
class Bottleneck:
    """Class centroids in the plane in which they lie farthest apart, and misclassified rows among them, in cells."""

    rows: int
    wrong: int
    """Rows that the model misclassifies."""
    away: int
    """Misclassified rows that lie nearest, in z, to the centroid of another class than their own."""
    shared: int
    """Rows of `away` that have the dominant private class of the class whose centroid they lie nearest to."""
    chance: float
    """Mean of `shared` where private labels are permuted among all rows of each target class."""
    p: float
    """Share of these permutations, and of the truth, with as many or more."""
    draws: int
    """Permutations."""
    trained: bool
    """Whether a class's dominant private class is that of the training rows, or else of the attack rows."""
    between: float
    """Share of the variance between centroids that the plane holds; of `lda`, in units of the scatter within."""
    share: float
    """Share of the variance of all rows that the plane holds."""
    cells: int
    """Cells along each side of the plot."""
    centroids: tuple[Centroid, ...]
    """Those of the classes with the most misclassified rows, in the order of the classes."""
    marks: tuple[tuple[int, ...], ...]
    """(column, line from below, target class, private class, rows): the misclassified rows that are drawn, counted by
    cell; what lies beyond the plot counts in its outermost cells. A cell often holds one row: its place, to a cell, and
    its two classes, but nothing that says which row it is."""
    projection: str = "pca"
    """What the plane is: `pca` of the centroids, `lda`, or `tsne`, of which `between` and `share` say nothing."""
    mapped: int = 0
    """Rows that were placed to find it; 0 where it is a plane in z."""


def worst_cell(cells: Sequence[Cell]) -> Cell | None:
    """The target class in which surely most is read: with the largest lower bound of E."""
    return max(cells, key=lambda cell: cell.excess.low, default=None)


def labels_needed(curve: Sequence[Learned]) -> int | None:
    """The fewest labelled rows from which on every lower bound of E lies above 0; None where there are none."""
    found = None
    for point in sorted(curve, key=lambda point: -point.labels):
        if point.lower <= 0:
            break
        found = point.labels
    return found
