"""
ResNet-50, the network of the contrastive papers: torchvision's, with a bottleneck of 2,048 numbers.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016; used for CIFAR and ImageNet-100 by Barbano et al.,
"Unbiased Supervised Contrastive Learning", ICLR 2023.
"""

from torch import nn
from torchvision.models import ResNet50_Weights, resnet50

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

    `pretrained` starts from torchvision's first ImageNet weights (IMAGENET1K_V1), all but the classifier; for grey
    images the first convolution is their sum over colours. `activation` is that of the last block: tanh stands in all
    three places of its ReLU, twice inside the block and after the sum. `normalise` scales the bottleneck to length 1.
    `stem` is the start: "imagenet" quarters the image; "small", for 32 to 64 pixels, is a 3x3 convolution at full
    resolution.
    """
    weights = ResNet50_Weights.IMAGENET1K_V1
    return residual(
        resnet50, weights, classes, shape, pretrained=pretrained, activation=activation, normalise=normalise, stem=stem
    )
