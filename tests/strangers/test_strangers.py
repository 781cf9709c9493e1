"""
Published models in networks that a user wrote down: read, extracted and attacked by the command line.

Accuracies of the reference are those of the data's own notes, measured with torch alone; the rest were measured once
with torch alone in the same networks.
"""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from leakaudit import embeddings
from leakaudit.verdict import WORST_FIRST

NETWORKS = Path(__file__).with_name("networks.py")
PLAIN, MNIST = ("0", "1"), ("0.1307", "0.3081")
IMAGENET = ("0.485,0.456,0.406", "0.229,0.224,0.225")
BYTES = ("0", "0.00392156862745098")
"""As raw bytes, 0 to 255."""
ROUNDED = 0.0005
"""To which accuracies are stated; one image in two thousand."""


@dataclass(frozen=True)
class Stranger:
    """A published file and what its user knows of it."""

    file: str
    network: str
    enters: tuple[str, str]
    """Mean and standard deviation."""
    accuracy: float
    images: str = "mnist"

    @property
    def words(self) -> tuple[str, ...]:
        """Of the command line."""
        return ("--backbone", f"{NETWORKS}:{self.network}", "--mean", self.enters[0], "--std", self.enters[1])


LENET = Stranger("advertorch/mnist_lenet5_clntrained.pt", "Lenet", PLAIN, 0.9889)
MLP = Stranger("advertorch/mlp.pkl", "Perceptron", PLAIN, 0.9817)
CNN = Stranger("martinwmx_mnist/CNN_CPU_CNN.pth", "Convolutions", MNIST, 0.9912)
RESNET = Stranger("akamaster_cifar_resnet/resnet20-12fca82f.th", "Residual", IMAGENET, 0.915, "cifar10")
STACKED = Stranger("sunnyhaze_lenet5/model.pt", "Stacked", BYTES, 0.9805)
QUICK = [MLP, CNN, RESNET]
OTHERS = [
    LENET,
    Stranger("advertorch/mnist_lenet5_advtrained.pt", "Lenet", PLAIN, 0.9864),
    Stranger("martinwmx_mnist/CNN_GPU_CNN.pth", "Convolutions", MNIST, 0.9922),
    Stranger("martinwmx_mnist/FC_GPU_FC.pth", "Small", MNIST, 0.9563),
    Stranger("burn_mnist/mnist.pt", "Normed", MNIST, 0.9915),
    Stranger("burn_mnist/mnist.safetensors", "Normed", MNIST, 0.9917),
    STACKED,
]


def idx(path: Path, header: int) -> np.ndarray:
    """Bytes of one of MNIST's own files."""
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


def read(root: Path, images: str) -> tuple[np.ndarray, np.ndarray]:
    """The images of the test set, and their labels."""
    if images == "mnist":
        pixels = idx(root / "mnist" / "t10k-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
        return pixels, idx(root / "mnist" / "t10k-labels-idx1-ubyte.gz", 8)
    from PIL import Image

    with Image.open(root / "cifar10" / "cifar10_batch_50.png") as picture:
        return np.array(picture).reshape(1000, 32, 32, 3), np.load(root / "cifar10" / "labels.npy")[50_000:51_000]


@pytest.fixture
def plain(data_root, tmp_path):
    """A function that writes the test images of a data set as an .npz, and gives it as DATA."""

    def write(images: str) -> str:
        pixels, labels = read(data_root, images)
        np.savez(tmp_path / f"{images}.npz", images=pixels, digit=labels)
        return f"arrays:file={tmp_path / images}.npz"

    return write


@pytest.fixture
def private(data_root, tmp_path):
    """The same with a private attribute in half of them: digits on grey, photographs with a cast of red."""

    def write(images: str, rows: int, level: int = 40) -> str:
        pixels, labels = (each[:rows] for each in read(data_root, images))
        there = np.random.default_rng(0).integers(0, 2, len(labels)).astype(bool)
        cast = np.array([level, 0, 0] if images == "cifar10" else level, np.uint8)
        other = np.maximum(pixels, cast) if images == "mnist" else np.minimum(pixels, 255 - level) + cast
        shown = np.where(there.reshape(-1, *[1] * (pixels.ndim - 1)), other, pixels)
        np.savez(tmp_path / "private.npz", images=shown, digit=labels, background=np.where(there, "cast", "plain"))
        return f"arrays:file={tmp_path / 'private.npz'}"

    return write


def accuracy(run, stranger: Stranger, root: Path, data: str, folder: Path) -> float:
    """Of the logits in the store, after `leakaudit extract`."""
    done = run("extract", root / "checkpoints" / stranger.file, *stranger.words, "--data", data, "--split", "all")
    assert done.returncode == 0, done.stderr
    assert f"runs your code: {NETWORKS}:{stranger.network}" in done.stderr
    stored = embeddings.read(folder / done.stdout.strip())
    assert stored.logits is not None
    return float((stored.logits.argmax(1) == stored.columns["digit"].values).mean())


@pytest.mark.parametrize("stranger", QUICK, ids=lambda stranger: stranger.file)
def test_the_published_accuracy_is_reached(leakaudit_here, tmp_path, data_root, plain, stranger):
    """The model names as many test images right through leakaudit's extraction as its reference says."""
    found = accuracy(leakaudit_here, stranger, data_root, plain(stranger.images), tmp_path)
    assert found == pytest.approx(stranger.accuracy, abs=ROUNDED)


@pytest.mark.slow
@pytest.mark.parametrize("stranger", OTHERS, ids=lambda stranger: stranger.file)
def test_every_published_accuracy_is_reached(leakaudit_here, tmp_path, data_root, plain, stranger):
    """The same for all others whose architecture is public and small."""
    found = accuracy(leakaudit_here, stranger, data_root, plain(stranger.images), tmp_path)
    assert found == pytest.approx(stranger.accuracy, abs=ROUNDED)


def attacked(run, stranger: Stranger, root: Path, data: str, *more: str) -> dict:
    """The audit of the attack on the private attribute, after it has been looked at."""
    file = root / "checkpoints" / stranger.file
    words = ("--private", "background", "--target", "digit", "--split", "all", "--format", "json", *more)
    done = run("attack", file, *stranger.words, "--data", data, *words)
    assert done.returncode == 0, done.stderr
    audit = json.loads(done.stdout)
    assert audit["verdict"] in WORST_FIRST
    notes = " ".join(audit["provenance"]["notes"])
    assert f"the user's own code: networks.py:{stranger.network} (sha256 " in notes
    assert audit["subject"]["file_sha256"]
    prepared = audit["subject"]["preprocessing"]
    assert f"; mean {stranger.enters[0]}, std {stranger.enters[1][:6]}" in prepared
    assert prepared.endswith("(--mean, --std; size: the data set)")
    return audit


def test_a_colour_cast_is_audited_in_a_resnet(leakaudit_here, data_root, private):
    """CIFAR-10 with a cast: a verdict, and what was taken off the file, whose code was run, how images enter."""
    audit = attacked(leakaudit_here, RESNET, data_root, private("cifar10", 240), "--attacker", "linear")
    notes = " ".join(audit["provenance"]["notes"])
    assert "state_dict" in notes
    assert "module." in notes
    assert audit["subject"]["width"] == 64


@pytest.mark.slow
@pytest.mark.parametrize("stranger", [LENET, MLP, CNN, STACKED, *OTHERS[1:-1]], ids=lambda stranger: stranger.file)
def test_a_grey_background_is_audited(leakaudit_here, data_root, private, stranger):
    """Digits on grey: the whole suite comes to a verdict, LEAK but for one trained against changes of pixels."""
    audit = attacked(leakaudit_here, stranger, data_root, private("mnist", 600))
    assert audit["verdict"] == "LEAK" or "advtrained" in stranger.file
    assert audit["utility"]["accuracy"]["value"] > 0.85
    assert not audit["warnings"]


@pytest.mark.slow
def test_images_of_the_wrong_scale_are_warned_of(leakaudit_here, data_root, private):
    """A model that was trained on bytes, given normalised images, names one digit for all: the audit warns."""
    wrong = Stranger(STACKED.file, STACKED.network, MNIST, 0.1)
    data = private("mnist", 400, level=0)
    audit = attacked(leakaudit_here, wrong, data_root, data, "--attacker", "linear")
    assert audit["utility"]["accuracy"]["value"] < 0.2
    assert "digit" in " ".join(audit["warnings"])
    right = attacked(leakaudit_here, STACKED, data_root, data, "--attacker", "linear")
    assert right["utility"]["accuracy"]["value"] > 0.95
    assert not right["warnings"]
