"""
DenseNet-121, as the papers use it for chest X-rays: torchvision's, with a bottleneck of 1,024 numbers.

Huang et al., "Densely Connected Convolutional Networks", CVPR 2017; for X-rays Barbano, Tartaglione and Grangetto,
"Bridging the gap between debiasing and privacy for deep learning", ICCVW 2021, section 4, whose code for it was never
published. Names and shapes of all tensors are torchvision's, so that its weights load.
"""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import DenseNet121_Weights
from torchvision.models.densenet import DenseNet

from leakaudit.backbones import _published
from leakaudit.backbones._residual import Activation, Stem
from leakaudit.errors import InputError

BOTTLENECK = "classifier"
LEAST = {"imagenet": 29, "small": 8}
"""Pixels a side that are left to be halved by every transition, by stem."""


class Dense(DenseNet):  # type: ignore[misc]
    """DenseNet-121 whose last activation and bottleneck are those of the papers."""

    def __init__(self, classes: int, channels: int, *, tanh: bool, normalise: bool, small: bool) -> None:
        super().__init__(growth_rate=32, block_config=(6, 12, 24, 16), num_init_features=64, num_classes=classes)
        if small or channels != self.features.conv0.in_channels:
            kernel, stride = (3, 1) if small else (7, 2)
            self.features.conv0 = nn.Conv2d(channels, 64, kernel, stride=stride, padding=kernel // 2, bias=False)
            nn.init.kaiming_normal_(self.features.conv0.weight)
        if small:
            self.features.pool0 = nn.Identity()
        self.tanh = tanh
        self.normalise = normalise

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        """Logits."""
        maps = self.features(x)
        z = (maps.tanh() if self.tanh else functional.relu(maps)).mean(dim=(2, 3))
        logits: Tensor = self.classifier(functional.normalize(z) if self.normalise else z)
        return logits


def build(
    classes: int,
    shape: tuple[int, int, int],
    *,
    pretrained: bool = False,
    activation: Activation = "relu",
    normalise: bool = False,
    stem: Stem = "imagenet",
) -> nn.Module:
    """
    A network for any number of channels.

    `pretrained` starts from torchvision's ImageNet weights, all but the classifier; for grey images the first
    convolution is their sum over colours. `activation` is the last one, after the last batch norm. `normalise` scales
    the bottleneck to length 1. `stem` is the start: "imagenet" quarters the image; "small", for 32 to 64 pixels, is a
    3x3 convolution at full resolution.

    Raises:
        InputError: images too small to be halved so often, or pretrained weights that are not to be had.
        RefusedError: published weights are damaged.
    """
    least = LEAST[stem]
    if min(shape[1:]) < least:
        raise InputError(f"densenet121: images of {shape[1]}x{shape[2]}: at least {least}x{least} with stem = {stem!r}")
    if pretrained and stem == "small":
        raise InputError(
            "densenet121: pretrained = true: weights are published for stem = 'imagenet' alone, not 'small'"
        )
    network = Dense(classes, shape[0], tanh=activation == "tanh", normalise=normalise, small=stem == "small")
    if pretrained:
        state = _published.tensors(_published.file(DenseNet121_Weights.IMAGENET1K_V1.url, "densenet121"))
        state = _published.greyed(state, "features.conv0.weight", shape[0], "densenet121")
        _published.fill(network, state, BOTTLENECK, "densenet121")
    return network
