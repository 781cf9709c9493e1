"""Bottleneck and inner maps are what the layers themselves see and give."""

import pytest
import torch
from torch import nn

from leakaudit.errors import InputError
from leakaudit.layer import parse
from leakaudit.numerics.taps import Tapped


def network() -> nn.Sequential:
    """A small network whose classifier is layer 3."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5))


def test_the_classifier_maps_z_to_the_logits() -> None:
    """The logits are the classifier's answer to z, and the plain network's answer to x."""
    plain, x = network(), torch.rand(2, 3, 8, 8)
    out = Tapped(plain, "3")(x)
    torch.testing.assert_close(plain[3](out.z), out.logits)
    torch.testing.assert_close(network()(x), out.logits)


def test_taps_are_the_outputs_of_inner_layers() -> None:
    """A tap is what the layer gives, in the graph, so that a loss on it reaches the weights."""
    out = Tapped(network(), "3", ["0", "1"])(torch.rand(2, 3, 8, 8))
    torch.testing.assert_close(out.taps["0"].relu(), out.taps["1"])
    torch.testing.assert_close(out.taps["1"].flatten(1), out.z)
    assert out.taps["0"].requires_grad
    assert not out.detach().taps["0"].requires_grad


def test_a_map_as_bottleneck_is_flattened() -> None:
    """Where the layer takes a map, z is the map as one vector per row."""
    assert Tapped(network(), "2")(torch.rand(2, 3, 8, 8)).z.shape == (2, 144)


def test_an_unknown_layer_is_named_with_those_there_are() -> None:
    """A layer that is not there is refused with the list; of many layers with the nearest, and how to list them."""
    with pytest.raises(InputError, match=r"no layer 'head' in Sequential\. There are: 0, 1, 2, 3\."):
        Tapped(network(), "head")
    many = nn.Sequential(*(nn.Sequential(nn.Linear(2, 2)) for _ in range(5)))
    said = r"no layer '4\.1' in Sequential\. Did you mean '4\.0'.*\? It has 10; leakaudit inspect lists them\.$"
    with pytest.raises(InputError, match=said):
        Tapped(many, "4.1")


def test_a_layer_that_is_not_run_is_said() -> None:
    """A layer that the forward pass leaves out has no bottleneck."""

    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.idle = nn.Linear(3, 2), nn.Linear(3, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.used(x)
            return out

    with pytest.raises(InputError, match="does not run layer idle"):
        Tapped(Idle(), "idle")(torch.rand(2, 3))


def test_mixed_precision_gives_numbers_of_full_precision() -> None:
    """Bottleneck, logits and taps are float32, close to what they are without, and not the same."""
    plain, mixed, x = Tapped(network(), "3", ["1"]), Tapped(network(), "3", ["1"]), torch.rand(2, 3, 8, 8)
    mixed.hasten("here", amp=True, channels_last=False, compiled=False)
    one, two = plain(x), mixed(x)
    for ours, theirs in ((one.z, two.z), (one.logits, two.logits), (one.taps["1"], two.taps["1"])):
        assert theirs.dtype == torch.float32
        torch.testing.assert_close(ours, theirs, atol=0.02, rtol=0.02)
        assert not torch.equal(ours, theirs)


def test_channels_come_last_in_memory_alone() -> None:
    """Maps and weights lie so, and their numbers are those of before."""
    plain, last, x = Tapped(network(), "3", ["0"]), Tapped(network(), "3", ["0"]), torch.rand(2, 3, 8, 8)
    last.hasten("here", amp=False, channels_last=True, compiled=False)
    one, two = plain(x), last(x)
    assert two.taps["0"].is_contiguous(memory_format=torch.channels_last)
    assert not one.taps["0"].is_contiguous(memory_format=torch.channels_last)
    for ours, theirs in ((one.z, two.z), (one.logits, two.logits)):
        torch.testing.assert_close(ours, theirs)
    assert all(torch.equal(value, last.state_dict()[name]) for name, value in plain.state_dict().items())


def test_layers_are_read_from_either_side() -> None:
    """What enters a layer and what it gives, pooled, beside the bottleneck; the words say how."""
    x, plain = torch.rand(2, 3, 8, 8), network()
    asked = [parse(text) for text in ("0", "1:at=input,pool=flatten", "3:at=input", "3")]
    tapped = Tapped(network(), "3", layers=asked)
    out = tapped(x)
    inner = plain[0](x)
    for layer, wanted in zip(asked, (inner.mean((2, 3)), inner.flatten(1), out.z, out.logits), strict=True):
        torch.testing.assert_close(out.taps[str(layer)], wanted)
    assert tapped.notes == (
        "0: map 4x6x6, mean over its 36 places",
        "1:at=input,pool=flatten: map 4x6x6, all of its 144 numbers",
        "3:at=input: vector of 144",
        "3: vector of 5",
    )


def test_a_layer_is_read_before_another_writes_over_it() -> None:
    """An activation in place changes what the layer before it gave, not what was read of it."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 4), nn.ReLU(inplace=True), nn.Linear(4, 2))
    x = torch.randn(3, 6)
    out = Tapped(net, "2", layers=[parse("0")])(x)
    torch.testing.assert_close(out.taps["0"], net[0](x))
    assert (out.taps["0"] < 0).any()


def test_layers_are_read_where_there_is_no_classifier() -> None:
    """Then the bottleneck has no columns; without layers to be read a classifier is needed."""
    out = Tapped(network(), "", layers=[parse("0")])(torch.rand(2, 3, 8, 8))
    assert out.z.shape == (2, 0)
    assert out.taps["0"].shape == (2, 4)
    with pytest.raises(InputError, match="no layer ''"):
        Tapped(network(), "")


class Several(nn.Module):
    """A network that returns its features beside its logits, whose inner layer is called by name and runs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.head = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> dict[str, object]:
        """Features, and logits."""
        z = self.inner(input=self.inner(input=x.flatten(1)))
        return {"features": (z, None), "logits": self.head(z)}


def test_logits_are_told_among_several_things_by_their_width() -> None:
    """Of what the network returns the matrix as wide as the classifier; where no width is said, the first."""
    net, x = Several(), torch.rand(2, 1, 2, 2)
    tapped = Tapped(net, "head", layers=[parse("inner:at=input"), parse("inner")], width=3)
    out, notes = tapped(x), tapped.notes
    torch.testing.assert_close(out.logits, net.head(out.z))
    torch.testing.assert_close(out.taps["inner:at=input"], net.inner(x.flatten(1)))
    torch.testing.assert_close(out.taps["inner"], out.z)
    assert notes[1] == "inner: vector of 4; it runs 2 times in a pass, its last is read"
    torch.testing.assert_close(Tapped(net, "head")(x).logits, out.z)


def test_a_layer_whose_rows_are_no_images_is_refused() -> None:
    """Windows of an image, or tokens before images, are not rows that have a label."""
    net = nn.Sequential(
        nn.Flatten(1), nn.Unflatten(1, (3, 4)), nn.Flatten(0, 1), nn.Linear(4, 4), nn.Unflatten(0, (2, 3))
    )
    tapped = Tapped(nn.Sequential(net, nn.Flatten(), nn.Linear(12, 2)), "2", layers=[parse("0.3")])
    with pytest.raises(InputError, match=r"layer 0\.3: its output has 6 rows for 2 images: .*the block around it"):
        tapped(torch.rand(2, 3, 2, 2))


@pytest.mark.parametrize("value", [(None, "x"), torch.zeros(2, dtype=torch.int64), torch.tensor(1.0)])
def test_a_layer_that_gives_no_numbers_is_refused(value: object) -> None:
    """Nothing, whole numbers that name things, or one number for all images."""

    class Giver(nn.Module):
        def forward(self, x: torch.Tensor) -> object:
            """The value, whatever comes."""
            del x
            return value

    net = network()
    net.add_module("odd", Giver())
    net.forward = lambda x: (net.odd(x), nn.Sequential(*list(net)[:4])(x))[1]  # type: ignore[method-assign]
    with pytest.raises(InputError, match=r"layer odd: its output holds no numbers that could be read"):
        Tapped(net, "3", layers=[parse("odd")])(torch.rand(2, 3, 8, 8))
