"""
SimpleConvNet: four convolutions at full resolution, then the mean over the image.

Bahng et al., "Learning De-biased Representations with Biased Representations", ICML 2020, section 4.2. With `activation
= "tanh"` and `normalise = true` it is the network of Tartaglione et al., "EnD", CVPR 2021, whose bottleneck lies on the
unit sphere; with tanh alone, that of IRENE (BMVC 2022).
"""

from itertools import pairwise
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from leakaudit.errors import InputError

BOTTLENECK = "classifier"


class SimpleConvNet(nn.Module):
    """Convolution, batch norm and activation four times; mean over the image; a linear classifier."""

    def __init__(
        self, classes: int, channels: tuple[int, ...], kernel: int, stride: int, last: nn.Module, *, normalise: bool
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for step, (before, after) in zip((1, stride, stride, 1), pairwise(channels), strict=True):
            convolution = nn.Conv2d(before, after, kernel, stride=step, padding=kernel // 2)
            layers += [convolution, nn.BatchNorm2d(after), nn.ReLU()]
        layers[-1] = last
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels[-1], classes)
        self.normalise = normalise
        for layer in self.features:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        """Logits."""
        z = self.features(x).mean(dim=(2, 3))
        if self.normalise:
            z = functional.normalize(z)
        logits: Tensor = self.classifier(z)
        return logits


def build(
    classes: int,
    shape: tuple[int, int, int],
    *,
    kernel: int = 7,
    width: int = 16,
    stride: int = 1,
    activation: Literal["relu", "tanh"] = "relu",
    normalise: bool = False,
) -> nn.Module:
    """
    A network with `width`, 2, 4 and 8 times `width` channels; the bottleneck holds 8 `width` numbers.

    `stride` is that of the second and the third convolution, 1 in the papers; `activation` that of the last;
    `normalise` scales the bottleneck to length 1.
    """
    if kernel < 1 or kernel % 2 == 0:
        raise InputError(f"simple-convnet: kernel = {kernel}: an odd number expected")
    if width < 1:
        raise InputError(f"simple-convnet: width = {width}: at least 1 expected")
    if stride < 1:
        raise InputError(f"simple-convnet: stride = {stride}: at least 1 expected")
    channels = (shape[0], width, 2 * width, 4 * width, 8 * width)
    last = nn.Tanh() if activation == "tanh" else nn.ReLU()
    return SimpleConvNet(classes, channels, kernel, stride, last, normalise=normalise)
