"""
ResNet-18, as the papers use it for faces: torchvision's, with a bottleneck of 512 numbers.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016. With `activation = "tanh"`, `normalise = true` and
`pretrained = true` it is the network of Barbano et al., "Bridging the gap between debiasing and privacy for deep
learning", ICCVW 2021, section 4; without all three, that of IRENE (BMVC 2022) for CelebA.
"""

from torch import nn
from torchvision.models import ResNet18_Weights, resnet18

from leakaudit.backbones._residual import Activation, Stem, residual

BOTTLENECK = "fc"


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
    A network for images of any size and number of channels.

    `pretrained` starts from torchvision's ImageNet weights, all but the classifier; for grey images the first
    convolution is their sum over colours. `activation` is that of the last block: tanh stands in both places of its
    ReLU, inside the block and after the sum, as in the papers. `normalise` scales the bottleneck to length 1. `stem` is
    the start: "imagenet" quarters the image; "small", for 32 to 64 pixels, is a 3x3 convolution at full resolution.
    """
    weights = ResNet18_Weights.IMAGENET1K_V1
    return residual(
        resnet18, weights, classes, shape, pretrained=pretrained, activation=activation, normalise=normalise, stem=stem
    )
