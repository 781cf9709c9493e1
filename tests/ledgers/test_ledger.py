"""The ledger: what it promises is read, and whatever is no promise is refused with file and table."""

import re

import pytest

from leakaudit import catalog, store
from leakaudit.errors import InputError
from leakaudit.ledgers import ledger

HASH = "0123456789abcdef" * 4
WHOLE = f"""
[mine]
weights = "a/b.safetensors"
sha256 = "{HASH}"
bytes = 12
backbone = "simple-convnet:kernel=3"
size = "28x20"
mean = [0.5, 0]
std = [0.25, 1]
dataset = "digits:rho=0.9"
target = "digit"
private = ["colour", "shape"]
rename = {{ "fc." = "classifier." }}
"""


@pytest.fixture
def written(tmp_path):
    """Write a ledger: `written('[a]', ...)` gives its path."""

    def write(text):
        path = tmp_path / "own.toml"
        path.write_text(text)
        return path

    return write


def test_an_entry_says_what_stands_in_it(written):
    """Every field, and as the flags that would say the same."""
    path = written(WHOLE)
    made = ledger.read(path)["mine"]
    assert (made.sha256, made.bytes, made.privates) == (HASH, 12, ("colour", "shape"))
    assert made.path == path.parent / "a" / "b.safetensors"
    assert made.flags == {
        "backbone": "simple-convnet:kernel=3",
        "size": "28x20",
        "mean": "0.5,0.0",
        "std": "0.25,1.0",
        "data": "digits:rho=0.9",
        "target": "digit",
    }
    assert made.rename == {"fc.": "classifier."}
    assert not made.shipped


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('weigths = "a"', "no field 'weigths'. Did you mean 'weights'?"),
        ("bytes = 0", "bytes = 0: at least 1 expected"),
        ('bytes = "12"', "bytes = '12': a whole number or nothing expected"),
        (f'sha256 = "{HASH[:-1]}"', "64 hexadecimal digits"),
        (f'sha256 = "{HASH.upper()}"', "64 hexadecimal digits"),
        (f'sha256 = "{HASH}"', "sha256 and bytes expected together"),
        ("bytes = 12", "sha256 and bytes expected together"),
        ('weights = "http://example.org/a.pth"', "https:// expected"),
        ('weights = "ftp://example.org/a.pth"', "no way to fetch ftp://"),
        ('weights = "https:///a.pth"', "https://HOST/FILE expected"),
        ('weights = "https://[::1/f.pth"', "no address"),
        ('weights = "hf://../../x"', "hf://ORG/REPO/FILE"),
        ('weights = "hf://-a/b/f.pth"', "hf://ORG/REPO/FILE"),
        ('weights = "hf://a--b/c/f.pth"', "can be called a--b/c"),
        ('weights = "hf://a/b.git/f.pth"', "can be called a/b.git"),
        ("private = [1]", "private = [1]: a text or a list of which each is a text expected"),
        ('weights = "https://me:secret@example.org/a.pth"', "without a password in it"),
        ('weights = "hf://org/file"', "hf://ORG/REPO/FILE"),
        ('weights = "hf://org/repo/../../a@main"', "without '..'"),
        ('weights = "file://server/a.pth"', "file:///FOLDER/FILE expected"),
        ('weights = ""', "weights = ... expected"),
        ('backbone = "net.py:make"', "a ledger names no code"),
        ('backbone = "net.py"', "a ledger names no code"),
        ('backbone = "simple-convet"', "Did you mean 'simple-convnet'?"),
        ('size = "28 x 28"', "224, or '224x160', expected"),
        ("size = 0", "224, or '224x160', expected"),
        ("mean = [0.5]", "as many numbers in std as in mean"),
        ("mean = [0.5]\nstd = [0]", "above 0"),
        ("rename = { a = 1 }", "rename"),
        ("target = 3", "target = 3: a text expected"),
        ('[mine.old]\nweights = "b"', "no field 'old'; a name with a dot in it stands in quotes"),
    ],
)
def test_what_is_no_promise_is_refused(written, line, said):
    """One line that names file, table and what is expected."""
    field = line.split(" = ")[0]
    whole = '[mine]\nweights = "a"\n' if field != "weights" else "[mine]\n"
    path = written(whole + line)
    with pytest.raises(InputError, match=rf"{re.escape(str(path))} \[mine\]: .*{re.escape(said)}") as refused:
        ledger.read(path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["a b", "", "../a", "digits/end", "-a", "a.pth", "a.TOML", "x" * 81, "a\\u0007"])
def test_a_name_is_plain(written, name):
    """It can be typed, and is never taken for a file or a recipe."""
    with pytest.raises(InputError, match="a plain name expected"):
        ledger.read(written(f'["{name}"]\nweights = "a"'))
    assert ledger.read(written('["a.b-C_9"]\nweights = "a"'))


@pytest.mark.parametrize(("text", "said"), [("[a", "not TOML"), ("a = 1", "a table expected"), ("[[a]]", "a table")])
def test_what_is_no_ledger_is_refused(written, text, said):
    """And so is one that is not there."""
    with pytest.raises(InputError, match=said):
        ledger.read(written(text))
    with pytest.raises(InputError, match="no such ledger"):
        ledger.read(written("").with_name("other.toml"))


def test_a_hub_place_has_its_parts():
    """Repository, file in any folder, and revision, which may be missing."""
    assert ledger.typed("hf://org/repo/a/b.bin@v1").hub == ("org/repo", "a/b.bin", "v1")
    assert ledger.typed("hf://org/repo/b.bin").hub == ("org/repo", "b.bin", "")


def test_a_users_own_entry_comes_first(written):
    """Of a name in both ledgers the user's is used, and said to be; all others are there."""
    path = written('[digits-end]\nweights = "a.pth"\n[other]\nweights = "b.pth"')
    known = ledger.entries(path)
    assert known["digits-end"].path == path.parent / "a.pth"
    assert known["digits-irene"].shipped
    assert not known["other"].shipped
    assert ledger.shadows(path) == ("digits-end",)
    assert ledger.shadows(None) == ()
    assert ledger.find("other", path) == known["other"]
    assert ledger.find("other", None) is None


SHIPPED = [entry for entry in ledger.entries().values() if entry.kind == "file"]


def test_what_ships_is_what_the_ledger_promises():
    """Three encoders, by hash and size, each well under 3 MB, as a recipe of that name trains them."""
    assert [entry.name for entry in SHIPPED] == ["digits-vanilla", "digits-end", "digits-irene"]
    for entry in SHIPPED:
        assert (store.digest_file(entry.path), entry.path.stat().st_size) == (entry.sha256, entry.bytes)
        assert entry.bytes < 1_000_000


def test_what_others_publish_has_no_hash_yet():
    """Nothing unseen is promised; every entry names a backbone and data that there are."""
    for entry in ledger.entries().values():
        if entry.kind == "https":
            assert not entry.sha256
            assert entry.citation
        if entry.dataset:
            module = catalog.thing("datasets", catalog.parse(entry.dataset, "").name)
            assert catalog.check(module.load, catalog.parse(entry.dataset, "").knobs, entry.name) is not None
        if entry.backbone:
            call = catalog.parse(entry.backbone, "")
            assert catalog.check(catalog.thing("backbones", call.name).build, call.knobs, entry.name) is not None


def test_a_name_that_is_a_file_too_is_refused(tmp_path, monkeypatch):
    """What is meant is said, not guessed: a file has its folder before it."""
    monkeypatch.chdir(tmp_path)
    ledger.clear("digits-vanilla")
    (tmp_path / "digits-vanilla").touch()
    with pytest.raises(InputError, match=r"say \./digits-vanilla for the file"):
        ledger.clear("digits-vanilla")
    ledger.clear("./digits-vanilla")
    ledger.clear("another")
