"""Files are whole or absent, and what cannot be trusted is refused."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakaudit import store
from leakaudit.errors import InputError, RefusedError

TENSORS = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "scalar": np.array(7), "flipped": np.arange(4)[::-1]}


def test_tensors_come_back_as_they_were(tmp_path: Path) -> None:
    """Shapes, scalars among them, types, values and metadata survive."""
    store.write_tensors(tmp_path / "t.safetensors", TENSORS, {"b": 1, "a": [2]})
    found, metadata = store.read_tensors(tmp_path / "t.safetensors")
    assert metadata == {"a": [2], "b": 1}
    assert set(found) == set(TENSORS)
    for name, tensor in TENSORS.items():
        assert found[name].shape == tensor.shape
        assert found[name].dtype == tensor.dtype
        assert np.array_equal(found[name], tensor)
    assert store.digest_tensors(found) == store.digest_tensors(TENSORS)


def test_the_same_tensors_are_the_same_bytes(tmp_path: Path) -> None:
    """Writing twice, in another order, gives one file."""
    for name, tensors in (("a", TENSORS), ("b", dict(reversed(TENSORS.items())))):
        store.write_tensors(tmp_path / name, tensors, {"x": 1, "y": 2} if name == "a" else {"y": 2, "x": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("keep", [0, 4, 20, -1])
def test_a_truncated_tensor_file_is_refused(tmp_path: Path, keep: int) -> None:
    """Cut in the header or in the body, it is damaged; a missing one is the user's to find."""
    path = tmp_path / "t.safetensors"
    store.write_tensors(path, TENSORS)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(RefusedError, match=r"t\.safetensors: truncated, or not a safetensors file"):
        store.read_tensors(path)
    with pytest.raises(InputError, match="no such file"):
        store.read_tensors(tmp_path / "none")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not JSON"),
        ('{"format": 1', "not JSON"),
        ("[1]", "format 1 expected, None found"),
        ('{"a": 1}', "format 1 expected, None found"),
        ('{"format": 2}', "format 1 expected, 2 found: written by another program or a newer leakaudit"),
    ],
)
def test_a_document_of_another_kind_is_refused(tmp_path: Path, content: str, message: str) -> None:
    """Truncated, foreign or newer."""
    (tmp_path / "d.json").write_text(content)
    with pytest.raises(RefusedError, match=message):
        store.read_json(tmp_path / "d.json")


def test_documents_come_back_as_they_were(tmp_path: Path) -> None:
    """Keys keep their order, words their letters; a number that is not finite is never written."""
    value = {"format": 1, "b": [1, 2.5, None], "a": "déjà vu"}
    store.write_json(tmp_path / "d.json", value)
    assert store.read_json(tmp_path / "d.json") == value
    assert list(json.loads((tmp_path / "d.json").read_text(encoding="utf-8"))) == ["format", "b", "a"]
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.write_json(tmp_path / "d.json", {"format": 1, "x": float("nan")})
    assert store.read_json(tmp_path / "d.json") == value


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    """Where the system refuses, the message is one line, the old file stays and no part of a new one does."""
    target = tmp_path / "folder"
    target.mkdir()
    (target / "kept").write_text("x")
    with pytest.raises(InputError, match=r"cannot write .*folder: ") as error:
        store.write_bytes(target, b"new")
    assert len(str(error.value).splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    with pytest.raises(InputError, match="cannot write"):
        store.write_bytes(target / "kept" / "below", b"new")


def test_a_full_disk_is_one_line_and_no_file() -> None:
    """A device that takes nothing is told as such."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(InputError, match="No space left"), store.writing(full):
        full.write_bytes(b"x")


def test_a_store_is_ignored_by_git(tmp_path: Path) -> None:
    """Opening it twice changes nothing."""
    for _ in range(2):
        assert store.open_store(tmp_path / "s") == tmp_path / "s"
    assert (tmp_path / "s" / ".gitignore").read_text() == "*\n"


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_digests_tell_lists_apart(one: list[str], two: list[str]) -> None:
    """Two lists of texts have one digest exactly when they are one list: no joining confuses them."""
    assert (store.digest(*one) == store.digest(*two)) == (one == two)


def test_tensor_digests_see_name_type_shape_and_value() -> None:
    """Each of them counts; the order of names and the layout in memory do not."""
    base = np.arange(6, dtype=np.int32)
    others = [
        {"b": base},
        {"a": base.astype(np.int64)},
        {"a": base.reshape(2, 3)},
        {"a": base + 1},
        {"a": base.astype(np.float32)},
    ]
    digests = {store.digest_tensors(tensors) for tensors in [{"a": base}, *others]}
    assert len(digests) == 6
    assert store.digest_tensors({"a": np.asfortranarray(base.reshape(2, 3))}) == store.digest_tensors(others[2])


def test_a_files_digest_is_that_of_its_bytes(tmp_path: Path) -> None:
    """The sha256 of three letters is known."""
    (tmp_path / "f").write_bytes(b"abc")
    assert store.digest_file(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_place_is_looked_at_before_the_work(tmp_path: Path) -> None:
    """A folder, or a file in the way, is refused; a new file in a new folder is fine, and nothing is made."""
    (tmp_path / "file").write_bytes(b"")
    for path, words in ((tmp_path, "it is a folder"), (tmp_path / "file" / "x", "is not a folder")):
        with pytest.raises(InputError, match=words):
            store.check_place(path)
    store.check_place(tmp_path / "new" / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_is_not_overwritten_and_a_long_name_has_room(tmp_path: Path) -> None:
    """The temporary name is no longer than the file system takes."""
    with pytest.raises(InputError, match="it is a folder"):
        store.write_bytes(tmp_path, b"x")
    long = tmp_path / ("n" * 255)
    store.write_bytes(long, b"x")
    assert long.read_bytes() == b"x"


def test_json_that_is_no_document_is_refused_in_one_line(tmp_path: Path) -> None:
    """Brackets without end, a pipe, a device, and more bytes than a document has; none is waited for."""
    path = tmp_path / "a.json"
    path.write_bytes(b"[" * 200_000)
    with pytest.raises(RefusedError, match=r"not JSON, or truncated \(maximum recursion"):
        store.read_json(path)
    with path.open("wb") as file:
        file.truncate(store.DOCUMENT + 1)
    with pytest.raises(RefusedError, match="67,108,865 bytes; at most 67,108,864 are read"):
        store.read_json(path)
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    for name in ("pipe.json", "zero.json"):
        with pytest.raises(InputError, match="a pipe or a device"):
            store.read_json(tmp_path / name)
    path.write_text('{"format": 1, "a": "b"}')
    assert store.read_json(path)["a"] == "b"


def test_a_document_steers_no_terminal() -> None:
    """What JSON leaves as it is, and a terminal obeys, is spelt out; other letters stay, and all come back."""
    text = "\x9b2J\u202egnp\x7f\ud800\u2028 é \U0001f600"
    written = store.to_text({"a": text})
    assert written == '{\n  "a": "\\u009b2J\\u202egnp\\u007f\\ud800\\u2028 é \U0001f600"\n}\n'
    assert json.loads(written) == {"a": text}
