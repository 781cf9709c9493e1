"""A made-up picture, and an interval from a count."""

import base64
import struct
import zlib

import numpy as np
from scipy import stats as scipy_stats

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
