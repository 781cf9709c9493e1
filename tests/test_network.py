"""The network of a stranger's weights: how many classes it has, what fills it, and what a partial load leaves."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision

from leakaudit import network, opening
from leakaudit.catalog import Call
from leakaudit.datasets import cifar10
from leakaudit.encoder import Encoder
from leakaudit.errors import InputError, RefusedError

SMALL = Call("simple-convnet", {"kernel": 1, "width": 2})
SHAPE = (3, 8, 8)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def encoder(weights: dict[str, np.ndarray] | None, call: Call = SMALL, **more: object) -> Encoder:
    """A stranger's encoder, of which nothing is known but its weights and backbone."""
    kind = str(more.pop("kind", "weights"))
    shape: tuple[int, ...] = tuple(more.pop("shape", SHAPE))  # type: ignore[call-overload]
    return Encoder("w@1", kind, call, 0, shape, (0.5,), (0.5,), weights, **more)  # type: ignore[arg-type]


def tensors(
    classes: int = 4, call: Call = SMALL, shape: tuple[int, ...] = SHAPE, seed: int = 3
) -> dict[str, np.ndarray]:
    """Tensors of a fresh network."""
    built, _ = network.of(Encoder("fresh", "random-init", call, classes, shape, (0.5,), (0.5,), None, seed=seed))
    return {name: tensor.numpy().copy() for name, tensor in built.state_dict().items()}


def test_classes_are_the_rows_of_the_classifier() -> None:
    """A head of seven classes fits a network whose head nobody has sized, under any prefix."""
    for prefix in ("", "model."):
        held = {prefix + name: tensor for name, tensor in tensors(7).items()}
        found = network.fitted(encoder(held))
        assert (found.classes, found.layer) == (7, "classifier")
        built, layer = network.of(found)
        assert layer == "classifier"
        filled = built.state_dict()["classifier.weight"].numpy()
        assert np.array_equal(filled, held[f"{prefix}classifier.weight"])


def test_fitting_draws_no_number() -> None:
    """Names and shapes are enough to know what fits."""
    before = torch.get_rng_state()
    network.fitted(encoder(tensors()))
    network.fitted(encoder(tensors(call=Call("torchvision", {"model": "resnet18"}), shape=(3, 32, 32)),
                           Call("torchvision", {"model": "resnet18"}), shape=(3, 32, 32)))  # fmt: skip
    assert torch.equal(torch.get_rng_state(), before)


def test_a_misfit_is_the_users_to_correct_unless_it_is_a_checkpoints() -> None:
    """The backbone was typed; but a checkpoint promised its own."""
    held = tensors() | {"extra.weight": np.zeros(1)}
    with pytest.raises(InputError, match=r"1 unknown \(extra\.weight\); of .*--partial leaves aside"):
        network.fitted(encoder(held))
    with pytest.raises(RefusedError, match="1 unknown"):
        network.of(replace(encoder(held, kind="checkpoint"), classes=4))


def test_a_partial_load_is_said_and_keeps_what_the_seed_drew() -> None:
    """What is missing stays as drawn; the rest is the file's; both are in the notes, with counts and names."""
    held = tensors() | {"extra.weight": np.zeros(1)}
    del held["classifier.weight"], held["classifier.bias"], held["features.0.bias"]
    with pytest.raises(InputError, match="3 missing"):
        network.fitted(encoder(held))
    found = network.fitted(encoder(held, partial=True, seed=5))
    said = "; ".join(found.notes)
    assert "partial load: 27 of 30 tensors filled" in said
    assert "as drawn with the seed: features.0.bias, classifier.weight, classifier.bias" in said
    assert "no layer wants: extra.weight" in said
    assert "the classifier classifier is fresh" in said
    state = network.of(found)[0].state_dict()
    fresh = tensors(found.classes, seed=5)
    assert np.array_equal(state["classifier.weight"].numpy(), fresh["classifier.weight"])
    assert np.array_equal(state["features.3.weight"].numpy(), held["features.3.weight"])


def test_a_partial_load_of_next_to_nothing_is_refused() -> None:
    """Less than half of what lies below the classifier is an audit of nothing, and the share is said."""
    held = {name: tensor for name, tensor in tensors().items() if name.startswith(("classifier", "features.0"))}
    with pytest.raises(InputError, match=r"they fill \d+\.\d% of the numbers below"):
        network.fitted(encoder(held, partial=True))


def test_a_partial_load_without_the_last_part_is_refused() -> None:
    """Where all that the classifier reads comes from fresh layers, whatever is filled before them."""
    call = Call("cifar-resnet", {"depth": 8})
    held = {n: t for n, t in tensors(call=call).items() if not n.startswith("layer3")}
    held |= {"layer3.0.conv1.weight": np.zeros((1, 1, 3, 3), np.float32)}
    with pytest.raises(InputError, match=r"layer3, whose output the classifier reads, is fresh"):
        network.fitted(encoder(held, call, partial=True))


def test_quantised_weights_are_no_weights() -> None:
    """Whole numbers by the same name would be read as fractions; halves are what they are."""
    held = tensors()
    half = held | {"features.3.weight": held["features.3.weight"].astype(np.float16)}
    assert network.fitted(encoder(half)).classes == 4
    with pytest.raises(InputError, match=r"features\.3\.weight is int8 where simple-convnet.* has float32: quantised"):
        network.fitted(encoder(held | {"features.3.weight": held["features.3.weight"].astype(np.int8)}))


def test_the_right_network_is_named() -> None:
    """A residual network of the wrong depth, a first layer of other images: one line says what it is."""
    weights = {name: tensor.numpy() for name, tensor in torchvision.models.resnet34(num_classes=7).state_dict().items()}
    with pytest.raises(
        InputError, match=r"These are the tensors of torchvision:resnet34.*--backbone torchvision:resnet34"
    ):
        network.fitted(encoder(weights, Call("resnet18", {}), shape=(3, 32, 32)))
    with pytest.raises(InputError, match="first convolution takes images of 1 channel, and these have 3"):
        network.fitted(encoder(tensors(shape=(1, 8, 8))))
    small = tensors(call=Call("resnet18", {"stem": "small"}), shape=(3, 32, 32))
    with pytest.raises(InputError, match="--backbone resnet18:stem=small"):
        network.fitted(encoder(small, Call("resnet18", {}), shape=(3, 32, 32)))


def test_cifars_network_given_as_another_is_called_by_its_name() -> None:
    """Three stages of three basic blocks are 20 layers: He et al., section 4.2."""
    held = tensors(10, Call("cifar-resnet", {"depth": 20}), (3, 32, 32))
    with pytest.raises(
        InputError, match=r"three stages of 3 basic blocks.*6n \+ 2 = 20 layers: --backbone cifar-resnet:depth=20"
    ):
        network.fitted(encoder(held, Call("resnet18", {}), shape=(3, 32, 32)))


def test_a_published_cifar_network_is_as_good_as_it_was(data_root: Path) -> None:
    """ResNet-20 of a public repository, saved by DataParallel, names 91.5 % of the first test images."""
    weights = opening.read(data_root / "checkpoints" / "akamaster_cifar_resnet" / "resnet20-12fca82f.th").tensors
    found = network.fitted(encoder(weights, Call("cifar-resnet", {}), shape=(3, 32, 32)))
    assert found.notes == ("19 counters of batch norm (num_batches_tracked) are not in the file: 0",)
    built, _ = network.of(found)
    data = cifar10.load("test", data_root)
    images = torch.from_numpy(data.images.batch(np.arange(1000)).astype(np.float32)) / 255
    x = (images - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    with torch.inference_mode():
        named = built.eval()(x).argmax(1).numpy()
    right = (named == data.columns["class"].values[:1000]).mean()
    assert right == pytest.approx(0.915, abs=0.0015)
