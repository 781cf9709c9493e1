"""Losses on pairs, by loops over rows and their pairs, in float64: as the papers write them."""

import math

import numpy as np
from jaxtyping import Float64, Int64

Rows = Float64[np.ndarray, "n d"]
Labels = Int64[np.ndarray, " n"]


def similarity(z: Rows) -> list[list[float]]:
    """Cosines of all pairs, a row with itself too."""
    return [[float(a @ b / math.sqrt((a @ a) * (b @ b))) for b in z] for a in z]


def sup_con(z: Rows, positives: list[tuple[int, int]], temperature: float) -> float:
    """Khosla et al., equation 2: the mean over an anchor's positives, then over the anchors that have one."""
    s = similarity(z)
    anchors = []
    for i in range(len(z)):
        below = sum(math.exp(s[i][a] / temperature) for a in range(len(z)) if a != i)
        terms = [-math.log(math.exp(s[i][p] / temperature) / below) for j, p in positives if j == i]
        if terms:
            anchors.append(sum(terms) / len(terms))
    return sum(anchors) / len(anchors) if anchors else 0.0


def eps_sup_info_nce(z: Rows, y: Labels, eps: float, temperature: float) -> float:
    """Barbano et al.: a positive stands, e^-eps as heavy, with the anchor's negatives in the denominator."""
    s = similarity(z)
    n = len(z)
    anchors = []
    for i in range(n):
        against = sum(math.exp(s[i][a] / temperature) for a in range(n) if y[a] != y[i])
        terms = []
        for p in range(n):
            if p == i or y[p] != y[i]:
                continue
            above = math.exp(s[i][p] / temperature)
            below = (0.0 if math.isinf(eps) else math.exp(-eps) * above) + against
            terms.append(-math.log(above / below) if below else None)
        if terms and against:
            anchors.append(sum(terms) / len(terms))
    return sum(anchors) / len(anchors) if anchors else 0.0


def gaussians_apart(z: Rows, y: Labels, v: Labels, least: float) -> float:
    """Equation 6 of the Ital-IA paper on positive pairs, each once; `least` stands by each variance."""
    s = similarity(z)
    aligned, conflicting = [], []
    for i in range(len(z)):
        for j in range(i + 1, len(z)):
            if y[i] == y[j] and v[i] >= 0 and v[j] >= 0:
                (aligned if v[i] == v[j] else conflicting).append(s[i][j])
    if min(len(aligned), len(conflicting)) < 2:
        return 0.0
    mean_a, mean_c = np.mean(aligned), np.mean(conflicting)
    var_a, var_c = np.var(aligned) + least, np.var(conflicting) + least
    return float(((var_a + (mean_a - mean_c) ** 2) / var_c - math.log(var_a / var_c) - 1) / 2)


def released_fairness(z: Rows, y: Labels, v: Labels) -> float:
    """What FairKL's released code adds: means over masks, deviations over whole masked matrices, self pairs inside."""
    s = similarity(z)
    n = len(z)
    mean, deviation = {}, {}
    for target in ("positive", "negative"):
        for private in ("aligned", "conflicting"):
            matrix = np.zeros((n, n))
            count = 0
            for i in range(n):
                for j in range(n):
                    if (y[i] == y[j]) == (target == "positive") and (v[i] == v[j]) == (private == "aligned"):
                        matrix[i, j] = s[i][j]
                        count += 1
            mean[target, private] = matrix.sum() / max(count, 1)
            deviation[target, private] = matrix.std(ddof=1)
    pa, pc = ("positive", "aligned"), ("positive", "conflicting")
    na, nc = ("negative", "aligned"), ("negative", "conflicting")
    means = (mean[pc] - mean[pa]) ** 2 + (mean[na] - mean[nc]) ** 2
    spreads = (deviation[pa] - deviation[pc]) ** 2 + (deviation[na] - deviation[nc]) ** 2
    return float(means + spreads - mean[pc] + mean[na])
