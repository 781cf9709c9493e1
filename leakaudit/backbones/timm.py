"""
Any classifier of timm by its name: `timm:resnet18`, or `model = "resnet18"` in a recipe.

Wightman, "PyTorch Image Models", https://github.com/huggingface/pytorch-image-models. The bottleneck is the input of
the layer that timm itself calls the classifier. A published model is prepared for as timm's own evaluation does it.
"""

import difflib
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from leakaudit.backbones import Published, _published
from leakaudit.backbones._probe import proven, unfit
from leakaudit.errors import InputError
from leakaudit.preprocessing import Said
from leakaudit.store import digest_file

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
        state = _published.tensors(_weights(_known(model), "pretrained = true: "))
        knobs |= {"pretrained": True, "pretrained_cfg_overlay": {"state_dict": state}}
    network = _made(model, shape, knobs)
    vars(network)["pretrained_cfg"].pop("state_dict", None)
    return proven(network, bottleneck(network), shape, f"timm:{model}", _known(model).input_size[1:])


def published(
    size: tuple[int, int] | None = None, *, model: str = "", pretrained: bool = True, drop_rate: float = 0.0
) -> Published:
    """
    The model of that name as timm publishes it; `pretrained = false` leaves out its weights.

    A transformer is made for images of `size` as timm does it, its positions resampled.

    Raises:
        InputError: there is no such model, it does not take such images, its logits do not come out of one layer, or
            its weights are not to be had.
        RefusedError: they are damaged, unsafe, or another model's.
    """
    config = _known(model)
    path = _weights(config) if pretrained else None
    tensors = None if path is None else _filled(model, size, _published.tensors(path), drop_rate)
    return Published(
        name=_tagged(config),
        tensors=tensors,
        classes=config.num_classes,
        names=_classes(config),
        preprocessing=_enters(config),
        sha256="" if path is None else digest_file(path),
        notes=_notes(config, path),
    )


def _filled(
    model: str, size: tuple[int, int] | None, state: dict[str, torch.Tensor], drop_rate: float
) -> dict[str, np.ndarray]:
    """Every tensor of a model that timm itself fills, old names and other sizes of its weights adapted."""
    config = _known(model)
    channels, *own = config.input_size
    shape = (channels, *(size or own))
    knobs = {"num_classes": config.num_classes, "in_chans": channels, "drop_rate": drop_rate, "pretrained": True}
    with torch.random.fork_rng(devices=[]):
        network = _made(model, shape, {**knobs, "pretrained_cfg_overlay": {"state_dict": state}})
        proven(network, bottleneck(network), shape, _tagged(config), tuple(own))
    return {name: each.numpy() for name, each in network.state_dict().items()}


def _enters(config: Any) -> Said:
    """
    How images enter at evaluation: over floor(size / crop_pct) with their sides in ratio, the middle cut out.

    Those of `crop_mode` squash lose their ratio.
    `timm.data.resolve_data_config` and `transforms_imagenet_eval` say so.
    """
    from timm.data.config import resolve_data_config

    resolve: Any = resolve_data_config
    found = resolve(pretrained_cfg=config.to_dict())
    channels, height, width = found["input_size"]
    resize = (math.floor(height / found["crop_pct"]), math.floor(width / found["crop_pct"]))
    whose = f"timm's configuration of {_tagged(config).removeprefix('timm:')}"
    mean, std, ratio = tuple(found["mean"]), tuple(found["std"]), found["crop_mode"] != "squash"
    return Said(whose, channels, (height, width), resize, mean, std, ratio)


def _classes(config: Any) -> tuple[str, ...]:
    """The names of the classes, of ImageNet's subsets, which timm knows."""
    from timm.data import imagenet_info

    library: Any = imagenet_info
    subset = library.infer_imagenet_subset(config.to_dict())
    info = library.ImageNetInfo(subset) if subset else None
    if info is None or info.num_classes() != config.num_classes:
        return ()
    return tuple(info.index_to_description(index) for index in range(config.num_classes))


def _notes(config: Any, path: Path | None) -> tuple[str, ...]:
    """Where the weights are from, their licence, and what is done otherwise than timm does it."""
    made = []
    if path is None:
        made.append(f"{_tagged(config)}: pretrained=false was said: the weights are random")
    elif config.hf_hub_id:
        commit = f" at {path.parent.name[:12]}" if path.parent.parent.name == "snapshots" else ""
        made.append(f"weights: {path.name} of {config.hf_hub_id} on Hugging Face{commit}")
    else:
        made.append(f"weights: {config.url}")
    made.append(f"licence, as timm states it: {config.license or 'none'}")
    if not config.num_classes:
        made.append("timm publishes this model without a classifier: its output is the bottleneck itself")
    if config.interpolation and config.interpolation != "bilinear":
        made.append(f"timm resizes images for this model by {config.interpolation} interpolation; here it is bilinear")
    if config.crop_mode == "border":
        made.append("timm pads images for this model to its size; here their middle is cut out")
    return tuple(made)


def bottleneck(network: nn.Module) -> str:
    """The name of the linear layer of what timm states to be the classifier; without classes it is the identity."""
    where = f"timm: {type(network).__name__}"
    timms: Any = network
    found: Any = timms.get_classifier()
    layers = list(found) if isinstance(found, (tuple, list, nn.ModuleList)) else [found]
    if len(layers) != 1:
        raise InputError(f"{where}: its logits come out of {len(layers)} classifiers, so that it has no bottleneck")
    kinds = (nn.Identity,) if isinstance(layers[0], nn.Identity) else (nn.Linear, nn.Conv2d)
    linear = [part for part in layers[0].modules() if isinstance(part, kinds)]
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


def _weights(config: Any, why: str = "") -> Path:
    """
    The file of a model's published tensors; `why` they are asked for stands in a refusal.

    Raises:
        InputError: there are none, or they are not to be had.
        RefusedError: they are damaged.
    """
    where = f"{_tagged(config)}: {why}".rstrip(": ")
    if config.hf_hub_id:
        names = (config.hf_hub_filename,) if config.hf_hub_filename else WEIGHTS
        return _published.from_hub(config.hf_hub_id, names, where)
    if config.url:
        return _published.file(config.url, where)
    raise InputError(f"{where}: no weights of it are published")


def _tagged(config: Any) -> str:
    """`timm:resnet18.a1_in1k`."""
    return f"timm:{config.architecture}.{config.tag}" if config.tag else f"timm:{config.architecture}"
