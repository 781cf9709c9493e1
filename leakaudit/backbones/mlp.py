"""
A perceptron of a few layers: for vectors, or tiny images, which it flattens.

Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors", Nature 1986; batch norm after
Ioffe and Szegedy, ICML 2015, and dropout after Srivastava et al., JMLR 2014, where they are asked for.
"""

import math
from itertools import pairwise
from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from leakaudit.errors import InputError

BOTTLENECK = "classifier"


class Perceptron(nn.Module):
    """Linear layers with activations; a linear classifier."""

    def __init__(self, features: nn.Sequential, classifier: nn.Linear, *, normalise: bool) -> None:
        super().__init__()
        self.features = features
        self.classifier = classifier
        self.normalise = normalise

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n classes"]:
        """Logits."""
        z = self.features(x.flatten(1))
        logits: Tensor = self.classifier(functional.normalize(z) if self.normalise else z)
        return logits


def build(
    classes: int,
    shape: tuple[int, int, int],
    *,
    width: int = 128,
    depth: int = 2,
    activation: Literal["relu", "tanh"] = "relu",
    normalise: bool = False,
    batch_norm: bool = False,
    dropout: float = 0.0,
) -> nn.Module:
    """
    A network of `depth` hidden layers of `width` numbers; the last of them is the bottleneck.

    `activation` is that of the last, the others' is ReLU; `normalise` scales the bottleneck to length 1; `batch_norm`
    stands before each activation; `dropout` is the share of hidden numbers set to zero while training, but for the
    bottleneck's.
    """
    for name, value in (("width", width), ("depth", depth)):
        if value < 1:
            raise InputError(f"mlp: {name} = {value}: at least 1 expected")
    if not 0 <= dropout < 1:
        raise InputError(f"mlp: dropout = {dropout}: a share from 0 up to, but not, 1 expected")
    layers: list[nn.Module] = []
    for before, after in pairwise((math.prod(shape), *[width] * depth)):
        layers.append(nn.Linear(before, after))
        layers += [nn.BatchNorm1d(after)] if batch_norm else []
        layers += [nn.ReLU(), *([nn.Dropout(dropout)] if dropout else [])]
    while isinstance(layers[-1], nn.Dropout | nn.ReLU):
        layers.pop()
    layers.append(nn.Tanh() if activation == "tanh" else nn.ReLU())
    return Perceptron(nn.Sequential(*layers), nn.Linear(width, classes), normalise=normalise)
