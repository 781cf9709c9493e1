"""
Kindred networks: which of all that are known are worth comparing with a stranger's tensors.

This project's own backbones, with knobs that are read off the shapes, torchvision's classifiers, and timm's of the
families that the names of the tensors speak of: a family is known by a name that its tensors have.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from leakaudit.catalog import Call
from leakaudit.matching import Shape

FAMILIES = (
    (r"layer1\.0\.conv1", ("resnet*", "tv_*", "resnext*", "wide_resnet*", "se*res*", "ecaresnet*", "gluon_*", "res2net*")),  # noqa: E501 (a family a line)
    (r"denseblock1", ("densenet*",)),
    (r"blocks\.0\.attn\.qkv", ("vit_*", "deit*", "beit*", "eva*")),
    (r"conv_head\.bias", ("mobilenetv3*", "tf_mobilenetv3*", "lcnet*", "hardcorenas*", "fbnetv3*")),
    (r"norm_head", ("mobilenetv4*",)),
    (r"(conv_stem|blocks\.0\.0\.conv_dw)", ("efficientnet*", "tf_efficientnet*", "mobilenetv*", "mnasnet*", "tinynet*", "mixnet*", "tf_mixnet*", "fbnetc*", "spnasnet*", "semnasnet*", "ghostnet*")),  # noqa: E501 (as above)
    (r"stem\.conv\.weight", ("regnet*", "resnetv2*", "cspresnet*", "ghostnet*")),
    (r"stages\.0\.blocks\.0\.conv_dw", ("convnext*",)),
    (r"layers\.0\.blocks\.0\.attn", ("swin*",)),
    (r"stages\.0\.", ("convnext*", "levit*", "coatnet*", "maxvit*", "hgnet*", "poolformer*")),
    (r"pre_logits\.fc1", ("vgg*",)),
    (r"(block1\.rep|Mixed_5b|level0)\.", ("xception*", "inception*", "dla*")),
)  # fmt: skip
"""Names of tensors, and the models of timm that have such."""
SHELF = (
    (r"layer1\.0\.conv1", ("resnet", "resnext", "wide_resnet")),
    (r"denseblock1", ("densenet",)),
    (r"features\.0\.0\.weight", ("mobilenet", "efficientnet", "convnext", "swin")),
    (r"features\.0\.weight", ("alexnet", "vgg")),
    (r"layers\.0\.weight", ("mnasnet",)),
    (r"trunk_output", ("regnet",)),
    (r"Mixed_5b", ("inception",)),
    (r"inception3a", ("googlenet",)),
    (r"stage2\.0\.branch", ("shufflenet",)),
    (r"encoder_layer_0", ("vit",)),
    (r"blocks\.0\.layers\.0\.layers", ("maxvit",)),
)
"""Names of tensors, and how the models of torchvision begin that have such."""
VIT = {192: "tiny", 384: "small", 768: "base", 1024: "large", 1280: "huge"}
"""What timm calls vision transformers of a width."""


WHOSE = ("", "tv_", "tf_", "gluon_", "legacy_")
"""What stands before names of timm for the same layers with the weights or the padding of another library."""
LIBRARIES = ("own", "torchvision", "timm")
"""Where candidates come from, those first that are found soonest: this project's own backbones, and others'."""

Shelf = list[list[Call]]
"""Candidates of one place, by family."""


def shelf(library: str, shapes: Mapping[str, Shape], hint: str) -> Shelf:
    """Candidates of one of `LIBRARIES`; `hint` is a text that may name a model of timm."""
    if library == "own":
        return [list(_own(shapes))]
    if library == "torchvision":
        return _grouped(library, _of_torchvision(shapes))
    told, names = _of_timm(shapes, hint)
    return [[Call("timm", {"model": name}) for name in told], *_grouped("timm", names)]


def twins(call: Call) -> Iterator[Call]:
    """Models of timm that are called as one of a library is: they may have the same tensors."""
    if call.name not in ("timm", "torchvision"):
        return
    import timm

    plain = re.sub(rf"^({'|'.join(filter(None, WHOSE))})", "", str(call.knobs["model"]).partition(".")[0])
    for whose in WHOSE:
        if timm.is_model(whose + plain) and (call.name, call.knobs["model"]) != ("timm", whose + plain):
            yield Call("timm", {"model": whose + plain})


def _grouped(library: str, names: Iterable[str]) -> Shelf:
    """Models by family, which is what their names begin with: `resnet`, `mobilenetv3`."""
    found: dict[str, list[Call]] = {}
    for name in names:
        family = re.match(rf"(?:{'|'.join(filter(None, WHOSE))})?([a-z]+(?:v\d)?)", name)
        found.setdefault(family[1] if family else name, []).append(Call(library, {"model": name}))
    return list(found.values())


def _own(shapes: Mapping[str, Shape]) -> Iterator[Call]:
    """This project's backbones, with what the shapes tell of their knobs."""
    ends = {end(name): shape for name, shape in shapes.items()}
    first = ends.get("conv1.weight") or ends.get("conv0.weight") or ()
    small = {"stem": "small"} if len(first) == 4 and first[2] == 3 else {}  # noqa: PLR2004 (3x3)
    if "layer1.0.conv1.weight" in ends and "linear.weight" in ends:
        blocks = len({name for name in ends if re.fullmatch(r"layer1\.\d+\.conv1\.weight", name)})
        yield Call("cifar-resnet", {"depth": 6 * blocks + 2})
    elif "layer4.0.conv1.weight" in ends:
        yield Call("resnet50" if "layer1.0.conv3.weight" in ends else "resnet18", small)
    if "denseblock4.denselayer1.norm1.weight" in ends:
        yield Call("densenet121", small)
    start, head = ends.get("features.0.weight", ()), ends.get("classifier.weight", ())
    if len(start) == 4 and len(head) == 2 and "features.9.weight" in ends:  # noqa: PLR2004 (a convolution, a matrix)
        yield Call("simple-convnet", {"kernel": start[2], "width": start[0]})
    if len(start) == len(head) == 2:  # noqa: PLR2004 (matrices)
        yield Call("mlp", _perceptron(ends, start[0]))


def _perceptron(ends: Mapping[str, Shape], width: int) -> dict[str, Any]:
    """The knobs of a perceptron, as its layers' numbers tell them."""
    places = sorted(
        int(name.split(".")[1])
        for name, shape in ends.items()
        if re.fullmatch(r"features\.\d+\.weight", name) and len(shape) == 2  # noqa: PLR2004 (a matrix)
    )
    norm = any(name.endswith("running_mean") for name in ends)
    knobs: dict[str, Any] = {"width": width, "depth": len(places)}
    knobs |= {"batch_norm": True} if norm else {}
    plain = 3 if norm else 2
    dropped = len(places) > 1 and places[1] - places[0] > plain
    return knobs | ({"dropout": 0.5} if dropped else {})


def end(name: str) -> str:
    """The part of a name from which on backbones of this project count, whatever stands before it."""
    found = re.search(r"(?:^|\.)((?:layer\d|features\.\d|denseblock\d|conv0|conv1|linear|classifier)(?=\.).*)$", name)
    return found[1] if found else name


def _of_torchvision(shapes: Mapping[str, Shape]) -> list[str]:
    """Classifiers of the families that have such names, short names first."""
    import torchvision

    words = [words for pattern, words in SHELF if any(re.search(pattern, name) for name in shapes)]
    starts = tuple(word for each in words for word in each)
    known = torchvision.models.list_models(module=torchvision.models)
    return sorted((name for name in known if name.startswith(starts)), key=len)


def _of_timm(shapes: Mapping[str, Shape], hint: str) -> tuple[list[str], list[str]]:
    """Models whose names stand in the hint, and those of the families, short names first."""
    globs = [glob for pattern, globs in FAMILIES if any(re.search(pattern, name) for name in shapes) for glob in globs]
    if not globs and "timm" not in hint:
        return [], []
    import timm

    sizes = {shape[-1] for name, shape in shapes.items() if name.endswith("pos_embed")}
    word = next((word for width, word in VIT.items() if width in sizes), "")
    names = [name for name in timm.list_models(globs) if word in name] if globs else []
    told = [each for each in re.split(r"[^a-z0-9_]+", hint.lower()) if timm.is_model(each)]
    return told, sorted(names, key=len)


def models() -> int:
    """How many models timm has."""
    import timm

    return len(timm.list_models())
