"""
Networks of published checkpoints, as a user would write them down beside the file that was downloaded.

Layers and their order after each project's own description: BorealisAI/advertorch (advertorch/test_utils.py),
akamaster/pytorch_resnet_cifar10 (resnet.py; He et al., CVPR 2016, section 4.2, shortcut A), martin-wmx/MNIST-pytorch
(CNN/model.py, FC/model.py), SunnyHaze/LeNet5-MNIST-Pytorch (LeNet-5_GPU.py), tracel-ai/burn
(examples/import-model-weights/weights/mnist_train_export.py).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

Shape = tuple[int, ...]


class Lenet(nn.Module):
    """Two convolutions of 3x3, and 200 hidden units (advertorch)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 32, 3, padding=1), nn.Conv2d(32, 64, 3, padding=1)
        self.linear1, self.linear2 = nn.Linear(64 * 7 * 7, 200), nn.Linear(200, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        x = functional.max_pool2d(self.conv1(x).relu(), 2)
        x = functional.max_pool2d(self.conv2(x).relu(), 2)
        return self.linear2(self.linear1(x.flatten(1)).relu())


class Perceptron(nn.Module):
    """784-300-100-10 (advertorch)."""

    def __init__(self) -> None:
        super().__init__()
        self.linear1, self.linear2, self.linear3 = nn.Linear(784, 300), nn.Linear(300, 100), nn.Linear(100, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.linear3(self.linear2(self.linear1(x.flatten(1)).relu()).relu())


class Block(nn.Module):
    """Two convolutions beside a shortcut without weights: every second pixel, zeros for new channels."""

    def __init__(self, channels: int, made: int) -> None:
        super().__init__()
        self.stride, self.more = 1 + (made != channels), made - channels
        self.conv1 = nn.Conv2d(channels, made, 3, self.stride, padding=1, bias=False)
        self.conv2 = nn.Conv2d(made, made, 3, padding=1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(made), nn.BatchNorm2d(made)

    def forward(self, x: Tensor) -> Tensor:
        """Maps."""
        beside = x[:, :, :: self.stride, :: self.stride]
        beside = functional.pad(beside, (0, 0, 0, 0, self.more // 2, self.more // 2))
        return (self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())) + beside).relu()


class Residual(nn.Module):
    """Three stages of three blocks: 20 layers (akamaster)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(Block(16, 16), Block(16, 16), Block(16, 16))
        self.layer2 = nn.Sequential(Block(16, 32), Block(32, 32), Block(32, 32))
        self.layer3 = nn.Sequential(Block(32, 64), Block(64, 64), Block(64, 64))
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        x = self.layer3(self.layer2(self.layer1(self.bn1(self.conv1(x)).relu())))
        return self.linear(x.mean((2, 3)))


class Convolutions(nn.Module):
    """Two convolutions of 5x5, and the classifier (martin-wmx)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2, self.fc = nn.Conv2d(1, 10, 5), nn.Conv2d(10, 20, 5), nn.Linear(320, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        for layer in (self.conv1, self.conv2):
            x = functional.max_pool2d(layer(x), 2).relu()
        return self.fc(x.flatten(1))


class Small(nn.Module):
    """Fifteen hidden units (martin-wmx)."""

    def __init__(self) -> None:
        super().__init__()
        self.l1, self.l2 = nn.Linear(784, 15), nn.Linear(15, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.l2(self.l1(x.flatten(1)).relu())


class Stacked(nn.Module):
    """LeNet-5 as two stacks (SunnyHaze)."""

    def __init__(self) -> None:
        super().__init__()
        pool, relu = nn.MaxPool2d(2), nn.ReLU()
        self.layer1 = nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), relu, pool, nn.Conv2d(6, 16, 5), relu, pool)
        self.layer2 = nn.Sequential(nn.Linear(400, 120), relu, nn.Linear(120, 84), relu, nn.Linear(84, 10))

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.layer2(self.layer1(x).flatten(1))


class Normed(nn.Module):
    """Three convolutions; the scores of the last layer are normed and made log probabilities (burn)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 16, 3), nn.Conv2d(16, 24, 3)
        self.norm1, self.norm2 = nn.BatchNorm2d(24), nn.BatchNorm1d(10)
        self.fc1, self.fc2 = nn.Linear(24 * 22 * 22, 32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Log probabilities."""
        x = self.conv3(self.conv2(self.conv1(x).relu()).relu()).relu()
        x = self.fc1(torch.flatten(self.norm1(x), 1)).relu()
        return self.norm2(self.fc2(x)).log_softmax(1)
