"""
Classifiers of timm and torchvision as backbones: how many are taken, and why others are not.

    python tests/benchmarks/classifiers.py timm|torchvision [MODEL...]

One random image of 64x64, else of 224x224 pixels goes through each model, with fresh weights: without names, through a
small one of each of timm's files, or through torchvision's classifiers of at most 60 million parameters. A model is
taken if its bottleneck is finite and its classifier makes the logits of it, and if the classifier that is found by what
it does, as in a network of unknown make, is the one that the library names; a line says so, or what was refused.
"""

import argparse

import timm as timms
import torch
import torchvision as torchvisions

from leakaudit import catalog
from leakaudit.errors import InputError
from leakaudit.numerics import classifier
from leakaudit.numerics.taps import Tapped

MOST = 60_000_000
SMALL = ("test_", "atto", "femto", "pico", "nano", "tiny", "xxs", "small", "_s", "b0", "m1", "018", "18", "26", "mini")
"""What names of small models hold, the smallest first."""


def chosen(shelf: str) -> list[str]:
    """The models that are tried where none is named."""
    if shelf == "torchvision":
        models = torchvisions.models
        names = models.list_models(module=models)
        return [name for name in names if models.get_model_weights(name).DEFAULT.meta["num_params"] <= MOST]
    files = [timms.list_models(module=module) for module in timms.list_modules()]
    rank = {word: place for place, word in enumerate(SMALL)}
    return sorted(
        min(names, key=lambda name: (min((rank[word] for word in SMALL if word in name), default=99), len(name)))
        for names in files
        if names
    )


def tried(shelf: str, model: str, side: int) -> str:
    """
    Width and name of the bottleneck.

    Raises:
        InputError: the model is refused.
    """
    module = catalog.thing("backbones", shelf)
    network = module.build(4, (3, side, side), model=model)
    name = module.bottleneck(network)
    with torch.no_grad():
        out = Tapped(network, name).eval()(torch.randn(1, 3, side, side))
        layer = network.get_submodule(name)
        again = layer(out.z if isinstance(layer, torch.nn.Linear) else out.z[:, :, None, None]).flatten(1)
    assert torch.isfinite(out.z).all()
    assert torch.allclose(again, out.logits, atol=1e-5)
    assert module.layer((3, side, side), model=model) == name
    assert classifier.find(network, (3, side, side)) == name
    return f"{out.z.shape[1]} numbers before {name}, {side}x{side}"


def main() -> None:
    """Print a line for each model, and how many were taken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shelf", choices=["timm", "torchvision"])
    parser.add_argument("models", nargs="*")
    a = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    names, taken = a.models or chosen(a.shelf), 0
    for name in names:
        said = ""
        for side in (64, 224):
            try:
                said = tried(a.shelf, name, side)
                taken += 1
                break
            except InputError as error:
                said = f"refused: {error}"
        print(f"{name:<32} {said}", flush=True)
    print(f"{taken} of {len(names)} taken")


if __name__ == "__main__":
    main()
