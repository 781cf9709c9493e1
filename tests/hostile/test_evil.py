"""Files made to run code run none: each is refused, or read as the plain data that it also is."""

import evil
import honest
import pytest
from asked import asked_of
from opcodes import inflating, pickled, text, torch_legacy, torch_zip

FILES = evil.files()


@pytest.fixture(scope="module")
def ends(watcher, tmp_path_factory):
    """How reading each file ends, as weights and as embeddings."""
    folder = tmp_path_factory.mktemp("evil")
    found = watcher.files(FILES, lambda path: [["read", str(path)], ["embeddings", str(path)]], folder)
    assert not list(folder.rglob("pwned*"))
    return found


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_run(ends, name):
    """Whatever a file tries, reading it ends in a refusal of one line or in tensors, and nothing is done."""
    as_weights, as_embeddings = ends[name]
    as_weights.nothing_done()
    assert as_weights.exit in (None, 4)
    if as_weights.exit is not None:
        as_weights.said_in_one_line()
    as_embeddings.nothing_done()
    assert as_embeddings.exit in (2, 4)
    as_embeddings.said_in_one_line()


@pytest.mark.parametrize("name", ["zip-os.system.pth", "legacy-os.system.pth", "bare.pkl", "script.pt", "objects.npz"])
def test_every_command_refuses_it(watcher, home, post, images, name):
    """By the command line a hostile file ends in exit 4 and one line that names it, whatever is asked of it."""
    path = post / name
    path.write_bytes(FILES[name])
    for end in watcher.each(asked_of(path, images), home):
        end.nothing_done()
        assert end.exit in ((2, 4) if "--" not in end.err else (4,)), end
        assert path.name in end.said_in_one_line()


@pytest.mark.parametrize("container", [torch_zip, torch_legacy])
def test_the_container_itself_is_whole(watcher, home, post, container):
    """Without a payload the same hand-made file is read: it is the payload that is refused."""
    path = post / "w.pth"
    path.write_bytes(container(evil.beside(text("nothing")) if container is torch_zip else pickled(evil.OLD)))
    end = watcher("read", path, home=home)
    assert not end.bug, end.bug
    assert end.exit is None
    assert end.said.startswith("1 tensors, 24 bytes")


@pytest.mark.parametrize("name", ["objects.npz", "objects.npy", "bare.pkl", "inflated.npz"])
def test_hostile_data_runs_nothing(watcher, home, post, name):
    """Images that hold Python objects, or unpack like a bomb, are refused as hostile weights are."""
    path = post / name
    path.write_bytes(inflating({"digit.npy": bytes(8)}, "images.npy", 1 << 30) if "inflated" in name else FILES[name])
    honest.torch_zip(post / "w.pth")
    data = ["--data", f"arrays:file={path}", "--private", "y"]
    end = watcher("command", "attack", post / "w.pth", "--backbone", "mlp", *data, home=home)
    end.nothing_done()
    assert end.exit in (2, 4)
    assert name in end.said_in_one_line()
