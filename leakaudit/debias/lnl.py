"""
LNL: a private head reads an inner layer; the network learns to leave it undecided, and to make it err.

Kim, Kim, Kim, Kim and Kim, "Learning Not to Learn: Training Deep Neural Networks with Biased Data", CVPR 2019,
equations 2 to 5. The original takes two steps a batch: the network goes down on cross-entropy + lambda times the
negative entropy of the head's guess; then the head on its own cross-entropy, whose gradient goes on into the network
reversed and times mu. Here both are one loss: the entropy is read through a frozen copy of the head. The head is built
as the BiasCon authors' for a single private class: two convolutions, the mean over the map, a linear layer. Theirs,
`head = "released"`, has kernels of 7, twice and four times the layer's channels, and batch norm, in whose statistics
rows without a private label count too; it costs more than the network below it. `lam = 1` and the layer after the
second convolution are theirs, `mu = 0.1` the original's.
"""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from leakaudit import catalog
from leakaudit.debias import Batch, Objective, Out, Sizes
from leakaudit.errors import InputError
from leakaudit.numerics.knobs import at_least
from leakaudit.numerics.reversal import reverse

Kind = Literal["small", "released"]
MAP = 3
"""Dimensions of a row's feature map: channels, height, width."""


class Head(nn.Module):
    """Two convolutions, the mean over the map, a linear layer."""

    def __init__(self, kind: Kind, channels: int, classes: int) -> None:
        super().__init__()
        released = kind == "released"
        kernel, (one, two) = (7, (2 * channels, 4 * channels)) if released else (3, (channels, channels))
        self.first = nn.Conv2d(channels, one, kernel, padding=kernel // 2)
        self.second = nn.Conv2d(one, two, kernel, padding=kernel // 2)
        self.last = nn.Linear(two, classes)
        self.norms = nn.ModuleList([nn.BatchNorm2d(wide) if released else nn.Identity() for wide in (one, two)])

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        """Logits of the private class."""
        for layer, norm in zip((self.first, self.second), self.norms, strict=True):
            x = functional.relu(norm(layer(x)))
        logits: Tensor = self.last(x.mean(dim=(2, 3)))
        return logits


class Lnl(Objective):
    """CE(target) + lambda (minus entropy) by the frozen head + CE(private) of the head behind a reversal of mu."""

    def __init__(self, sizes: Sizes, layer: str, head: Kind, lam: float, mu: float) -> None:
        super().__init__()
        self.taps = (layer,)
        self.head = Head(head, sizes.taps[layer][0], sizes.privates)
        self.lam, self.mu = lam, mu

    def forward(self, batch: Batch, out: Out) -> Float[Tensor, ""]:
        """The sum; rows without a private label take part in the first term alone."""
        known = batch.v >= 0
        (features,) = out.taps.values()
        frozen = {name: parameter.detach() for name, parameter in self.head.named_parameters()}
        log = functional_call(self.head, frozen, (features,)).log_softmax(1)
        negative = ((log.exp() * log).sum(1) * known).sum()
        total = functional.cross_entropy(
            self.head(reverse(features, self.mu)), batch.v, ignore_index=-1, reduction="sum"
        )
        private = (self.lam * negative + total) / known.sum().clamp(min=1)
        loss: Tensor = functional.cross_entropy(out.logits, batch.y) + private
        return loss


def objective(
    sizes: Sizes, *, layer: str = "features.5", head: Kind = "small", lam: float = 1.0, mu: float = 0.1
) -> Objective:
    """LNL on the output of an inner `layer`, which must be a map (channels, height, width)."""
    at_least("lnl", 0, lam=lam, mu=mu)
    maps = [name for name, shape in sizes.taps.items() if len(shape) == MAP]
    if layer not in maps:
        raise InputError(f"lnl: no layer {layer!r} with a feature map. {catalog.suggest(layer, maps)}")
    return Lnl(sizes, layer, head, lam, mu)
