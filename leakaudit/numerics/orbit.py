"""
Moments of features with labels, under many relabellings of the same units at once.

For units with features phi and label columns v the moment of relabelling g is sum_i phi_i v_g(i). Random permutations
take one matrix product. Where units are many a cyclic group of S relabellings takes their place: units stand, in random
order, in layers of S slots, and shift s gives each unit the label s slots on. All S moments are then one circular
cross-correlation, found by Fourier transforms along the slots. A remainder stands in pieces of S/2, S/4, ... units,
shifted modulo their length. Either set of relabellings, with the identity in it, makes an exact test (Hemerik and
Goeman, TEST 27, 2018, theorems 1 and 2).
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Complex64, Float32, Float64, Int64, Shaped
from scipy import fft

Features = Callable[[Int64[np.ndarray, " m"]], Float32[np.ndarray, "m p"]]
"""Features of some units."""
Moments = Float32[np.ndarray, "b p k"]
Sums = Float64[np.ndarray, " p"]

BLOCK = 4096
"""Units whose features are held at a time in a matrix product."""
CELLS = 1 << 22
"""Labels held as floats at a time."""
CHUNK = 1 << 24
"""Features held at a time in a transform."""


def permutations(units: int, draws: int, rng: np.random.Generator) -> Shaped[np.ndarray, "units b"]:
    """The identity and `draws` random permutations of so many units, one a column."""
    order = np.tile(np.arange(units, dtype=np.int32), (draws + 1, 1))
    rng.permuted(order[1:], axis=1, out=order[1:])
    return order.T


def trades(
    target: Int64[np.ndarray, " n"], group: Int64[np.ndarray, " n"], draws: int, rng: np.random.Generator
) -> Shaped[np.ndarray, "n b"]:
    """
    The identity and `draws` relabellings of rows by `stats.redraw`, for labels that differ inside groups.

    Whole groups trade, among those of one commonest target: a row gets the label of one of the other group's rows of
    its own target, in random order and over again where those are fewer, and of any group's where there are none.
    """
    _, index = np.unique(group, return_inverse=True)
    strata, groups = int(target.max(initial=0)) + 1, int(index.max(initial=-1)) + 1
    own = index * strata + target
    rows = np.bincount(own, minlength=groups * strata)
    commonest, start = rows.reshape(groups, strata).argmax(axis=1), np.cumsum(rows) - rows
    source = np.empty((draws + 1, len(target)), np.int32)
    source[0] = np.arange(len(target))
    giver, place, spare = np.empty_like(commonest), np.empty_like(own), np.empty_like(own)
    kind, even = np.argsort(commonest, kind="stable"), np.argsort(target, kind="stable")
    for drawn in source[1:]:
        giver[kind] = np.argsort(commonest + rng.random(groups))
        order = np.argsort(own + rng.random(len(own)))
        place[order] = source[0]
        others = giver[index] * strata + target
        at = start[others] + (place - start[own]) % np.maximum(rows[others], 1)
        spare[even] = np.argsort(target + rng.random(len(own)))
        drawn[:] = np.where(rows[others] > 0, order[np.minimum(at, len(own) - 1)], spare)
    return source.T


def explicit(
    features: Features,
    units: Int64[np.ndarray, " m"],
    columns: Shaped[np.ndarray, "n k"],
    source: Shaped[np.ndarray, "m b"],
) -> tuple[Moments, Sums]:
    """The moments where relabelling b gives unit i the row `source[i, b]` of `columns`; the sums of the features."""
    draws, width = source.shape[1], columns.shape[1]
    step = max(CELLS // (BLOCK * width), 1)
    moments, sums = np.zeros(0, np.float32), np.zeros(0)
    for start in range(0, len(units), BLOCK):
        phi = features(units[start : start + BLOCK])
        if not start:
            moments, sums = np.zeros((phi.shape[1], draws * width), np.float32), np.zeros(phi.shape[1])
        sums += phi.sum(axis=0, dtype=np.float64)
        for first in range(0, draws, step):
            given = columns[source[start : start + BLOCK, first : first + step]].reshape(len(phi), -1)
            moments[:, first * width : (first + step) * width] += phi.T @ given.astype(np.float32)
    return moments.reshape(-1, draws, width).transpose(1, 0, 2), sums


def layers(units: Int64[np.ndarray, " m"], slots: int) -> list[Int64[np.ndarray, "layers length"]]:
    """The units in layers of `slots` = 2^j, and what is left in one layer each of half, a quarter, ... as many."""
    whole = len(units) // slots
    made, start, length = [units[: whole * slots].reshape(whole, slots)], whole * slots, slots // 2
    while length:
        if len(units) - start >= length:
            made.append(units[start : start + length].reshape(1, length))
            start += length
        length //= 2
    return [each for each in made if len(each)]


def cyclic(
    features: Features,
    units: Int64[np.ndarray, " m"],
    columns: Shaped[np.ndarray, "n k"],
    slots: int,
) -> tuple[Moments, Sums]:
    """The moments where relabelling s gives each unit, in its layer, the row of `columns` of the unit s slots on."""
    wide = len(features(units[:1])[0])
    spectrum, sums = np.zeros((slots // 2 + 1, wide, columns.shape[1]), np.complex64), np.zeros(wide)
    most, held = max(CHUNK // (slots * wide), 1), 0
    waves, labels = [], []
    for layer in layers(units, slots):
        length = layer.shape[1]
        for rows in (layer[at : at + most] for at in range(0, len(layer), most)):
            phi = features(rows.ravel())
            sums += phi.sum(axis=0, dtype=np.float64)
            # a short piece stands in the first slots alone and meets its labels over and over: shifts modulo its length
            waves.append(fft.rfft(phi.reshape(*rows.shape, wide), slots, axis=1))
            given = np.tile(columns[rows].astype(np.float32), (1, slots // length, 1))
            labels.append(fft.rfft(given, axis=1))
            held += len(rows)
            if held >= most:
                spectrum += _crossed(waves, labels)
                waves, labels, held = [], [], 0
    if waves:
        spectrum += _crossed(waves, labels)
    return fft.irfft(spectrum, slots, axis=0), sums


def _crossed(
    waves: list[Complex64[np.ndarray, "_ f p"]], labels: list[Complex64[np.ndarray, "_ f k"]]
) -> Complex64[np.ndarray, "f p k"]:
    """The cross-spectrum of features and labels, summed over layers."""
    left, right = np.concatenate(waves).conj().transpose(1, 2, 0), np.concatenate(labels).transpose(1, 0, 2)
    crossed: Complex64[np.ndarray, "f p k"] = np.matmul(left, right)
    return crossed
