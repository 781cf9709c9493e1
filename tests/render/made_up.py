"""A made-up picture, an interval from a count, and the figures of an audit that goes deep."""

import base64
import struct
import zlib

import numpy as np
from scipy import stats as scipy_stats

from leakaudit.audits import Curve, Separation
from leakaudit.finding import Baseline, Bottleneck, Centroid, Control, Figures, Finding, Learned, Operating, Regression
from leakaudit.stats import Interval


def png(width: int, height: int, generator: np.random.Generator) -> str:
    """Base64 of a PNG of noise."""
    pixels = generator.integers(0, 255, (height, width, 3), dtype=np.uint8)
    raw = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + parts).decode()


def interval(value: float, rows: float) -> Interval:
    """Clopper-Pearson of `value * rows` hits."""
    hits = value * rows
    low = scipy_stats.beta.ppf(0.025, hits, rows - hits + 1) if hits > 0 else 0.0
    high = scipy_stats.beta.ppf(0.975, hits + 1, rows - hits) if hits < rows else 1.0
    return Interval(float(value), float(low), float(high))


def ranked(strength: float, rows: int, classes: tuple[str, ...]) -> tuple[Interval, tuple[Operating, ...]]:
    """AUC and operating points of an attacker who knows the answer with probability `strength`."""
    negatives = rows * (len(classes) - 1) // len(classes)
    points = tuple(
        Operating(name, 0.01, interval(min(1.0, strength * (0.5 + 0.1 * i) + 0.01), rows / len(classes)), negatives, "")
        if negatives >= 299
        else Operating(name, 0.01, None, negatives, f"refused: {negatives} negatives, 299 are needed")
        for i, name in enumerate(classes)
    )
    return interval((1 + strength) / 2, rows), points


def learned(strength: float, rows: int) -> tuple[Learned, ...]:
    """A curve of doublings, rising to what the attacker reads with all labels."""
    most = 4 * rows // 5
    counts = [most // 2**step for step in range(5, -1, -1)]
    values = [strength * (1 - np.exp(-count / (most / 4))) for count in counts]
    around = [1.96 * np.sqrt(0.25 / rows) * 2 for _ in counts]
    return tuple(
        Learned(count, Interval(float(value), float(value - half), float(min(value + half, 1))), float(value - half))
        for count, value, half in zip(counts, values, around, strict=True)
    )


def erased(linear: Figures, quadratic: Figures) -> Baseline:
    """LEACE-erased z with its two attackers."""
    readings = tuple(
        Finding(name, "balanced", False, True, part) for name, part in (("linear", linear), ("quadratic", quadratic))
    )
    words = "; ".join(f"{one.attacker} reads E {one.figures.excess.value:.3f}" for one in readings)
    return Baseline("leace", "quadratic", quadratic, words, readings)


def ages() -> tuple[Regression, ...]:
    """Guesses of an age."""
    bits = Interval(0.61, 0.55, 0.66)
    return (
        Regression("ridge", Interval(6.13, 5.9, 6.4), 8.72, Interval(2.59, 2.3, 2.9), Interval(0.41, 0.37, 0.44)),
        Regression("mlp", Interval(5.41, 5.2, 5.7), 8.72, Interval(3.31, 3, 3.6), Interval(0.52, 0.48, 0.55), bits),
    )


def controls(generator: np.random.Generator) -> tuple[Control, ...]:
    """All held; one does not apply."""
    draws = tuple(Interval(value, value - 0.04, value + 0.04) for value in generator.normal(0.2, 0.01, 3))
    low = tuple(Interval(value, value - 0.04, value + 0.04) for value in generator.normal(0, 0.01, 5))
    return (
        Control("shuffled", True, None, low, 0),
        Control("planted-linear", True, 0.2, draws, 3),
        Control("planted-class-dependent", True, 0.2, draws, 3),
        Control("planted-xor", None, 0.2, (), 0, "fewer than 800 rows"),
        Control("converged", True, None, (), 0),
    )


def separations(classes: tuple[str, ...], strength: float) -> tuple[Separation, ...]:
    """PC1 nearly blind, LDA as far as the leak is strong."""
    made = []
    for direction, far in (("pc1", 0.3), ("lda", 8 * strength)):
        means = np.linspace(-far / 2, far / 2, len(classes))
        curves = []
        for name, mean in zip(classes, means, strict=True):
            edges = np.linspace(-10, 10, 41)
            heights = np.exp(-((edges[:-1] + 0.25 - mean) ** 2) / 2)
            curves.append(Curve(name, 300, float(mean), 1.0, tuple(int(60 * part) for part in heights)))
        made.append(Separation(direction, far, 0.3 if direction == "pc1" else None, (-10.0, 10.0), tuple(curves)))
    return tuple(made)


def bottleneck(targets: int, privates: int, *, trained: bool = True) -> Bottleneck:
    """Centroids on a circle; around each, three rows of the class before it that share its dominant private class."""
    turn = 2 * np.pi * np.arange(targets) / targets
    places = tuple(
        Centroid(y, float(20 + 15 * np.cos(a)), float(20 + 15 * np.sin(a)), 300, 4, 3, y % privates, 3)
        for y, a in enumerate(turn)
    )
    marks = tuple(
        (int(place.x) + 1, int(place.y), (place.target - 1) % targets, place.target % privates, 3) for place in places
    )
    rows, drawn = 300 * targets, 3 * targets
    return Bottleneck(
        rows, 4 * targets, drawn, drawn, drawn / privates, 0.001, 999, trained, 0.47, 0.36, 40, places, marks
    )
