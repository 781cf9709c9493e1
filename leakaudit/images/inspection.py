"""What the files of a source are like: how large they are, and which of them cannot be read."""

import math
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Int64

from leakaudit.dataset import Images, Selected
from leakaudit.images import decoding, files
from leakaudit.images.embedded import Embedded
from leakaudit.images.files import Files

PROBES = 64
"""Files whose header is read for their size."""


def sizes(images: Images) -> tuple[tuple[int, int], ...]:
    """The smallest and the largest height and width of some files, in pixels; empty where none of them has any."""
    source = images.source if isinstance(images, Selected) else images
    if not isinstance(source, Files):
        return ()
    probes = np.unique(np.linspace(0, len(source) - 1, PROBES).astype(np.int64))
    found = sorted(filter(None, files.pooled(_size, [source.paths[row] for row in probes])), key=math.prod)
    return (found[0], found[-1]) if found else ()


def _size(path: str) -> tuple[int, int] | None:
    try:
        return decoding.measure(path, None)
    except decoding.BROKEN:
        return None


def unreadable(images: Images, rows: Int64[np.ndarray, " b"]) -> Bool[np.ndarray, " b"]:
    """Which of these images do not decode, each of which is decoded once; what is no file, nor lies in one, is read."""
    if isinstance(images, Selected):
        return unreadable(images.source, images.rows[rows])
    if isinstance(images, Files):
        return files.unreadable([images.paths[row] for row in rows.tolist()])
    if isinstance(images, Embedded):
        names = [images.names[row] for row in rows.tolist()]
        return replace(images, file=images.file[rows], places=images.places[rows], names=names).unreadable()
    return np.zeros(len(rows), bool)
