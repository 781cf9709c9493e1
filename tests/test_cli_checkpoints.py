"""The command `checkpoints`: lists, fetches, hashes again and adds, and what it adds is a subject."""

import json
import re
import tomllib
from functools import partial

import pytest

from leakaudit import store
from leakaudit.backbones import simple_convnet
from leakaudit.ledgers import ledger

CLOSED = "https://127.0.0.1:9/net.pth"
NAMES = [*ledger.entries()]


@pytest.fixture
def typed(leakaudit_here, tmp_path):
    """`leakaudit checkpoints ...` in an empty folder, with a folder of downloads of its own."""
    return partial(leakaudit_here, "checkpoints", LEAKAUDIT_HOME=str(tmp_path / "home"))


@pytest.fixture
def weights(tmp_path):
    """The weights of a small network, in a file."""
    network = simple_convnet.build(10, (3, 8, 8), kernel=3, width=2)
    path = tmp_path / "files" / "net.safetensors"
    store.write_tensors(path, {name: tensor.numpy() for name, tensor in network.state_dict().items()})
    return path


ADD = ("--name", "small", "--backbone", "simple-convnet:kernel=3,width=2", "--size", "8", "--mean", "0.5,0.5,0.5")
MORE = ("--std", "0.5,0.5,0.5", "--dataset", "digits", "--target", "digit", "--private", "colour", "--licence", "MIT")


@pytest.mark.parametrize("width", ["80", "120"])
def test_the_list_fits_the_terminal(typed, width):
    """Every encoder in a line of its own at the least, none longer than the terminal."""
    done = typed("list", CI="", COLUMNS=width)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= int(width)
    firsts = [line.split()[0] for line in lines[1:] if not line.startswith(" ")]
    assert firsts == NAMES
    assert "shipped" in next(line for line in lines if line.startswith("digits-end"))
    assert "no hash" in next(line for line in lines if line.startswith("eidos-celeba-end"))
    assert typed(CI="", COLUMNS=width).stdout == done.stdout


def test_what_ships_is_there_and_as_promised(typed):
    """Fetched is where it lies; hashed again, it is what was promised."""
    done = typed("fetch", "digits-end", "digits-irene")
    assert done.stdout.splitlines() == [str(ledger.entries()[name].path) for name in ("digits-end", "digits-irene")]
    verified = typed("verify")
    assert verified.returncode == 0
    assert verified.stdout.count("as promised") == 3
    assert verified.stderr == "leakaudit: exit 0: 3 files are what was promised\n"


def test_a_name_that_is_not_there_is_named_with_the_nearest(typed):
    """As everywhere."""
    done = typed("fetch", "digits-ed")
    assert done.returncode == 2
    assert "no encoder 'digits-ed' in the ledger. Did you mean 'digits-end'?" in done.stderr


def test_without_a_hash_or_a_network_one_line_says_so(typed, tmp_path):
    """No hash: the flag that is needed. Offline: the variable that forbids it. Nothing there: who did not answer."""
    done = typed("fetch", "eidos-celeba-end")
    assert done.returncode == 2
    assert "--trust-on-first-use" in done.stderr
    forbidden = typed("fetch", "eidos-celeba-end", "--trust-on-first-use", LEAKAUDIT_OFFLINE="1")
    assert forbidden.returncode == 2
    assert "LEAKAUDIT_OFFLINE forbids" in forbidden.stderr
    (tmp_path / "own.toml").write_text(f'[a]\nweights = "{CLOSED}"\nsha256 = "{"0" * 64}"\nbytes = 9')
    silent = typed("fetch", "a", "--ledger", "own.toml", HF_HUB_OFFLINE="0")
    assert silent.returncode == 2
    assert "cannot be reached" in silent.stderr
    for each in (done, forbidden, silent):
        assert each.stdout == ""
        assert len(each.stderr.splitlines()) == 1


def test_what_is_added_stands_in_the_ledger(typed, tmp_path, weights):
    """With hash and size; what stood there stays; the line to type next audits it."""
    (tmp_path / "own.toml").write_text('# mine\n["a.b"]\nweights = "https://example.org/a"\n')
    done = typed("add", "files/net.safetensors", *ADD, *MORE, "--citation", 'me, "A\\tB"', "--ledger", "own.toml")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "leakaudit attack small --ledger own.toml --private colour\n"
    text = (tmp_path / "own.toml").read_text()
    assert text.startswith('# mine\n["a.b"]\nweights = "https://example.org/a"\n\n[small]\n')
    made = ledger.read(tmp_path / "own.toml")["small"]
    assert (made.sha256, made.bytes) == (store.digest_file(weights), weights.stat().st_size)
    assert made.weights == "files/net.safetensors"
    assert (made.size, made.mean, made.std, made.privates) == (8, (0.5,) * 3, (0.5,) * 3, ("colour",))
    assert made.citation == 'me, "A\\tB"'
    assert len(tomllib.loads(text)) == 2


def test_unasked_it_is_added_to_the_folder(typed, tmp_path, weights):
    """`checkpoints.toml`, which no command reads unless `--ledger` names it."""
    done = typed("add", str(weights), "--name", "v1.0", "--private", "it's")
    assert done.stdout == (
        "leakaudit attack v1.0 --ledger checkpoints.toml --backbone NAME --data DATA --private 'it'\"'\"'s'\n"
    )
    assert "v1.0" in ledger.read(tmp_path / "checkpoints.toml")
    assert "v1.0" not in typed("list").stdout
    assert "v1.0" in typed("list", "--ledger", "checkpoints.toml").stdout


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("files/net.safetensors", "--name", "digits-end"), 2, "has an entry of that name already"),
        (("files/net.safetensors", "--name", "a b"), 2, "a plain name expected"),
        (("files/no.safetensors", "--name", "a"), 2, "no such file"),
        (("files/net.safetensors", "--name", "a", "--backbone", "net.py:make"), 2, "a ledger names no code"),
        (("files/net.safetensors", "--name", "a", "--backbone", "resnet18"), 2, "the weights do not fit resnet18"),
        (("files/net.safetensors", "--name", "a", "--backbone", "resnet99"), 2, "no backbone 'resnet99'"),
        (("files/net.safetensors", "--name", "a", "--backbone", "simple-convnet:kernel=5"), 2, "of another shape"),
        (("files/net.safetensors", "--name", "a", "--mean", "x"), 2, "a number for each channel"),
        (("files/text.pth", "--name", "a"), 4, "files/text.pth"),
        (("http://127.0.0.1:9/a.pth", "--name", "a"), 2, "https:// expected"),
        ((CLOSED, "--name", "a"), 2, "HF_HUB_OFFLINE forbids"),
    ],
)
@pytest.mark.usefixtures("weights")
def test_what_cannot_be_added_is_refused(typed, tmp_path, words, status, said):
    """And no ledger is written; the twins above were."""
    (tmp_path / "files" / "text.pth").write_text("these are no weights\n" * 99)
    done = typed("add", *words)
    assert done.returncode == status
    assert said in done.stderr
    assert not (tmp_path / "checkpoints.toml").exists()


def test_a_changed_file_is_found_out(typed, weights):
    """Exit 4, with both hashes whole; so is one that went missing, and both before anything is attacked."""
    typed("add", str(weights), *ADD, *MORE)
    line = ("verify", "--ledger", "checkpoints.toml")
    assert typed(*line).returncode == 0
    before = store.digest_file(weights)
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    done = typed(*line)
    assert done.returncode == 4
    assert re.search(rf"small +DIFFERS.*{store.digest_file(weights)}.*{before}", done.stdout, re.DOTALL)
    assert done.stderr == "leakaudit: exit 4: not what was promised: small\n"
    assert typed("verify", "digits-end", "--ledger", "checkpoints.toml").returncode == 0
    assert typed("fetch", "small", "--ledger", "checkpoints.toml").returncode == 4
    weights.unlink()
    missing = typed(*line)
    assert missing.returncode == 4
    assert re.search(r"small +MISSING", missing.stdout)


def test_a_download_that_changed_is_found_out(typed, tmp_path):
    """What was trusted once is held to the record, and what no ledger names is told."""
    made = ledger.typed(CLOSED)
    folder = tmp_path / "home" / "weights"
    folder.mkdir(parents=True)
    path = folder / f"{ledger.key(made)}-net.pth"
    path.write_bytes(b"one")
    (folder / "stray.bin").write_bytes(b"stray")
    known = {"sha256": store.digest_file(path), "bytes": 3}
    store.write_json(tmp_path / "home" / "trusted.json", {"format": 1, "kind": "trusted", "files": {CLOSED: known}})
    done = typed("verify")
    assert done.returncode == 0
    assert re.search(r"net\.pth +as promised", done.stdout)
    assert re.search(r"stray\.bin +no promise", done.stdout)
    path.write_bytes(b"two")
    assert typed("verify").returncode == 4


def test_a_users_entry_in_place_of_ours_is_said(typed, tmp_path):
    """On stderr, by its name."""
    (tmp_path / "own.toml").write_text(f'[digits-end]\nweights = "{CLOSED}"')
    done = typed("list", "--ledger", "own.toml")
    assert "digits-end: own.toml's is used, not the one that ships with leakaudit" in done.stderr
    assert "digits-irene" not in done.stderr


def test_a_setting_names_the_ledger(typed, tmp_path, weights):
    """`ledger` in leakaudit.toml."""
    typed("add", str(weights), *ADD, *MORE, "--ledger", "own.toml")
    (tmp_path / "leakaudit.toml").write_text('ledger = "own.toml"')
    assert "small" in typed("list").stdout


def test_what_was_added_is_audited(typed, leakaudit_here, tmp_path, weights):
    """By its name alone: backbone, size, normalisation and data are the ledger's; a flag comes before them."""
    typed("add", str(weights), *ADD, *MORE)
    line = ("extract", "small", "--ledger", "checkpoints.toml", "--rows", "40")
    done = leakaudit_here(*line)
    assert done.returncode == 0, done.stderr
    made = json.loads((tmp_path / done.stdout.strip() / "manifest.json").read_text())
    assert "small@" in json.dumps(made)
    flags = leakaudit_here(*line, "--mean", "0.1,0.2,0.3", "--std", "1,1,1")
    assert flags.returncode == 0, flags.stderr
    assert flags.stdout != done.stdout
