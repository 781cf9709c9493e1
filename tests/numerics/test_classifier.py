"""The classifier of any network is the one layer that makes what it returns, and is told from all others."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from leakaudit.errors import InputError
from leakaudit.numerics import classifier, returned

SHAPE = (3, 6, 6)


class Net(nn.Module):
    """A trunk, two heads, and any way from them to what is returned."""

    def __init__(self, end: Callable[["Net", Tensor], Any], width: int = 5) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.trunk = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 8))
            self.head, self.other = nn.Linear(8, width), nn.Linear(8, width)
            self.wide = nn.Conv2d(4, width, 1)
            self.after = nn.BatchNorm1d(width)
        self.end = end

    def forward(self, x: Tensor) -> Any:
        """Whatever `end` makes of the trunk's vector."""
        return self.end(self, self.trunk(x))


def plain(net: Net, z: Tensor) -> Tensor:
    """The logits of the head."""
    out: Tensor = net.head(z)
    return out


@pytest.mark.parametrize("width", [1, 2, 5])
@pytest.mark.parametrize(
    ("after", "said"),
    [
        (lambda x: x, ""),
        (lambda x: x.view(len(x), -1, 1, 1), ""),
        (lambda x: x.softmax(1), "returns probabilities: softmax stands after its classifier head"),
        (torch.sigmoid, "returns probabilities: sigmoid"),
        (lambda x: x.log_softmax(1), "after log_softmax"),
        (lambda x: x / 4, "after multiplication by 0.25"),
        (torch.tanh, "after a function that keeps their order"),
    ],
)
def test_what_keeps_the_order_of_the_logits_may_stand_after_the_classifier(
    width: int, after: Callable[[Tensor], Tensor], said: str
) -> None:
    """The head is found behind any of these, and what stands after it is named."""
    width += "softmax" in said  # of one class it is a constant
    found = classifier.look(Net(lambda net, z: after(net.head(z)), width), SHAPE)
    assert (found.name, found.width) == ("head", width)
    assert said in " ".join(found.notes)
    assert bool(found.notes) == bool(said)


def test_a_softmax_over_one_class_has_no_classifier() -> None:
    """It returns one and the same number for every image, which no layer makes."""
    with pytest.raises(InputError, match="no one layer makes what it returns"):
        classifier.find(Net(lambda net, z: net.head(z).softmax(1), 1), SHAPE)


@pytest.mark.parametrize(
    "end",
    [
        lambda net, z: (net.head(z) + net.other(z)) / 2,
        lambda net, z: net.head(z) + net.other(z * 0) / 100,
        lambda net, z: net.head(z) + z.mean(1, keepdim=True) * torch.arange(5),
        lambda net, z: -net.head(z),
        lambda net, z: functional.linear(z, net.head.weight),
        lambda net, z: net.wide(net.trunk[:2](torch.ones(len(z), *SHAPE) * z.mean())).mean((2, 3)),
    ],
    ids=[
        "two heads",
        "a second head that says nothing yet",
        "a way around",
        "reversed",
        "no layer",
        "a mean over places",
    ],
)
def test_what_no_one_layer_makes_is_refused_with_the_last_to_run(end: Callable[[Net, Tensor], Any]) -> None:
    """Neither of two heads is taken, nor a layer beside which another way leads from the image to the answer."""
    with pytest.raises(InputError, match=r"Net: no one layer makes .*last to run are .*--layer NAME:at=input"):
        classifier.look(Net(end), SHAPE)


@pytest.mark.parametrize(
    ("end", "path"),
    [
        (lambda net, z: (net.head(z), z), r"\[0\]"),
        (lambda net, z: [z, net.head(z)], r"\[1\]"),
        (lambda net, z: {"features": z, "logits": net.head(z)}, r"\['logits'\]"),
        (lambda net, z: (z[:, :, None, None] * torch.ones(2, 2), {"out": (net.head(z),)}), r"\[1\]\['out'\]\[0\]"),
    ],
)
def test_the_logits_among_several_tensors_are_found_and_named(end: Callable[[Net, Tensor], Any], path: str) -> None:
    """The classifier's own matrix is taken, wherever it lies, and the note says where."""
    net = Net(end)
    found = classifier.look(net, SHAPE)
    assert found.name == "head"
    (note,) = found.notes
    with torch.no_grad():
        where, logits = returned.chosen(net(x := classifier.waves(SHAPE)), found.width)
        torch.testing.assert_close(logits, net.head(net.trunk(x)))
    assert f"what lies at {where} is taken" in note
    assert re.fullmatch(path, where)


def test_a_layer_that_runs_twice_is_read_the_last_time() -> None:
    """Where only its last run makes what is returned that is said; where every run does it is refused."""
    net = Net(lambda net, z: net.head(z + net.head(z).mean(1, keepdim=True)))
    found = classifier.look(net, SHAPE)
    assert found.name == "head"
    assert "layer head runs 2 times in a pass: its last is read" in found.notes
    with pytest.raises(InputError, match="no one layer"):
        classifier.look(Net(lambda net, z: net.head(z) + net.head(z.relu())), SHAPE)


def test_a_network_comes_back_as_it_was() -> None:
    """No hook stays, and parts that were training or not are so again."""
    net = Net(plain)
    net.trunk.eval()
    assert net.training
    classifier.look(net, SHAPE)
    assert net.training
    assert not net.trunk.training
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in net.modules())


@pytest.mark.parametrize(
    ("network", "shape", "said"),
    [
        (Net(plain), (1, 6, 6), r"Net does not take images of 1x6x6 \(.*3 channels"),
        (nn.Conv2d(3, 4, 3), SHAPE, "a tensor of 4x4x4 for each image is returned, and no row of logits"),
        (nn.Sequential(nn.Flatten()), SHAPE, "no layer with weights runs in a pass"),
    ],
)
def test_what_is_no_classifier_is_refused(network: nn.Module, shape: tuple[int, ...], said: str) -> None:
    """Images that do not fit, a map, and a network without weights each have their line."""
    with pytest.raises(InputError, match=said):
        classifier.find(network, shape)


def test_remarks_on_a_layer_that_was_named() -> None:
    """Of the classifier nothing is said; of another layer that it does not make what is returned; none is refused."""
    assert classifier.remarks(Net(plain), "head", SHAPE) == classifier.look(Net(plain), SHAPE)
    (note,) = classifier.remarks(Net(plain), "trunk.3", SHAPE).notes
    assert note == "what the network returns is not what trunk.3 gives, whose input is read"
    wrapped = nn.Sequential(nn.Flatten(), nn.Sequential(nn.Linear(108, 4), nn.Softmax(1)))
    assert classifier.remarks(wrapped, "1.0", SHAPE) == classifier.look(wrapped, SHAPE)
    both = Net(lambda net, z: net.head(z) + net.other(z))
    assert classifier.remarks(both, "head", SHAPE).notes == ("what the network returns is not made by head alone",)
    with pytest.raises(InputError, match="does not run layer other"):
        classifier.remarks(Net(plain), "other", SHAPE)


class Heads(nn.Module):
    """Heads of several widths on one vector, the last behind a layer of its own."""

    def __init__(self, *widths: int) -> None:
        super().__init__()
        self.body, self.own = nn.Linear(108, 7), nn.Linear(7, 7)
        self.heads = nn.ModuleList(nn.Linear(7, width) for width in widths)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """What each says."""
        z = torch.relu(self.body(x.flatten(1)))
        return (*(head(z) for head in self.heads[:-1]), self.heads[-1](torch.relu(self.own(z))))


def test_of_several_heads_the_one_of_the_target_is_taken_or_none() -> None:
    """As many numbers as the target has classes tell them apart, or a name; the last to run is never guessed."""
    network = Heads(10, 2)
    with pytest.raises(InputError, match=r"a tuple of 2 is returned, made by heads\.0 \(10 numbers, \[0\]\) and heads"):
        classifier.find(network, SHAPE)
    with pytest.raises(InputError, match=r"--layer heads\.0:at=input or --layer heads\.1:at=input says so"):
        classifier.find(network, SHAPE, classes=3)
    found = [classifier.look(network, SHAPE, classes=count) for count in (10, 2)]
    assert [(each.name, each.width, each.path) for each in found] == [("heads.0", 10, "[0]"), ("heads.1", 2, "[1]")]
    assert classifier.find(network, SHAPE, among=("heads.0",)) == "heads.0"


def test_of_two_heads_of_one_width_neither_is_guessed() -> None:
    """Their width tells nothing; the one that is named is told by where its matrix lies."""
    network = Heads(4, 4)
    nn.init.zeros_(network.heads[1].weight)
    with pytest.raises(InputError, match="which is the classifier of the target"):
        classifier.find(network, SHAPE, classes=4)
    for number in (0, 1):
        found = classifier.look(network, SHAPE, classes=4, among=(f"heads.{number}",))
        assert (found.name, found.path) == (f"heads.{number}", f"[{number}]")
        assert classifier.remarks(network, f"heads.{number}", SHAPE) == found


def test_a_matrix_as_wide_as_the_target_that_no_layer_makes_is_not_passed_over() -> None:
    """Beside a head of another width it might be the answer to the target."""
    network = Net(lambda net, z: ((net.head(z) + net.other(z))[:, :3], net.head(z)))
    with pytest.raises(InputError, match="which is the classifier of the target"):
        classifier.find(network, SHAPE, classes=3)
    assert classifier.find(network, SHAPE, classes=5) == "head"
