"""Of all known networks those are named that have such tensors, with knobs read off the shapes."""

import time

import numpy as np
import pytest
import timm
import torch
import torchvision
from torch import nn

from leakaudit import catalog, likeness
from leakaudit.catalog import Call
from leakaudit.matching import Shape


class Held:
    """A tensor of which only the shape is known."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape


def tensors(network: nn.Module, prefix: str = "") -> dict[str, Held]:
    """What a file of a network's weights holds."""
    return {prefix + name: Held(tuple(tensor.shape)) for name, tensor in network.state_dict().items()}


def own(text: str, classes: int = 5, shape: tuple[int, int, int] = (1, 16, 16)) -> dict[str, Held]:
    """The tensors of one of this project's backbones."""
    call = catalog.parse(text, "here")
    with torch.device("meta"):
        return tensors(catalog.thing("backbones", call.name).build(classes, shape, **call.knobs))


@pytest.mark.parametrize(
    "text",
    [
        "cifar-resnet:depth=32",
        "resnet18:stem=small",
        "resnet50:stem=small",
        "simple-convnet:kernel=3,width=6",
        "mlp:width=24,depth=3",
        "mlp:width=24,depth=2,batch_norm=true",
    ],
)
def test_this_projects_networks_are_known_with_their_knobs(text: str) -> None:
    """Of grey images, with five classes, under a prefix: the line to type is found."""
    held = {f"net.{name}": each for name, each in own(text).items()}
    best = likeness.known(held)[0]
    assert (str(best.call), best.exact) == (text, True)


@pytest.mark.parametrize("name", ["resnet34", "shufflenet_v2_x0_5", "regnet_y_400mf", "vgg11"])
def test_torchvisions_classifiers_are_known(name: str) -> None:
    """By their tensors, whatever the number of classes."""
    with torch.device("meta") if "regnet" not in name else torch.device("cpu"):
        held = tensors(torchvision.models.get_model(name, weights=None, num_classes=3))
    best = likeness.known(held)[0]
    assert (str(best.call), best.exact) == (f"torchvision:{name}", True)


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224"])
def test_timms_models_are_known(name: str) -> None:
    """Those that torchvision does not have, by the family of their names."""
    with torch.device("meta"):
        held = tensors(timm.create_model(name, num_classes=3))
    exact = [str(like.call) for like in likeness.known(held) if like.exact]
    assert f"timm:{name}" in exact


def test_every_library_that_has_the_network_is_named() -> None:
    """A file of timm's ResNet-18 is as well torchvision's and this project's: the file does not tell whose it was."""
    with torch.device("meta"):
        held = tensors(timm.create_model("resnet18", num_classes=3))
    assert {str(like.call) for like in likeness.known(held) if like.exact} == {
        "timm:resnet18",
        "torchvision:resnet18",
        "resnet18",
    }


@pytest.mark.slow
def test_a_family_is_searched_by_what_agrees_most() -> None:
    """A small MobileNet of timm is found among a hundred that have such names, before all are compared."""
    with torch.device("meta"):
        held = tensors(timm.create_model("mobilenetv3_small_050", num_classes=2))
    search = likeness.searched(held, seconds=60)
    assert [str(like.call) for like in search.found if like.exact] == ["timm:mobilenetv3_small_050"]
    assert search.looked < 60
    short = likeness.searched(held, seconds=0.0)
    assert "of timm" in likeness.sought(short)
    assert likeness.sought(likeness.searched({"x.weight": Held((3, 3))})).endswith("none of timm has such names")


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 3])
def test_a_file_without_a_classifier_is_known_by_what_it_has(channels: int) -> None:
    """All it has agrees; the line to type says that the classifier stays fresh, and for what images it is."""
    with torch.device("meta"):
        held = tensors(timm.create_model("resnet18", num_classes=3, in_chans=channels))
    body = {name: each for name, each in held.items() if not name.startswith("fc.")}
    best = likeness.known(body)[0]
    assert (str(best.call), best.exact, best.headless, best.channels) == ("torchvision:resnet18", False, True, channels)
    assert not likeness.known(held)[0].headless
    rest = {name: each for name, each in body.items() if not name.startswith("layer4.1.")}
    assert not any(like.headless for like in likeness.known(rest))


def test_grey_weights_given_colour_say_which_images_are_needed() -> None:
    """And that only grey images fit by themselves elsewhere; colour weights are told by another line."""
    from leakaudit import matching

    with torch.device("meta"):
        wanted = {name: tuple(each.shape) for name, each in timm.create_model("resnet18").state_dict().items()}
    grey = {name: Held((64, 1, 7, 7) if name == "conv1.weight" else shape) for name, shape in wanted.items()}
    said = likeness.hint(grey, Call("timm", {"model": "resnet18"}), matching.match(wanted, grey), (3, 224, 224))
    assert said.startswith("Its first convolution takes images of 1 channel, and these have 3: grey images are needed")


def test_what_is_no_known_network_is_called_none() -> None:
    """Two convolutions and two matrices of somebody's own: no name is made up."""
    held = {"conv1.weight": Held((32, 1, 3, 3)), "conv2.weight": Held((64, 32, 3, 3)), "linear.weight": Held((10, 200))}
    assert likeness.known(held) == []
    assert likeness.known({}) == []


def test_a_near_miss_is_named_with_its_share() -> None:
    """A known network with a layer too many is near, and not the same."""
    with torch.device("meta"):
        held = tensors(torchvision.models.resnet18(num_classes=3))
    found = likeness.known(held | {"extra.weight": Held((3, 3))}, seconds=0.4)[0]
    assert (str(found.call), found.exact) == ("torchvision:resnet18", False)
    assert 0.9 < found.share < 1


def test_time_is_bounded() -> None:
    """No longer than it is given, and one candidate more."""
    with torch.device("meta"):
        held = tensors(timm.create_model("resnet26t", num_classes=3))
    start = time.process_time()
    likeness.known(held, seconds=0.0)
    assert time.process_time() - start < likeness.SECONDS


@pytest.mark.parametrize(
    ("blocks", "inside", "words"),
    [
        ((3, 3, 3), 2, "three stages of 3 basic blocks: a residual network for CIFAR, 6n + 2 = 20 layers"),
        ((3, 4, 6, 3), 2, "four stages of 3, 4, 6, 3 basic blocks"),
        ((3, 4, 6, 3), 3, "four stages of 3, 4, 6, 3 bottleneck blocks"),
    ],
)
def test_a_residual_network_is_described(blocks: tuple[int, ...], inside: int, words: str) -> None:
    """Stages and blocks as the names count them."""
    shapes: dict[str, Shape] = {
        f"layer{stage + 1}.{block}.conv{each + 1}.weight": (4, 4, 3, 3)
        for stage, count in enumerate(blocks)
        for block in range(count)
        for each in range(inside)
    }
    assert likeness.layout(shapes) == words
    assert likeness.layout({"fc.weight": (2, 3)}) == ""


def test_positions_of_other_images_say_their_size() -> None:
    """A vision transformer of 384 pixels a side given as one of 224: the flag to type."""
    from leakaudit import matching

    with torch.device("meta"):
        made = {
            name: tuple(each.shape) for name, each in timm.create_model("vit_tiny_patch16_224").state_dict().items()
        }
    wide = {name: np.zeros(shape if name != "pos_embed" else (1, 577, 192), np.int8) for name, shape in made.items()}
    found = matching.match(made, wide)
    said = likeness.hint(wide, Call("timm", {"model": "vit_tiny_patch16_224"}), found, (3, 224, 224))
    assert said == "Its positions are those of images of 384x384: --size 384"
