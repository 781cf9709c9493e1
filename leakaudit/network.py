"""The network of an encoder, with its weights in it: built by a backbone, a user's own code or an ONNX graph."""

import numpy as np
import torch
from torch import nn

from leakaudit import catalog
from leakaudit.backbones import bottleneck
from leakaudit.encoder import Encoder
from leakaudit.errors import RefusedError


def of(encoder: Encoder) -> tuple[nn.Module, str]:
    """
    The network, and the name of its classifier, whose input is the bottleneck.

    Raises:
        InputError: there is no such backbone or knob, or it does not take such images.
        RefusedError: the weights do not fit.
    """
    module = catalog.thing("backbones", encoder.backbone.name, encoder.name)
    knobs = catalog.check(module.build, encoder.backbone.knobs, f"{encoder.name}: backbone {encoder.backbone.name}")
    if "pretrained" in catalog.knobs(module.build) and (encoder.weights is not None or encoder.kind == "random-init"):
        knobs["pretrained"] = False
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(encoder.seed)
        network: nn.Module = module.build(encoder.classes, tuple(encoder.shape), **knobs)
    if encoder.weights is not None:
        _fill(network, encoder.weights, f"{encoder.name}: the weights do not fit {encoder.backbone}")
    return network, encoder.layer or bottleneck(module, network)


def _fill(network: nn.Module, weights: dict[str, np.ndarray], where: str) -> None:
    wanted = network.state_dict()
    missing = [name for name in wanted if name not in weights]
    unknown = [name for name in weights if name not in wanted]
    shapes = [
        f"{name} {list(weights[name].shape)} for {list(wanted[name].shape)}"
        for name in wanted
        if name in weights and weights[name].shape != tuple(wanted[name].shape)
    ]
    parts = [("missing", missing), ("unknown", unknown), ("of another shape", shapes)]
    wrong = [
        f"{len(names)} {what} ({', '.join(names[:3])}{', ...' if names[3:] else ''})" for what, names in parts if names
    ]
    if wrong:
        raise RefusedError(f"{where}: {'; '.join(wrong)}; of {len(wanted)} tensors")
    network.load_state_dict({name: torch.from_numpy(np.array(tensor)) for name, tensor in weights.items()})
