"""
What the residual networks share: torchvision's own, with the papers' last activation and unit bottleneck.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016. Tanh and the unit sphere: Barbano, Tartaglione and
Grangetto, "Bridging the gap between debiasing and privacy for deep learning", ICCVW 2021, section 4. Names and shapes
of all tensors are torchvision's, so that its weights load.
"""

from collections.abc import Callable
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from leakaudit.backbones import _published
from leakaudit.errors import InputError

Activation = Literal["relu", "tanh"]
Stem = Literal["imagenet", "small"]


class Sphere(nn.Module):
    """The mean over the image, scaled to length 1."""

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c 1 1"]:
        """What the average pooling of a residual network gives, on the unit sphere."""
        return functional.normalize(x.mean(dim=(2, 3), keepdim=True))


def residual(
    make: Callable[..., Any],
    weights: Any,
    classes: int,
    shape: tuple[int, int, int],
    *,
    pretrained: bool,
    activation: Activation,
    normalise: bool,
    stem: Stem,
) -> nn.Module:
    """
    The network that torchvision's `make` gives, its knobs as `resnet18.build` states them.

    Raises:
        InputError: `pretrained` with a stem or channels never published, or weights that are not to be had.
        RefusedError: published weights are damaged.
    """
    where = make.__name__
    if pretrained and stem == "small":
        raise InputError(f"{where}: pretrained = true: weights are published for stem = 'imagenet' alone, not 'small'")
    network: Any = make(weights=None, num_classes=classes)
    if stem == "small":
        network.conv1, network.maxpool = _first(network.conv1, shape[0], 3, 1), nn.Identity()
    elif shape[0] != network.conv1.in_channels:
        network.conv1 = _first(network.conv1, shape[0], 7, 2)
    if activation == "tanh":
        network.layer4[-1].relu = nn.Tanh()
    if normalise:
        network.avgpool = Sphere()
    if pretrained:
        state = _published.tensors(_published.file(weights.url, where))
        state = _published.greyed(state, "conv1.weight", shape[0], where)
        _published.fill(network, state, "fc", where)
    made: nn.Module = network
    return made


def _first(old: Any, channels: int, kernel: int, stride: int) -> nn.Conv2d:
    """A first convolution with as many channels out as `old`, drawn as torchvision draws it."""
    fresh = nn.Conv2d(channels, old.out_channels, kernel, stride=stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(fresh.weight, mode="fan_out", nonlinearity="relu")
    return fresh
