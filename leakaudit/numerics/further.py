"""
What was settled on in a sample, solved once more on all rows of a file, which are read anew in every sweep.

The columns are whitened components of the sample, seen through a lens that no solve writes down: a sweep costs two
products with the raw rows. It starts from the sample's solution, so that few sweeps are left.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32, Int64

from leakaudit.numerics import logistic
from leakaudit.numerics.logistic import Fit
from leakaudit.numerics.moments import Whitening
from leakaudit.numerics.stream import Stream
from leakaudit.numerics.sweeps import Lens

SWEEPS = 60
"""Visits of the file at most."""


def refit(
    stream: Stream,
    basis: Whitening,
    penalties: Float32[np.ndarray, "q r"],
    labels: Sequence[Int64[np.ndarray, " n"]],
    weights: Sequence[Float32[np.ndarray, " n"]],
    classes: int,
    start: Sequence[Fit],
) -> Fit:
    """Each question's hyperplanes on the leading r components of `basis`, from all rows with a label."""
    device, count = stream.device, penalties.shape[1]
    lens = Lens(
        torch.from_numpy(basis.mean.astype(np.float32)).to(device),
        torch.from_numpy(np.ascontiguousarray(basis.matrix[:, :count], np.float32)).to(device),
    )
    small = torch.int8 if classes < torch.iinfo(torch.int8).max else torch.int64
    asked = torch.stack([torch.from_numpy(each).to(device, small) for each in labels])
    counts = torch.stack([torch.from_numpy(each).to(device) for each in weights])
    penalty = torch.from_numpy(np.ascontiguousarray(penalties)).to(device)
    return logistic.fit(stream, asked, counts, penalty, classes, lens=lens, start=_joined(start), iterations=SWEEPS)


def _joined(fits: Sequence[Fit]) -> Fit:
    """The problems of several solves of the same columns."""
    return Fit(
        torch.cat([fit.weights for fit in fits]),
        torch.cat([fit.bias for fit in fits]),
        torch.cat([fit.gap for fit in fits]),
        torch.cat([fit.converged for fit in fits]),
        max(fit.iterations for fit in fits),
    )
