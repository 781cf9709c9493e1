"""Files made to run code run none: each is refused, or read as the plain data that it also is."""

import evil
import pytest
from conftest import asked_of
from opcodes import pickled, text, torch_legacy, torch_zip

FILES = evil.files()


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_run(watcher, home, post, name):
    """Whatever a file tries, reading it ends in a refusal of one line or in tensors, and nothing is done."""
    path = post / name
    path.write_bytes(FILES[name])
    end = watcher("read", path, home=home)
    end.nothing_done()
    assert end.exit in (None, 4)
    if end.exit is not None:
        end.said_in_one_line()
    assert not (path.parent / "pwned").exists()


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith((".npz", ".safetensors"))])
def test_nothing_is_run_by_embeddings(watcher, home, post, name):
    """A file of embeddings that is a pickle, or holds one, is refused."""
    path = post / name
    path.write_bytes(FILES[name])
    end = watcher("embeddings", path, home=home)
    end.nothing_done()
    assert end.exit in (2, 4)
    end.said_in_one_line()


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
