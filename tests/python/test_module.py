"""A network in memory: read as it is, left as it was, on images from wherever the program has them."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    RandomSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

import leakaudit
from leakaudit import auditor, progress
from leakaudit.python import memory
from leakaudit.subject import Terms

ROWS = 160


class Faces(Dataset):
    """Images with labels by name."""

    def __init__(self, x, labels):
        self.x, self.labels = x, labels

    def __len__(self):
        return len(self.x)

    def __getitem__(self, row):
        return self.x[row], {name: values[row] for name, values in self.labels.items()}


@pytest.fixture(scope="module")
def labels():
    """Two labels of each image."""
    random = np.random.default_rng(0)
    return {"gender": random.integers(0, 2, ROWS), "hair": random.integers(0, 2, ROWS)}


@pytest.fixture(scope="module")
def images(labels):
    """Small images in which both labels show."""
    x = np.random.default_rng(1).normal(size=(ROWS, 3, 6, 6)).astype(np.float32)
    x[:, 0] += 2 * labels["gender"][:, None, None]
    x[:, 1] += labels["hair"][:, None, None]
    return x


class Sizes(Dataset):
    """Images of which one batch is lower."""

    def __len__(self):
        return 2 * memory.BATCH

    def __getitem__(self, row):
        return torch.zeros(3, 6 - (row >= memory.BATCH), 6)


def network() -> nn.Module:
    """A network with what behaves otherwise in training: dropout, and a norm over the batch."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        body = (nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(), nn.Linear(64, 2))
        return nn.Sequential(*body)


def audit(module, data, private="gender", target="hair", **words):
    """One attacker is enough here."""
    return leakaudit.audit(module, private=private, target=target, data=data, attacker="linear", **words)


@pytest.fixture
def read(labels, tmp_path):
    """What is extracted from a module, of one layer or several; `labels` of each row, unless the data bring them."""

    def extracted(module, data, beside=("gender", "hair"), **words):
        terms = Terms(store=tmp_path, root=tmp_path, private=("gender",), target="hair", batch_size=50, **words)
        subject = memory.network(module, data, {name: labels[name] for name in beside}, "network", terms)
        return progress.watch(auditor.together(subject, terms), "", "quiet")

    return extracted


@pytest.mark.usefixtures("unchecked")
def test_a_module_is_audited_with_its_baselines(images, labels):
    """An image model is audited as from a file: beside the raw input, and an encoder of fresh weights."""
    found = audit(network(), images, {"gender": labels["gender"]}, {"hair": labels["hair"]})
    part = found.attribute("gender")
    known = {baseline.baseline for baseline in part.baselines if baseline.figures is not None}
    assert {"raw-input", "random-init", "model-output", "leace"} <= known
    assert part.share_of_raw is not None
    assert (found.audits[0].subject["kind"], found.audits[0].subject["layer"]) == ("module", "5")
    assert found.audits[0].utility is not None


def test_what_is_read_is_what_the_module_itself_gives_in_evaluation(read, images):
    """The classifier's inputs and outputs, and a layer that is named, are those of the module in evaluation mode."""
    module = network().eval()
    with torch.inference_mode():
        z, inner = module[:5](torch.from_numpy(images)), module[0](torch.from_numpy(images))
        logits = module(torch.from_numpy(images))
    (found,) = read(network().train(), images)
    assert np.allclose(found.z, z, atol=1e-5)
    assert np.allclose(found.logits, logits, atol=1e-5)
    layer, same = read(network(), images, layer=("0", "5:at=input"))
    assert np.allclose(layer.z, inner.mean(dim=(2, 3)), atol=1e-5)
    assert np.array_equal(same.z, found.z)


@pytest.mark.parametrize("training", [True, False])
def test_a_module_is_left_as_it_was(read, images, training):
    """Mode, weights, statistics, gradients, hooks and the program's own chance are untouched."""
    module = network().train(training)
    module(torch.from_numpy(images)).sum().backward()
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    gradient, chance = module[0].weight.grad.clone(), torch.get_rng_state()
    read(module, DataLoader(Faces(torch.from_numpy(images), {}), 30))
    assert [part.training for part in module.modules()] == [training] * len([*module.modules()])
    assert all(torch.equal(state[name], tensor) for name, tensor in module.state_dict().items())
    assert torch.equal(gradient, module[0].weight.grad)
    assert torch.equal(chance, torch.get_rng_state())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())


@pytest.mark.parametrize("way", ["tensor", "loader", "items", "alone", "pairs", "double", "parallel"])
def test_images_come_from_wherever_they_are(read, images, labels, way):
    """Tensors, data sets and loaders of the same images, and a wrapped module or one in float64, are read alike."""
    x, y = torch.from_numpy(images), torch.from_numpy(labels["hair"])
    module, data, beside = {
        "tensor": (network(), x, ("gender", "hair")),
        "loader": (network(), DataLoader(Faces(x, labels), 30), ()),
        "items": (network(), Faces(x, labels), ()),
        "alone": (network(), DataLoader(TensorDataset(x), 64), ("gender", "hair")),
        "pairs": (network(), DataLoader(TensorDataset(x, y), 64), ("gender",)),
        "double": (network().double(), x.double(), ("gender", "hair")),
        "parallel": (nn.DataParallel(network()), x, ("gender", "hair")),
    }[way]
    (one,), (other,) = read(network(), images), read(module, data, beside)
    assert np.array_equal(one.z, other.z)
    assert all(np.array_equal(other.column(name).values, values) for name, values in labels.items())


def test_vectors_enter_as_vectors(read, images):
    """A network of linear layers reads (n, d) as it stands, and one that flattens first reads it alike."""
    plain = nn.Sequential(nn.Linear(108, 6), nn.ReLU(), nn.Linear(6, 2))
    vectors = torch.from_numpy(images).flatten(1)
    (one,), (other,) = read(plain, vectors), read(nn.Sequential(nn.Flatten(), *plain), images.reshape(ROWS, -1))
    assert np.allclose(one.z, plain[:2](vectors).detach(), atol=1e-5)
    assert np.array_equal(one.z, other.z)
    assert not plain._forward_pre_hooks


def test_a_loader_that_shuffles_brings_its_labels_along(read, images, labels):
    """Each image keeps the labels that come with it, whatever their order."""
    (one,), (other,) = (read(network(), data, ()) for data in (Faces(images, labels), shuffled(images, labels)))
    order = np.argsort(one.contents)[np.argsort(np.argsort(other.contents))]
    assert not np.array_equal(one.z, other.z)
    for name in labels:
        assert np.array_equal(one.column(name).values[order], other.column(name).values)


def shuffled(images, labels):
    """A loader in another order each time."""
    return DataLoader(Faces(images, labels), 32, shuffle=True, generator=torch.Generator().manual_seed(3))


def test_images_that_two_networks_share_have_one_identity(read, images):
    """So that their audits are compared row by row."""
    with torch.random.fork_rng():
        other = nn.Sequential(nn.Flatten(), nn.Linear(108, 6), nn.ReLU(), nn.Linear(6, 2))
    (one,), (two,) = read(network(), images), read(other, torch.from_numpy(images))
    assert np.array_equal(one.ids, two.ids)
    assert one.origin.key != two.origin.key


def test_bytes_enter_as_to_tensor_has_them(read):
    """An image of uint8 enters as x / 255, and less `mean` over `std` where these are said."""
    x = np.random.default_rng(2).integers(0, 255, (ROWS, 3, 6, 6)).astype(np.uint8)
    plain = x.astype(np.float32) / 255
    for words, floats in (({}, plain), ({"mean": "0.5", "std": "0.25"}, (plain - 0.5) / 0.25)):
        (one,), (other,) = read(network(), x, **words), read(network(), floats)
        assert np.allclose(one.z, other.z, atol=1e-4)


WRONG = {
    "nothing": (None, {}, "data is missing"),
    "a name of none": ("digitz", {"private": "gender", "target": "hair"}, "Did you mean 'digits'?"),
    "labels of a name": ("digits", {}, "digits has its own labels"),
    "channels last": (
        np.zeros((ROWS, 6, 6, 3), np.float32),
        {},
        "images (n, c, h, w) or (n, h, w), or vectors (n, d), expected",
    ),
    "whole numbers": (np.zeros((ROWS, 3, 6, 6), np.int64), {}, "is int64: images are uint8 in 0..255"),
    "other rows": (np.zeros((9, 3, 6, 6), np.float32), {}, "the labels 'gender' have shape [160]: 9 of them"),
    "no channels": (np.zeros((ROWS, 1, 6, 6), np.uint8), {"private": {"gender": [0]}}, "have shape [1]"),
    "of several sizes": (Sizes(), {}, "images of one shape expected, [3, 5, 6] and [3, 6, 6] found"),
    "a list": ([1, 2], {}, "DATA's name, an array (n, c, h, w), or a torch Dataset or DataLoader expected, list found"),
    "a split": (np.zeros((ROWS, 3, 6, 6), np.float32), {"split": "test"}, "split says nothing here"),
    "a backbone": (np.zeros((ROWS, 3, 6, 6), np.float32), {"backbone": "resnet18"}, "is its own backbone"),
    "a size": (np.zeros((ROWS, 3, 2, 2), np.float32), {}, "Sequential"),
    "a layer": (np.zeros((ROWS, 3, 6, 6), np.float32), {"layer": "fc"}, "fc"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_refused_in_one_line(labels, case):
    """No guess at the axes, no label that may be of another row: an `InputError` says what is expected."""
    data, words, said = WRONG[case]
    named = {"private": {"gender": labels["gender"]}, "target": {"hair": labels["hair"]}}
    with pytest.raises(leakaudit.InputError) as error:
        audit(network(), data, **(named | words))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_labels_apart_from_a_loader_that_shuffles_or_picks_are_refused(images, labels):
    """They would go to other images; so is a loader whose labels have no name."""
    x, y = torch.from_numpy(images), torch.from_numpy(labels["hair"])
    data = TensorDataset(x, y)
    orders = RandomSampler(data), WeightedRandomSampler([1.0] * ROWS, ROWS), SubsetRandomSampler(range(ROWS))
    ways = [{"batch_size": 32, "shuffle": True}, *({"batch_size": 32, "sampler": order} for order in orders)]
    for way in (*ways, {"batch_sampler": BatchSampler(orders[0], 32, drop_last=False)}):
        with pytest.raises(leakaudit.InputError, match="the DataLoader shuffles or picks; 'gender' would go to other"):
            audit(network(), DataLoader(data, **way), private={"gender": labels["gender"]})
    with pytest.raises(leakaudit.InputError, match="labels by name"):
        audit(network(), TensorDataset(x, y, y))


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked")
def test_what_no_layer_draws_anew_has_no_baseline(images, labels):
    """A module with numbers of its own is audited all the same, and the audit says why the baseline is missing."""

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.head = nn.Parameter(torch.randn(108, 5)), nn.Linear(5, 2)

        def forward(self, x):
            return self.head(torch.tanh(x.flatten(1) @ self.table))

    with torch.random.fork_rng():
        made = audit(Own(), images, {"gender": labels["gender"]}, {"hair": labels["hair"]})
    assert made.attribute("gender").above_random is None
    assert "no layer draws anew" in made.attribute("gender").above_random_note
