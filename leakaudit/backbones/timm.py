"""
Any classifier of timm by its name: `timm:resnet18`, or `model = "resnet18"` in a recipe.

Wightman, "PyTorch Image Models", https://github.com/huggingface/pytorch-image-models. The bottleneck is the input of
the layer that timm itself calls the classifier.
"""

import difflib
import warnings
from typing import Any

import torch
from torch import nn

from leakaudit.backbones import _published
from leakaudit.backbones._probe import proven, unfit
from leakaudit.errors import InputError

WEIGHTS = ("model.safetensors", "pytorch_model.bin")


def build(
    classes: int, shape: tuple[int, int, int], *, model: str = "", pretrained: bool = False, drop_rate: float = 0.0
) -> nn.Module:
    """
    The model of that name for images of any number of channels.

    A model that insists on an image size is built for that of the data where it can be. `pretrained` starts from the
    weights that timm names, all but the classifier, its first convolution adapted to the channels as timm does it.
    `drop_rate` is the dropout before the classifier.

    Raises:
        InputError: there is no such model, it does not take these images, its logits do not come out of one layer, or
            its weights are not to be had.
    """
    knobs: dict[str, Any] = {"num_classes": classes, "in_chans": shape[0]}
    knobs |= {"drop_rate": drop_rate} if drop_rate else {}
    if pretrained:
        knobs |= {"pretrained": True, "pretrained_cfg_overlay": {"state_dict": _weights(_known(model))}}
    network = _made(model, shape, knobs)
    vars(network)["pretrained_cfg"].pop("state_dict", None)
    return proven(network, bottleneck(network), shape, f"timm:{model}", _known(model).input_size[1:])


def bottleneck(network: nn.Module) -> str:
    """The name of the linear layer of what timm states to be the classifier."""
    where = f"timm: {type(network).__name__}"
    timms: Any = network
    found: Any = timms.get_classifier()
    layers = list(found) if isinstance(found, (tuple, list, nn.ModuleList)) else [found]
    if len(layers) != 1:
        raise InputError(f"{where}: its logits come out of {len(layers)} classifiers, so that it has no bottleneck")
    linear = [part for part in layers[0].modules() if isinstance(part, (nn.Linear, nn.Conv2d))]
    name = next((name for name, layer in network.named_modules() if linear and layer is linear[-1]), "")
    if not name:
        raise InputError(f"{where}: it has no classifier that timm names, so that it has no bottleneck")
    return name


def layer(shape: tuple[int, int, int], *, model: str = "", pretrained: bool = False, drop_rate: float = 0.0) -> str:
    """The name of the classifier of a model that is not built; no number is drawn."""
    del pretrained, drop_rate
    with torch.device("meta"):
        return bottleneck(_made(model, shape, {"num_classes": 2, "in_chans": shape[0]}))


def _made(model: str, shape: tuple[int, int, int], knobs: dict[str, Any]) -> nn.Module:
    """
    The model, for images of that size if it insists on one.

    Raises:
        InputError: there is no such model, or it cannot be built so.
    """
    import timm

    config = _known(model)
    wanted = tuple(config.input_size[1:])
    if config.fixed_input_size and wanted != tuple(shape[1:]):
        knobs = knobs | {"img_size": tuple(shape[1:])}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made: nn.Module = timm.create_model(model, **knobs)
    except (RuntimeError, TypeError, ValueError, AssertionError, KeyError) as error:
        raise InputError(unfit(f"timm:{model}", shape, wanted, error)) from error
    return made


def _known(model: str) -> Any:
    """
    What timm knows of a model before it is built.

    Raises:
        InputError: it has no such model, or no such weights of it.
    """
    import timm

    if not model:
        raise InputError("timm: which model? timm:resnet18, or model = 'resnet18'")
    name, _, tag = model.partition(".")
    if not timm.is_model(name):
        there = timm.list_models()
        near = difflib.get_close_matches(name, there, n=1, cutoff=0.5)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise InputError(f"timm: no model {model!r}. {hint}timm.list_models() names all {len(there)}.")
    try:
        return timm.get_pretrained_cfg(model) or timm.models.PretrainedCfg(architecture=name)
    except RuntimeError as error:
        tags = sorted(full.partition(".")[2] for full in timm.list_pretrained(f"{name}.*"))
        raise InputError(f"timm:{name}: no weights {tag!r}. There are: {', '.join(tags)}.") from error


def _weights(config: Any) -> dict[str, Any]:
    """
    The published tensors of a model.

    Raises:
        InputError: there are none, or they are not to be had.
        RefusedError: they are damaged.
    """
    where = f"timm:{config.architecture}.{config.tag}" if config.tag else f"timm:{config.architecture}"
    if config.hf_hub_id:
        names = (config.hf_hub_filename,) if config.hf_hub_filename else WEIGHTS
        return _published.tensors(_published.from_hub(config.hf_hub_id, names, where), where)
    if config.url:
        return _published.tensors(_published.file(config.url, where), where)
    raise InputError(f"{where}: pretrained = true: no weights of it are published")
