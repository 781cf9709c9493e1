"""
Batch norm whose statistics are those of the rows of all ranks.

On CUDA it is torch's own SyncBatchNorm, which takes no tensor of a CPU; there it is the same arithmetic on sums over
ranks, through which gradients flow. A layer is turned in place: its parameters, statistics and hooks stay, and a state
dict does not tell.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from leakaudit.errors import InputError
from leakaudit.numerics.gather import summed

PLAIN = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
AFTER = ("drop", "act")
"""What timm's BatchNormAct2d does after it, in this order."""


class Synchronised(nn.SyncBatchNorm):
    """Batch norm over all ranks in a training pass that is shared out, and over the rows at hand in any other."""

    shared: bool

    def forward(self, x: Float[Tensor, "n c ..."]) -> Float[Tensor, "n c ..."]:
        """Normalised, and then whatever the layer does with it."""
        normed = self._over_ranks(x) if self.shared and self.training else _BatchNorm.forward(self, x)
        for name in AFTER:
            normed = getattr(self, name, _same)(normed)
        return normed

    @torch.compiler.disable  # type: ignore[untyped-decorator]
    def _over_ranks(self, x: Tensor) -> Tensor:
        if x.is_cuda:
            return nn.SyncBatchNorm.forward(self, x)
        given, x = x.dtype, x.to(torch.promote_types(x.dtype, torch.float32))
        places = [0, *range(2, x.ndim)]
        wide = [1, -1, *[1] * (x.ndim - 2)]
        count = summed(torch.tensor(float(x.numel() // x.shape[1]), dtype=x.dtype))
        mean = summed(x.sum(places)) / count
        apart = x - mean.view(wide)
        variance = summed(apart.square().sum(places)) / count
        self._remember(mean.detach(), variance.detach() * count / (count - 1))
        normed = apart * (variance + self.eps).rsqrt().view(wide)
        if self.weight is not None:
            normed = normed * self.weight.view(wide) + self.bias.view(wide)
        return normed.to(given)

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics."""
        if self.running_mean is None or self.running_var is None or not self.track_running_stats:
            return
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        by = 1 / float(self.num_batches_tracked or 1) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, by)
        self.running_var.lerp_(variance, by)


def _same(x: Tensor) -> Tensor:
    return x


def synchronise(network: nn.Module, where: str) -> None:
    """
    Turn every batch norm of a network into a synchronised one.

    Raises:
        InputError: one is of a kind that does more than batch norm; `where` begins the message.
    """
    for name, layer in network.named_modules():
        if not isinstance(layer, _BatchNorm) or isinstance(layer, Synchronised):
            continue
        if type(layer) not in (*PLAIN, nn.SyncBatchNorm) and not all(hasattr(layer, part) for part in AFTER):
            raise InputError(
                f"{where}: sync_batch_norm = true: layer {name} is a {type(layer).__name__}, a batch norm of its own "
                f"kind; it can be trained in one process, or on ranks that each normalise their rows"
            )
        layer.__class__ = Synchronised
        vars(layer).update(shared=False, process_group=None)


def share(network: nn.Module, shared: bool) -> None:  # noqa: FBT001 (a state, not a choice)
    """Whether passes from now on are of a batch that is shared out."""
    for layer in network.modules():
        if isinstance(layer, Synchronised):
            layer.shared = shared


def normalises(network: nn.Module) -> bool:
    """Whether a network looks at statistics of a batch that its ranks would each take of their own rows."""
    return any(isinstance(layer, _BatchNorm) and not isinstance(layer, Synchronised) for layer in network.modules())
