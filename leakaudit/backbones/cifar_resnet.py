"""
The residual networks that were made for CIFAR: three stages of n basic blocks, 6n + 2 layers, 16 to 64 channels.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, section 4.2, with its shortcuts of option A: an
identity that skips every second row and column and is padded with channels of zeros. Names and shapes of all tensors
are those of Idelbayev's widespread implementation, https://github.com/akamaster/pytorch_resnet_cifar10, so that its
published weights load.
"""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from leakaudit.errors import InputError

BOTTLENECK = "linear"
WIDTHS = (16, 32, 64)
"""Channels of the three stages."""


class Block(nn.Module):
    """Two convolutions beside a shortcut without parameters."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.stride, self.more = stride, after - before

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k i j"]:
        """The sum of both ways, rectified."""
        out = functional.relu(self.bn1(self.conv1(x)))
        short = x if self.stride == 1 else x[:, :, :: self.stride, :: self.stride]
        if self.more:
            short = functional.pad(short, (0, 0, 0, 0, self.more // 2, self.more - self.more // 2))
        return functional.relu(self.bn2(self.conv2(out)) + short)


class CifarResNet(nn.Module):
    """A 3x3 convolution at full resolution, three stages, the mean over the image, a linear classifier."""

    def __init__(self, classes: int, channels: int, blocks: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, WIDTHS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.layer1 = _stage(WIDTHS[0], WIDTHS[0], blocks, 1)
        self.layer2 = _stage(WIDTHS[0], WIDTHS[1], blocks, 2)
        self.layer3 = _stage(WIDTHS[1], WIDTHS[2], blocks, 2)
        self.linear = nn.Linear(WIDTHS[2], classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        """Logits."""
        maps = self.layer3(self.layer2(self.layer1(functional.relu(self.bn1(self.conv1(x))))))
        logits: Tensor = self.linear(maps.mean(dim=(2, 3)))
        return logits


def build(classes: int, shape: tuple[int, int, int], *, depth: int = 20) -> nn.Module:
    """
    A network for images of any size and number of channels; the bottleneck holds 64 numbers.

    `depth` is 6n + 2; the paper's are 20, 32, 44, 56 and 110.

    Raises:
        InputError: `depth` is not 6n + 2.
    """
    blocks, rest = divmod(depth - 2, 6)
    if blocks < 1 or rest:
        raise InputError(f"cifar-resnet: depth = {depth}: 6n + 2 expected, such as 20, 32, 44, 56 or 110")
    return CifarResNet(classes, shape[0], blocks)


def _stage(before: int, after: int, blocks: int, stride: int) -> nn.Sequential:
    first = Block(before, after, stride)
    return nn.Sequential(first, *(Block(after, after, 1) for _ in range(blocks - 1)))
