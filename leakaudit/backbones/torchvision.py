"""
Any classifier of torchvision by its name: `torchvision:resnet34`, or `model = "resnet34"` in a recipe.

TorchVision maintainers and contributors, "TorchVision: PyTorch's Computer Vision library",
https://github.com/pytorch/vision. The bottleneck is the input of the last linear layer, which a forward pass has to
prove; the two squeezenets have none. Weights other than the default ones are named behind a dot:
`torchvision:resnet50.IMAGENET1K_V1`.
"""

import inspect
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from leakaudit import catalog
from leakaudit.backbones import Published, _published
from leakaudit.backbones._probe import proven, unfit
from leakaudit.errors import InputError
from leakaudit.preprocessing import Said
from leakaudit.store import digest_file


def build(classes: int, shape: tuple[int, int, int], *, model: str = "", pretrained: bool = False) -> nn.Module:
    """
    The model of that name for images of any number of channels.

    A model that insists on an image size is built for that of the data where it can be. `pretrained` starts from
    torchvision's default weights, all but the classifier; for grey images the first convolution is their sum over
    colours.

    Raises:
        InputError: there is no such classifier, it does not take these images, its logits do not come out of one layer,
            or its weights are not to be had.
        RefusedError: published weights are damaged.
    """
    where = f"torchvision:{model}"
    network = _made(model, shape, classes, pretrained=pretrained)
    if pretrained:
        _start(network, _weights(model).url, shape[0], f"{where}: pretrained = true")
    return proven(network, bottleneck(network), shape, where, _size(model))


AUXILIARY = ("AuxLogits.", "aux1.", "aux2.")
"""Second classifiers of the Inception networks, which are built without them."""

INSIDE = ("googlenet.", "inception_v3.")
"""Networks whose published weights go with a normalisation of their own."""


def _start(network: nn.Module, url: str, channels: int, where: str) -> None:
    """
    Fill all but the classifier with the weights at a URL.

    Raises:
        InputError: they are not to be had, or not for so many channels.
        RefusedError: they are damaged or another network's.
    """
    state = _read(_published.file(url, where))
    state = _published.greyed(state, f"{_first(network)}.weight", channels, where)
    _published.fill(network, state, bottleneck(network), where)


def _read(path: Path) -> dict[str, Tensor]:
    """The published tensors of a file, but those of second classifiers."""
    state = _published.tensors(path)
    return {name: tensor for name, tensor in state.items() if not name.startswith(AUXILIARY)}


def published(size: tuple[int, int] | None = None, *, model: str = "", pretrained: bool = True) -> Published:
    """
    The model of that name as torchvision publishes it; `pretrained = false` leaves out its weights.

    Raises:
        InputError: there is no such classifier, it does not take images of `size`, its logits do not come out of one
            layer, or its weights are not to be had.
        RefusedError: they are damaged, unsafe, or another model's.
    """
    _known(model)
    weights = _weights(model)
    where = f"torchvision:{model.partition('.')[0]}.{weights.name}"
    names = tuple(weights.meta["categories"])
    path = _published.file(weights.url, where) if pretrained else None
    tensors = None
    if path is not None:
        shape = (3, *(size or _size(model)))
        with torch.random.fork_rng(devices=[]):
            network = _made(model, shape, len(names), pretrained=False)
            proven(network, bottleneck(network), shape, where, _size(model))
            tensors = _published.loaded(network, _read(path), where)
    notes = f"weights: {weights.url}" if pretrained else f"{where}: pretrained=false was said: the weights are random"
    return Published(
        name=where,
        tensors=tensors,
        classes=len(names),
        names=names,
        preprocessing=_enters(weights, where),
        sha256="" if path is None else digest_file(path),
        notes=(notes, *_resized(weights)),
    )


def _enters(weights: Any, where: str) -> Said:
    """
    How images enter at evaluation: torchvision's own `transforms` of the weights.

    The two Inception networks normalise a second time, inside (`transform_input`): both together are 0.5 and 0.5.
    """
    preset = weights.transforms()
    mean, std = tuple(map(float, preset.mean)), tuple(map(float, preset.std))
    if where.partition(":")[2].startswith(INSIDE):
        mean, std = (0.5,) * 3, (0.5,) * 3
    (cut,), (resize,) = preset.crop_size, preset.resize_size
    whose = f"torchvision's transforms of {where.partition(':')[2]}"
    return Said(whose, 3, (cut, cut), (resize, resize), mean, std, ratio=True)


def _resized(weights: Any) -> tuple[str, ...]:
    """What is done otherwise than torchvision does it."""
    how = weights.transforms().interpolation.value
    words = f"torchvision resizes images for this model by {how} interpolation; here it is bilinear"
    return () if how == "bilinear" else (words,)


def bottleneck(network: nn.Module) -> str:
    """The name of the last linear layer."""
    names: list[str] = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    if not names:
        why = "its logits are means over places of a convolution, so that no layer's input is a bottleneck"
        raise InputError(f"torchvision: {type(network).__name__} has no linear layer: {why}; both squeezenets are so")
    return names[-1]


def layer(shape: tuple[int, int, int], *, model: str = "", pretrained: bool = False) -> str:
    """The name of the classifier of a model that is not built; no number is drawn."""
    del pretrained
    with torch.random.fork_rng(devices=[]):
        return bottleneck(_made(model, shape, 2, pretrained=False))


def _made(model: str, shape: tuple[int, int, int], classes: int, *, pretrained: bool) -> nn.Module:
    """
    The model with fresh weights, for images of that size and number of channels.

    Raises:
        InputError: there is no such classifier, or it cannot be built so.
    """
    import torchvision

    maker: Any = torchvision.models.get_model_builder(_known(model))
    _weights(model)
    knobs: dict[str, Any] = {"num_classes": classes}
    inside = inspect.signature(inspect.signature(maker).return_annotation).parameters
    knobs |= {"aux_logits": False, "transform_input": pretrained and shape[0] != 1} if "aux_logits" in inside else {}
    knobs |= {"init_weights": True} if "init_weights" in inside else {}
    knobs |= {"image_size": shape[1]} if "image_size" in inside else {}
    knobs |= {"input_size": tuple(shape[1:])} if "input_size" in inside else {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network: nn.Module = maker(weights=None, **knobs)
    except (RuntimeError, TypeError, ValueError, AssertionError) as error:
        raise InputError(unfit(f"torchvision:{model}", shape, _size(model), error)) from error
    if shape[0] != 3:  # noqa: PLR2004 (all of them are made for colour)
        parent, _, name = _first(network).rpartition(".")
        old: Any = getattr(network.get_submodule(parent), name)
        fresh = nn.Conv2d(
            shape[0], old.out_channels, old.kernel_size, old.stride, old.padding, bias=old.bias is not None
        )
        setattr(network.get_submodule(parent), name, fresh)
    return network


def _size(model: str) -> tuple[int, int]:
    """Height and width of the images that a model was published for."""
    side = _weights(model).transforms().crop_size[0]
    return side, side


def _weights(model: str) -> Any:
    """
    The published weights of a model: those behind the dot, else torchvision's default.

    Raises:
        InputError: there are none of that name.
    """
    import torchvision

    name, _, tag = model.partition(".")
    there: Any = torchvision.models.get_model_weights(name)
    if tag and tag not in there.__members__:
        raise InputError(f"torchvision:{name}: no weights {tag!r}. There are: {', '.join(one.name for one in there)}.")
    return there[tag] if tag else there.DEFAULT


def _first(network: nn.Module) -> str:
    """The name of the first convolution."""
    names: list[str] = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)]
    return names[0]


def _known(model: str) -> str:
    """
    The name of a classifier that torchvision has, without that of its weights.

    Raises:
        InputError: it has none of that name; the message says whether it has anything else of it.
    """
    import torchvision

    if not model:
        raise InputError("torchvision: which model? torchvision:resnet34, or model = 'resnet34'")
    model = model.partition(".")[0]
    classifiers = torchvision.models.list_models(module=torchvision.models)
    if model in classifiers:
        return model
    if model in torchvision.models.list_models():
        raise InputError(f"torchvision:{model} classifies no images: it finds, outlines, follows or quantises")
    others = catalog.suggest(model, classifiers, "torchvision.models.list_models() names them")
    raise InputError(f"torchvision: no model {model!r}. {others}")
