"""Any classifier of timm by its name is a backbone whose bottleneck timm itself names."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm as library
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from leakaudit import catalog, store, stranger
from leakaudit import network as networks
from leakaudit.backbones import timm
from leakaudit.catalog import Call
from leakaudit.dataset import Dataset, Pixels, identify
from leakaudit.encoder import Encoder
from leakaudit.errors import InputError
from leakaudit.numerics.taps import Tapped

SIDE = 32
MODELS = {
    "test_resnet": "fc",
    "test_convnext": "head.fc",
    "test_efficientnet": "classifier",
    "test_byobnet": "head.fc",
    "test_nfnet": "head.fc",
    "test_vit": "head",
    "mobilenetv3_small_050": "classifier",
}
"""The smallest of timm's families, and what each calls its classifier."""


@pytest.mark.parametrize("model", MODELS)
def test_the_bottleneck_is_the_input_of_the_classifier(model: str) -> None:
    """It is one finite vector, and timm's own `forward_head(pre_logits)`; the classifier makes the logits of it."""
    network: Any = timm.build(4, (3, SIDE, SIDE), model=model)
    name = timm.bottleneck(network)
    x = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        out = Tapped(network, name).eval()(x)
        theirs = network.forward_head(network.forward_features(x), pre_logits=True)
    assert name == MODELS[model] == timm.layer((3, SIDE, SIDE), model=model)
    assert torch.isfinite(out.z).all()
    assert torch.allclose(out.z, theirs, atol=1e-5)
    assert torch.allclose(network.get_submodule(name)(out.z), out.logits, atol=1e-5)


def test_a_model_that_insists_on_a_size_is_built_for_the_data() -> None:
    """A vision transformer takes 32x32 images, and says so in one line where its patches do not fit them."""
    assert timm.build(4, (1, 32, 32), model="test_vit").eval()(torch.zeros(1, 1, 32, 32)).shape == (1, 4)
    with pytest.raises(InputError, match=r"timm:test_vit does not take images of 3x40x40 .*made for 160x160") as error:
        timm.build(4, (3, 40, 40), model="test_vit")
    assert len(str(error.value).splitlines()) == 1


def test_what_has_no_bottleneck_is_refused() -> None:
    """Logits that are the mean of two classifiers come out of no one layer."""
    with pytest.raises(InputError, match="its logits come out of 2 classifiers, so that it has no bottleneck"):
        timm.build(4, (3, 32, 32), model="deit_tiny_distilled_patch16_224")


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("resnet81", r"timm: no model 'resnet81'\. Did you mean 'resnet18'\?"),
        ("resnet18.none", r"timm:resnet18: no weights 'none'\. There are: a1_in1k, "),
        ("", r"timm: which model\? timm:resnet18"),
    ],
)
def test_an_unknown_model_is_named_with_the_nearest(model: str, words: str) -> None:
    """In one line."""
    with pytest.raises(InputError, match=words) as error:
        timm.build(4, (3, 32, 32), model=model)
    assert len(str(error.value).splitlines()) == 1


def test_the_model_is_typed_first() -> None:
    """`timm:NAME`, then knobs after a colon or a comma; a recipe's `model` is the same knob."""
    call = Call("timm", {"model": "resnet18", "drop_rate": 0.1})
    for text in ("timm:resnet18:drop_rate=0.1", "timm:resnet18,drop_rate=0.1", "timm:model=resnet18,drop_rate=0.1"):
        assert catalog.parse(text, "--backbone") == call
    assert catalog.parse(str(call), "--backbone") == call
    with pytest.raises(InputError, match=r"NAME or NAME:knob=value"):
        catalog.parse("digits:resnet18", "--data")


def test_drop_rate_drops_before_the_classifier() -> None:
    """Two training passes differ with it and agree without."""
    x = torch.ones(2, 3, SIDE, SIDE)
    for rate, same in ((0.0, True), (0.5, False)):
        network = timm.build(4, (3, SIDE, SIDE), model="test_vit", drop_rate=rate).train()
        assert torch.equal(network(x), network(x)) is same


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of Hugging Face's, and no network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path


def test_published_weights_come_from_the_cache(cache: Path) -> None:
    """All but the classifier are those of the file, which other classes were published for; grey sums colours."""
    named = library.get_pretrained_cfg("test_resnet")
    state = library.create_model("test_resnet", num_classes=1000).state_dict()
    home = cache / f"models--{named.hf_hub_id.replace('/', '--')}"
    (home / "snapshots" / "abc").mkdir(parents=True)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("abc")
    save_file(state, home / "snapshots" / "abc" / "model.safetensors")
    network: Any = timm.build(4, (3, SIDE, SIDE), model="test_resnet", pretrained=True)
    own = network.state_dict()
    assert own["fc.weight"].shape == (4, state["fc.weight"].shape[1])
    assert all(torch.equal(own[name], state[name]) for name in state if not name.startswith("fc."))
    assert "state_dict" not in network.pretrained_cfg
    grey = timm.build(4, (1, SIDE, SIDE), model="test_resnet", pretrained=True).state_dict()
    first = next(iter(state))
    assert torch.allclose(grey[first], state[first].sum(1, keepdim=True))


def test_weights_that_are_not_to_be_had_are_said_in_one_line(cache: Path) -> None:
    """Where they were looked for, and why they are not fetched."""
    words = rf"timm:test_resnet\.r160_in1k: pretrained = true: its weights are not in {cache}, .*HF_HUB_OFFLINE is set"
    with pytest.raises(InputError, match=words) as error:
        timm.build(4, (3, SIDE, SIDE), model="test_resnet", pretrained=True)
    assert len(str(error.value).splitlines()) == 1


def test_a_weights_file_says_how_many_classes_its_model_has(tmp_path: Path) -> None:
    """Audited with `--backbone timm:NAME`: the classifier is the model's own, and nothing published is asked for."""
    pixels = np.zeros((2, 3, SIDE, SIDE), np.uint8)
    data = Dataset("none", "test", Pixels(pixels), {}, identify("none", np.arange(2)), (0.5,) * 3, (0.2,) * 3)
    made = timm.build(7, (3, SIDE, SIDE), model="test_convnext")
    tensors = {name: tensor.numpy() for name, tensor in made.state_dict().items()}
    store.write_tensors(tmp_path / "w.safetensors", tensors)

    def opened(backbone: str) -> Encoder:
        terms = stranger.Terms(backbone=backbone, size=str(SIDE))
        return stranger.of_file(tmp_path / "w.safetensors", terms, lambda _: data).encoder

    found = opened("timm:test_convnext:pretrained=true")
    assert (found.classes, found.layer) == (7, "head.fc")
    for source in (found, found.untrained(3)):
        network, layer = networks.of(source)
        same = all(torch.equal(tensor, made.state_dict()[name]) for name, tensor in network.state_dict().items())
        assert (same, layer) == (source.weights is not None, "head.fc")
    with pytest.raises(InputError, match=r"timm:test_convnext:modle=x: no knob 'modle'\. Did you mean 'model'"):
        opened("timm:test_convnext:modle=x")
