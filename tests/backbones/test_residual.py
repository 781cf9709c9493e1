"""ResNet-18, ResNet-50 and DenseNet-121 are torchvision's networks, with the papers' bottleneck."""

import hashlib
import re
import socket
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
import torchvision
from torch import nn

from leakaudit.backbones import _published, densenet121, resnet18, resnet50
from leakaudit.backbones._residual import residual
from leakaudit.errors import InputError, RefusedError
from leakaudit.ledgers import reaching
from leakaudit.numerics.taps import Tapped

NETWORKS = [resnet18, resnet50, densenet121]
WIDTH = {resnet18: 512, resnet50: 2048, densenet121: 1024}
SHAPE = (3, 32, 32)


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are fetched, from this machine's own disk, whatever the user's settings forbid."""
    for name in reaching.OFFLINE:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=NETWORKS, ids=lambda module: module.__name__.rpartition(".")[2])
def network(request: pytest.FixtureRequest) -> ModuleType:
    """Each of the three."""
    module: ModuleType = request.param
    return module


def theirs(module: ModuleType) -> nn.Module:
    """Torchvision's own, of five classes."""
    made: nn.Module = torchvision.models.get_model(module.__name__.rpartition(".")[2], num_classes=5)
    return made


def seen(made: nn.Module, module: ModuleType, count: int = 3) -> Any:
    """Bottleneck and logits of noise."""
    x = torch.randn(count, *SHAPE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return Tapped(made, module.BOTTLENECK).eval()(x)


def test_it_is_torchvisions_network_by_tensors_and_by_numbers(network: ModuleType) -> None:
    """Torchvision's weights fit every tensor by name and shape, and give torchvision's logits."""
    own, other = network.build(5, SHAPE), theirs(network)
    own.load_state_dict(other.state_dict())
    x = torch.randn(3, *SHAPE, generator=torch.Generator().manual_seed(0))
    out = seen(own, network)
    with torch.no_grad():
        assert torch.allclose(out.logits, other.eval()(x), atol=1e-5)
    assert out.z.shape == (3, WIDTH[network])


def test_tanh_and_the_unit_sphere_change_no_tensor_but_the_bottleneck(network: ModuleType) -> None:
    """The names stay; z has length 1 with `normalise` and both signs with tanh, neither without; logits are its."""
    plain = network.build(5, SHAPE)
    papers = network.build(5, SHAPE, activation="tanh", normalise=True)
    papers.load_state_dict(plain.state_dict())
    before, after = seen(plain, network), seen(papers, network)
    assert before.z.min() >= 0 > after.z.min()
    assert torch.allclose(after.z.norm(dim=1), torch.ones(3), atol=1e-6)
    assert (before.z.norm(dim=1) - 1).abs().min() > 0.01
    assert torch.allclose(papers.get_submodule(network.BOTTLENECK)(after.z), after.logits, atol=1e-6)


@pytest.mark.parametrize(("module", "uses"), [(resnet18, 2), (resnet50, 3)])
def test_tanh_stands_in_every_place_of_the_last_blocks_relu(module: ModuleType, uses: int) -> None:
    """The papers replace a module that runs more than once; the other blocks keep their ReLU."""
    network = module.build(5, SHAPE, activation="tanh")
    calls: list[nn.Module] = []
    for layer in network.modules():
        if isinstance(layer, nn.Tanh):
            layer.register_forward_hook(lambda layer, *_: calls.append(layer))
    network.eval()(torch.zeros(1, *SHAPE))
    assert calls == [network.layer4[-1].relu] * uses
    assert all(isinstance(block.relu, nn.ReLU) for block in (*network.layer3, *network.layer4[:-1]))


def test_the_small_stem_keeps_small_images_large(network: ModuleType) -> None:
    """The first convolution is 3x3 and nothing is pooled after it: four times the side goes into the first block."""
    sides = {}
    for stem in ("imagenet", "small"):
        made = network.build(5, SHAPE, stem=stem)
        first = made.features.denseblock1 if network is densenet121 else made.layer1
        first.register_forward_pre_hook(lambda _, x, stem=stem: sides.update({stem: x[0].shape[2]}))
        seen(made, network, 1)
    assert sides == {"imagenet": 8, "small": 32}


def test_images_too_small_for_a_densenet_are_refused() -> None:
    """Least and actual size are said; one pixel more, and it runs."""
    with pytest.raises(InputError, match=r"images of 28x28: at least 29x29 with stem = 'imagenet'"):
        densenet121.build(2, (1, 28, 28))
    for stem, side in densenet121.LEAST.items():
        assert densenet121.build(2, (1, side, side), stem=stem).eval()(torch.zeros(1, 1, side, side)).shape == (1, 2)


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ResNet-18's tensors under a name that holds the start of their SHA-256, and an empty cache of torch's."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    torch.save(torchvision.models.resnet18().state_dict(), tmp_path / "made.pth")
    digest = hashlib.sha256((tmp_path / "made.pth").read_bytes()).hexdigest()
    return (tmp_path / "made.pth").rename(tmp_path / f"resnet18-{digest[:8]}.pth")


def start(url: str, channels: int = 3) -> nn.Module:
    """A ResNet-18 of four classes from the weights at a URL."""
    plain: dict[str, Any] = {"activation": "relu", "normalise": False, "stem": "imagenet"}
    weights = SimpleNamespace(url=url)
    return residual(torchvision.models.resnet18, weights, 4, (channels, 32, 32), pretrained=True, **plain)


@pytest.mark.slow
def test_published_weights_fill_all_but_the_classifier(published: Path, tmp_path: Path) -> None:
    """They come from a URL into torch's cache; grey images get the first convolution summed over colours."""
    state = torch.load(published, weights_only=True)
    colour, grey = (start(published.as_uri(), channels).state_dict() for channels in (3, 1))
    kept = tmp_path / "home" / "hub" / "checkpoints" / published.name
    assert kept.read_bytes() == published.read_bytes()
    for name, tensor in state.items():
        if not name.startswith("fc."):
            assert torch.equal(colour[name], tensor)
    assert torch.allclose(grey["conv1.weight"][:, 0], state["conv1.weight"].sum(1))
    assert colour["fc.weight"].shape == (4, 512)
    with pytest.raises(InputError, match="images of 1 or 3 channels, not 5"):
        start(published.as_uri(), 5)


def test_densenets_old_names_are_read_as_its_new_ones(tmp_path: Path) -> None:
    """Its published tensors have a dot more than its layers; with them it is the network they were taken from."""
    state = torchvision.models.densenet121().state_dict()
    old = {re.sub(r"(denselayer\d+\.(?:norm|relu|conv))([12])", r"\1.\2", name): state[name] for name in state}
    assert set(old) != set(state)
    torch.save(old, tmp_path / "old.pth")
    read = _published.tensors(tmp_path / "old.pth")
    assert all(torch.equal(read[name], state[name]) for name in state)


def test_a_file_that_is_not_what_its_name_promises_is_refused(published: Path, tmp_path: Path) -> None:
    """Its SHA-256 is asked, its tensors are counted, and nothing but tensors is unpickled."""
    wrong = published.rename(tmp_path / "resnet18-00000000.pth")
    with pytest.raises(RefusedError, match=r"is damaged or another file: its SHA-256 is not 00000000"):
        start(wrong.as_uri())
    torch.save(torchvision.models.resnet34().state_dict(), tmp_path / "other.pth")
    with pytest.raises(RefusedError, match=r"published weights do not fit: 0 missing, \d+ unknown"):
        start((tmp_path / "other.pth").as_uri())
    torch.save({"weights": Path("x")}, tmp_path / "object.pth")
    with pytest.raises(RefusedError, match="holds no tensors by name") as error:
        start((tmp_path / "object.pth").as_uri())
    assert len(str(error.value).splitlines()) == 1


def test_weights_that_are_not_to_be_had_are_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where they should lie and what does not answer; nothing is left behind."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(
        InputError, match=r"its weights are not at .*x-00000000\.pth, and .* cannot be reached"
    ) as error:
        start((tmp_path / "x-00000000.pth").as_uri())
    assert len(str(error.value).splitlines()) == 1
    assert not list(tmp_path.rglob("*.pth*"))


def test_offline_no_server_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even one that would give the file; the variable is named."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LEAKAUDIT_OFFLINE", "1")
    (tmp_path / "x.pth").write_bytes(b"x")
    with pytest.raises(InputError, match=r"\(LEAKAUDIT_OFFLINE is set\)\. .* random ones: [\w:]+:pretrained=false$"):
        start((tmp_path / "x.pth").as_uri())


def test_no_weights_are_published_for_a_small_stem(network: ModuleType) -> None:
    """Said before anything is looked for."""
    with pytest.raises(InputError, match="stem = 'imagenet' alone, not 'small'"):
        network.build(4, SHAPE, pretrained=True, stem="small")


@pytest.mark.slow
def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is taken and left silent costs the patience there is, no more."""
    monkeypatch.setattr(reaching, "PATIENCE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/x.pth"
        assert re.search("no answer|timed out", _published._unreachable(url))
    monkeypatch.setenv("LEAKAUDIT_OFFLINE", "1")
    assert _published._unreachable(url) == "LEAKAUDIT_OFFLINE is set"
