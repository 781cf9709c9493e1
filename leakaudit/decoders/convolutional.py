"""
Decoder: a ridge regression from bottleneck to pixels, and an upsampling convolutional network for what it leaves over.

After Dosovitskiy and Brox, "Inverting Visual Representations with Convolutional Networks", CVPR 2016, with a linear
path beside the network, so that it is never worse than linear on held-out rows, nor than the mean image.
"""

import math
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.nn import functional

from leakaudit.decoders import Decoded
from leakaudit.numerics import device as devices

HELD_OUT = 0.15
STRENGTHS = 13
LEARNING_RATE = 1e-3
LEAST = 8
"""Channels that halving never goes under, unless it starts there."""
WORTHWHILE = 1e-3
"""Share by which the held-out error must fall for an epoch to count as an improvement."""
INVISIBLE = 1e-6
"""Squared error that counts as none: 60 dB."""
STRIDE = 1024
"""Rows decoded at a time."""


def decode(
    seen: Float32[np.ndarray, "n d"],
    images: Float32[np.ndarray, "n c h w"],
    unseen: Float32[np.ndarray, "m d"],
    *,
    seed: int,
    device: str,
    epochs: int = 80,
    width: int = 64,
    batch_size: int = 128,
    patience: int = 8,
) -> Decoded:
    """
    Rebuild images by Adam on the squared error, stopped where held-out rows no longer improve.

    `converged` is false where held-out rows still improved at the last epoch. `width`: channels of the smallest map.
    """
    order = torch.randperm(len(seen), generator=devices.generator(seed)).to(device)
    held = max(1, round(HELD_OUT * len(seen)))
    test, train = order[:held], order[held:]
    mean, scale = seen.mean(axis=0, dtype=np.float64), seen.std(axis=0, dtype=np.float64)
    scale[scale <= np.abs(mean) * 1e-7] = 1.0

    def standard(z: Float32[np.ndarray, "n d"]) -> Float32[Tensor, "n d"]:
        return torch.from_numpy(((z - mean) / scale).astype(np.float32)).to(device)

    z, x = standard(seen), torch.from_numpy(np.ascontiguousarray(images)).to(device)
    centre, slope, strength = _ridge(z[train], x[train].flatten(1), z[test], x[test].flatten(1))

    def linear(rows: Float[Tensor, "n d"]) -> Float[Tensor, "n c h w"]:
        return (centre + rows @ slope).reshape(-1, *x.shape[1:])

    base = linear(z)
    alone = _error(base[test], x[test])
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        network = Upsampler(seen.shape[1], tuple(x.shape[1:]), width).to(device)
    best, converged = _train(network, (z, base, x), (train, test), epochs, batch_size, patience, seed)
    made = []
    with torch.inference_mode():
        for first in range(0, len(unseen), STRIDE):
            part = standard(unseen[first : first + STRIDE])
            made.append((linear(part) + network(part)).clamp(0, 1).cpu())
    notes = [f"ridge {strength:.3g}, squared error on held-out rows {alone:.4g}; with the network {best:.4g}"]
    if not converged:
        notes.append(f"still improving after {epochs} epochs")
    return Decoded(torch.cat(made).numpy(), converged, tuple(notes))


def _train(
    network: nn.Module,
    rows: tuple[Tensor, Tensor, Tensor],
    split: tuple[Tensor, Tensor],
    epochs: int,
    batch_size: int,
    patience: int,
    seed: int,
) -> tuple[float, bool]:
    """Leave the weights of the best epoch in the network; its held-out error, and whether epochs sufficed."""
    (z, base, x), (train, test) = rows, split
    chance = devices.generator(seed + 1)
    optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
    kept, best, stale = _copy(network), _error(base[test], x[test]), 0
    for _ in range(epochs):
        for part in torch.split(train[torch.randperm(len(train), generator=chance).to(train.device)], batch_size):
            loss = functional.mse_loss(base[part] + network(z[part]), x[part])
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
        with torch.inference_mode():
            error = _error(base[test] + network(z[test]), x[test])
        stale = 0 if error < best * (1 - WORTHWHILE) - INVISIBLE else stale + 1
        if error < best:
            kept, best = _copy(network), error
        if stale == patience:
            break
    network.load_state_dict(kept)
    return best, stale == patience


def _copy(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


class Upsampler(nn.Module):
    """A small map by one linear layer, doubled in size and halved in channels up to the image; at first zero."""

    def __init__(self, inputs: int, shape: tuple[int, ...], width: int) -> None:
        """For images of `shape` (c, h, w)."""
        super().__init__()
        channels, self.height, self.width = shape
        doublings = max(1, math.ceil(math.log2(max(self.height, self.width) / 4)))
        self.small = (width, -(-self.height // 2**doublings), -(-self.width // 2**doublings))
        self.enter = nn.Linear(inputs, math.prod(self.small))
        widths = [max(width >> step, min(width, LEAST)) for step in range(doublings + 1)]
        self.steps = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in pairwise(widths))
        self.leave = nn.Conv2d(widths[-1], channels, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        assert self.leave.bias is not None
        nn.init.zeros_(self.leave.bias)

    def forward(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n c h w"]:
        """What is to be added to the linear part."""
        maps = functional.relu(self.enter(z)).reshape(-1, *self.small)
        for step in self.steps:
            maps = functional.relu(step(maps))
        made: Tensor = self.leave(maps)
        return made[:, :, : self.height, : self.width]


def _ridge(
    z: Float[Tensor, "n d"], x: Float[Tensor, "n p"], held_z: Float[Tensor, "k d"], held_x: Float[Tensor, "k p"]
) -> tuple[Float[Tensor, " p"], Float[Tensor, "d p"], float]:
    """Mean, slopes and penalty of the ridge regression that does best on held-out rows; an infinite one is the mean."""
    centre = x.mean(0)
    values, vectors = torch.linalg.eigh((z.T @ z).double())
    turned = vectors.T @ (z.T @ (x - centre)).double()
    penalties = torch.logspace(-5, 2, STRENGTHS).tolist()
    best, chosen, slope = _error(centre, held_x), math.inf, torch.zeros_like(turned)
    for penalty in penalties:
        trial = vectors @ (turned / (values.clamp_min(0) + penalty * len(z))[:, None])
        error = _error(centre + held_z @ trial.float(), held_x)
        if error < best:
            best, chosen, slope = error, penalty, trial
    return centre, slope.float(), chosen


def _error(made: Tensor, true: Tensor) -> float:
    """Mean squared error of images in 0..1."""
    return float(functional.mse_loss(made.clamp(0, 1).expand_as(true), true))
