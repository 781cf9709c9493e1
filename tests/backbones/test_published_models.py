"""A published model is what its library makes of it: weights, classes, and how images enter."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm as timms
import torch
import torchvision as torchvisions
from huggingface_hub import constants
from safetensors.torch import save_file
from torch import nn

from leakaudit import stranger
from leakaudit.backbones import Publishes, timm, torchvision
from leakaudit.dataset import Dataset, Pixels
from leakaudit.errors import InputError, RefusedError
from leakaudit.ledgers.ledger import Entry
from leakaudit.preprocessing import parse, settled

FLAGLESS = parse(None, None, None)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty caches of Hugging Face and of torch, and no network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    return tmp_path


def keep(cache: Path, model: str) -> nn.Module:
    """A model of timm with random weights, laid where timm's own would lie."""
    config = timms.get_pretrained_cfg(model)
    made: nn.Module = timms.create_model(model).eval()
    home = cache / f"models--{config.hf_hub_id.replace('/', '--')}"
    (home / "snapshots" / "abc").mkdir(parents=True)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("abc")
    save_file(made.state_dict(), home / "snapshots" / "abc" / "model.safetensors")
    return made


def filled(tensors: dict[str, np.ndarray], network: nn.Module) -> nn.Module:
    """A network with these tensors and no others."""
    network.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()})
    return network.eval()


@pytest.mark.parametrize("model", ["test_resnet", "test_convnext"])
def test_a_model_of_timm_comes_with_its_classifier(model: str, cache: Path) -> None:
    """The network that `build` makes of it gives timm's own logits; random numbers elsewhere are left alone."""
    made = keep(cache, model)
    state = torch.random.get_rng_state()
    found = timm.published(model=model)
    assert torch.equal(state, torch.random.get_rng_state())
    assert (found.name, found.classes, len(found.sha256)) == (f"timm:{model}.r160_in1k", 1000, 64)
    assert (found.names[0], len(found.names)) == ("tench, Tinca tinca", 1000)
    assert f"weights: model.safetensors of timm/{model}.r160_in1k on Hugging Face at abc" in found.notes
    assert "licence, as timm states it: apache-2.0" in found.notes
    assert found.tensors is not None
    x = torch.randn(2, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(filled(found.tensors, timm.build(1000, (3, 160, 160), model=model))(x), made(x))


def test_a_transformer_is_made_for_the_size_that_is_said(cache: Path) -> None:
    """Its positions are resampled by timm; its own size changes nothing."""
    made = keep(cache, "test_vit")
    own, other = timm.published(model="test_vit"), timm.published((96, 96), model="test_vit")
    assert own.tensors is not None
    assert other.tensors is not None
    assert np.array_equal(own.tensors["pos_embed"], made.state_dict()["pos_embed"].numpy())
    assert other.tensors["pos_embed"].shape == (1, 37, 64)
    assert filled(other.tensors, timm.build(1000, (3, 96, 96), model="test_vit"))(torch.zeros(1, 3, 96, 96)).shape
    with pytest.raises(InputError, match=r"test_vit\.r160_in1k does not take images of 3x100x100 .*made for 160"):
        timm.published((100, 100), model="test_vit")


def test_a_size_that_a_ledger_says_is_as_good_as_a_flag(cache: Path) -> None:
    """The transformer is made for it, though nothing was typed; what is typed comes first."""
    keep(cache, "test_vit")
    pixels = np.zeros((2, 3, 8, 8), np.uint8)
    data = Dataset("d", "test", Pixels(pixels), {}, np.zeros(2, np.uint64), (0.5,), (0.5,))
    entry = Entry(name="e", ledger=cache / "own.toml", weights="timm:test_vit", size=96)
    for typed, side, places in ((None, 96, 37), ("64", 64, 17)):
        made = stranger.of_library("timm:test_vit", stranger.Terms(size=typed), lambda _: data, entry).encoder
        assert made.shape == (3, side, side)
        assert made.weights is not None
        assert made.weights["pos_embed"].shape[1] == places


@pytest.mark.parametrize(
    "model",
    ["resnet18", "resnet18.tv_in1k", "test_vit", "vit_base_patch16_224", "mobilenetv3_small_050", "convnext_tiny",
     "convnext_base.fb_in22k_ft_in1k_384", "inception_v3", "efficientnet_b3", "vit_base_patch16_clip_224.openai"],
)  # fmt: skip
def test_images_enter_as_timm_has_them_enter(model: str) -> None:
    """Size, cut and normalisation are those of the transforms that timm itself makes of its configuration."""
    config = timms.get_pretrained_cfg(model).to_dict()
    theirs: Any = timms.data.create_transform(**timms.data.resolve_data_config(pretrained_cfg=config))
    resize, cut, _, normalise = theirs.transforms
    found = timm.published(model=model, pretrained=False)
    ours = settled(FLAGLESS, found.preprocessing)
    assert ours.shape[1:] == tuple(cut.size)
    side = resize.size if isinstance(resize.size, int) else resize.size[0]
    assert (ours.resize or ours.shape[1:]) == (side, side)
    assert ours.mean == pytest.approx(normalise.mean.tolist())
    assert ours.std == pytest.approx(normalise.std.tolist())
    assert ours.source.startswith(f"timm's configuration of {model.partition('.')[0]}.")
    bicubic = resize.interpolation.value == "bicubic"
    assert any("bicubic interpolation; here it is bilinear" in note for note in found.notes) is bicubic


@pytest.mark.parametrize("model", ["resnet18", "resnet50.IMAGENET1K_V1", "resnet50", "swin_t", "efficientnet_b3"])
def test_images_enter_as_torchvision_has_them_enter(model: str) -> None:
    """Size, cut and normalisation are those of the weights' own transforms, the default ones unless named."""
    name, _, tag = model.partition(".")
    weights = torchvisions.models.get_model_weights(name)
    theirs: Any = (weights[tag] if tag else weights.DEFAULT).transforms()
    found = torchvision.published(model=model, pretrained=False)
    ours = settled(FLAGLESS, found.preprocessing)
    assert ours.shape == (3, *theirs.crop_size * 2)
    assert (ours.resize or ours.shape[1:]) == (*theirs.resize_size * 2,)
    assert (ours.mean, ours.std) == (tuple(theirs.mean), tuple(theirs.std))
    assert found.names[:2] == ("tench", "goldfish")
    bicubic = theirs.interpolation.value == "bicubic"
    assert any("bicubic interpolation; here it is bilinear" in note for note in found.notes) is bicubic


def test_a_second_normalisation_inside_is_joined_to_the_first() -> None:
    """GoogLeNet's published weights go with `transform_input`: 0.5 and 0.5 give the same input."""
    theirs: Any = torchvisions.models.googlenet(weights=None, init_weights=False, transform_input=True)
    preset: Any = torchvisions.models.GoogLeNet_Weights.DEFAULT.transforms()
    mean, std = (torch.tensor(part).view(1, 3, 1, 1) for part in (preset.mean, preset.std))
    x = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    said = torchvision.published(model="googlenet", pretrained=False).preprocessing
    assert (said.mean, said.std) == ((0.5,) * 3, (0.5,) * 3)
    assert torch.allclose(theirs._transform_input((x - mean) / std), (x - 0.5) / 0.5, atol=1e-6)


def test_a_model_of_torchvision_comes_with_its_classifier(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file lies in torch's cache; another network's file is refused."""
    weights = torchvisions.models.ShuffleNet_V2_X0_5_Weights.DEFAULT
    monkeypatch.setattr(weights.value, "url", "https://here.invalid/made.pth")
    made = torchvisions.models.shufflenet_v2_x0_5().eval()
    home = cache / "hub" / "checkpoints"
    home.mkdir(parents=True)
    torch.save(made.state_dict(), home / "made.pth")
    found = torchvision.published((64, 64), model="shufflenet_v2_x0_5")
    assert found.name == "torchvision:shufflenet_v2_x0_5.IMAGENET1K_V1"
    assert found.notes == ("weights: https://here.invalid/made.pth",)
    assert found.tensors is not None
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    build = torchvision.build(1000, (3, 64, 64), model="shufflenet_v2_x0_5")
    with torch.no_grad():
        assert torch.equal(filled(found.tensors, build)(x), made(x))
    torch.save(torchvisions.models.mnasnet0_5().state_dict(), home / "made.pth")
    with pytest.raises(RefusedError, match=r"torchvision:shufflenet_v2_x0_5\.IMAGENET1K_V1: published weights do not"):
        torchvision.published(model="shufflenet_v2_x0_5")


def test_weights_that_are_not_to_be_had_are_no_random_ones(cache: Path) -> None:
    """It says where they were looked for and why they are not fetched; random ones only where that is said."""
    with pytest.raises(
        InputError, match=rf"timm:test_vit\.r160_in1k: its weights are not in {cache}, .*OFFLINE is set"
    ):
        timm.published(model="test_vit")
    found = timm.published(model="test_vit", pretrained=False)
    assert (found.tensors, found.sha256) == (None, "")
    assert found.notes[0] == "timm:test_vit.r160_in1k: pretrained=false was said: the weights are random"


def test_what_is_published_without_a_classifier_gives_its_bottleneck() -> None:
    """A feature extractor of timm has no classes: its output is the bottleneck, and that is a note."""
    found = timm.published(model="vit_small_patch14_dinov2", pretrained=False)
    assert (found.classes, found.names) == (0, ())
    assert "timm publishes this model without a classifier: its output is the bottleneck itself" in found.notes
    network = timm.build(0, (3, 32, 32), model="test_vit")
    assert timm.bottleneck(network) == "head"


def test_a_tag_that_no_weights_have_is_refused_with_those_there_are() -> None:
    """In both libraries, in one line."""
    for module, words in ((timm, "There are: a1_in1k, "), (torchvision, "There are: IMAGENET1K_V1.")):
        assert isinstance(module.published, Publishes)
        with pytest.raises(InputError, match=rf"resnet18: no weights 'none'\. {words}"):
            module.published(model="resnet18.none", pretrained=False)
