"""Any classifier of torchvision by its name is a backbone whose bottleneck is the input of the last linear layer."""

from pathlib import Path

import pytest
import torch
import torchvision as library

from leakaudit.backbones import torchvision
from leakaudit.errors import InputError, RefusedError
from leakaudit.ledgers import reaching
from leakaudit.numerics.taps import Tapped

MODELS = {
    "shufflenet_v2_x0_5": "fc",
    "mobilenet_v3_small": "classifier.3",
    "mnasnet0_5": "classifier.1",
    "regnet_y_400mf": "fc",
    "googlenet": "fc",
}
"""Small models of five families, and the name of the last linear layer of each."""


@pytest.mark.parametrize("model", MODELS)
def test_the_bottleneck_is_the_input_of_the_last_linear_layer(model: str) -> None:
    """It is one finite vector, and that layer makes the logits of it; grey images are taken."""
    for channels in (1, 3):
        network = torchvision.build(4, (channels, 64, 64), model=model)
        name = torchvision.bottleneck(network)
        x = torch.randn(2, channels, 64, 64, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            out = Tapped(network, name).eval()(x)
        assert name == MODELS[model] == torchvision.layer((channels, 64, 64), model=model)
        assert torch.isfinite(out.z).all()
        assert torch.allclose(network.get_submodule(name)(out.z), out.logits, atol=1e-5)


def test_training_gives_logits_and_nothing_else() -> None:
    """GoogLeNet is built without the second classifiers that it has in training."""
    assert torchvision.build(4, (3, 64, 64), model="googlenet").train()(torch.zeros(2, 3, 64, 64)).shape == (2, 4)


def test_sizes_that_do_not_fit_are_said_in_one_line() -> None:
    """What the model was made for stands in it; what can be built for the data's size is."""
    words = r"torchvision:vit_b_32 does not take images of 3x40x40 \(.*\); it was made for 224x224"
    with pytest.raises(InputError, match=words) as error:
        torchvision.build(4, (3, 40, 40), model="vit_b_32")
    assert len(str(error.value).splitlines()) == 1
    with torch.device("meta"):
        assert torchvision._made("vit_b_32", (3, 64, 64), 4, pretrained=False).seq_length == 5


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (
            "resnet81",
            r"no model 'resnet81'\. Did you mean 'resnet18'\? There are: resnet18, .*, and \d+ more: ",
        ),
        ("fcn_resnet50", "torchvision:fcn_resnet50 classifies no images"),
        ("r3d_18", "torchvision:r3d_18 classifies no images"),
        ("squeezenet1_0", "SqueezeNet has no linear layer: its logits are means over places.*both squeezenets are so"),
        ("", r"torchvision: which model\?"),
    ],
)
def test_what_is_no_classifier_is_refused(model: str, words: str) -> None:
    """Unknown names come with the nearest; networks that find, outline or follow are said to."""
    with pytest.raises(InputError, match=words):
        torchvision.build(4, (3, 64, 64), model=model)


def test_published_weights_fill_all_but_the_classifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Second classifiers that were published with a network are left out, and grey is the sum of colours."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    for name in reaching.OFFLINE:
        monkeypatch.delenv(name, raising=False)
    state = library.models.googlenet(num_classes=9, aux_logits=True, init_weights=False).state_dict()
    assert any(name.startswith("aux1.") for name in state)
    torch.save(state, tmp_path / "made.pth")
    for channels in (1, 3):
        network = torchvision.build(4, (channels, 32, 32), model="googlenet")
        torchvision._start(network, (tmp_path / "made.pth").as_uri(), channels, "googlenet")
        own = network.state_dict()
        first = "conv1.conv.weight"
        assert torch.allclose(own[first], state[first] if channels == 3 else state[first].sum(1, keepdim=True))
        assert all(torch.equal(own[name], state[name]) for name in own if not name.startswith(("fc.", first)))
        assert own["fc.weight"].shape == (4, 1024)


def test_another_file_under_torchvisions_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights are looked for in torch's cache, and their name holds the start of their SHA-256."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    url = library.models.get_model_weights("shufflenet_v2_x0_5").DEFAULT.url
    path = tmp_path / "hub" / "checkpoints" / Path(url).name
    path.parent.mkdir(parents=True)
    torch.save({}, path)
    words = rf"torchvision:shufflenet_v2_x0_5: pretrained = true: {path} is damaged or another file"
    with pytest.raises(RefusedError, match=words):
        torchvision.build(4, (3, 64, 64), model="shufflenet_v2_x0_5", pretrained=True)
