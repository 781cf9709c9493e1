"""Reaching: over real sockets, a file comes whole, goes on where it was cut off, or is refused in words."""

import re
import socket
import time

import pytest
from huggingface_hub import constants
from serving import allowed, serving

from leakaudit.errors import InputError, RefusedError
from leakaudit.ledgers import reaching
from leakaudit.ledgers.address import Hub
from leakaudit.ledgers.ledger import Promise

CONTENT = bytes(range(256)) * 400
LARGEST = 1 << 20


@pytest.fixture(autouse=True)
def online(monkeypatch):
    """Nothing that forbids connections."""
    with allowed(monkeypatch):
        yield


@pytest.fixture
def server():
    """A server of `CONTENT`."""
    with serving(CONTENT) as served:
        yield served


@pytest.fixture
def part(tmp_path):
    """Where a download grows."""
    return tmp_path / ".weights.part"


def gets(served):
    """The ranges that were asked for."""
    return [span for verb, _, span in served.asked if verb == "GET"]


@pytest.mark.parametrize("way", ["whole", "nohead"])
def test_a_file_comes_whole(server, part, way):
    """Byte for byte, also from a server that answers no HEAD."""
    reaching.download(f"{server.url}/{way}", part, "a", len(CONTENT), LARGEST)
    assert part.read_bytes() == CONTENT
    assert gets(server) == [""]


def test_a_cut_connection_is_gone_on_with(server, part):
    """The second request asks for the rest alone, from the last of the pieces in which huggingface_hub takes a file."""
    piece = constants.DOWNLOAD_CHUNK_SIZE
    server.cuts, server.content = 1, bytes(2 * piece + 1000)
    reaching.download(f"{server.url}/cut", part, "a", len(server.content), len(server.content))
    assert part.read_bytes() == server.content
    assert gets(server) == ["", f"bytes={piece}-"]


def test_the_next_run_goes_on_where_the_last_ended(server, part):
    """What lies there is not fetched again."""
    part.write_bytes(CONTENT[:1000])
    reaching.download(f"{server.url}/whole", part, "a", len(CONTENT), LARGEST)
    assert part.read_bytes() == CONTENT
    assert gets(server) == ["bytes=1000-"]


def test_a_server_deaf_to_ranges_sends_it_anew(server, part):
    """The whole file after the beginning of it would be neither."""
    part.write_bytes(CONTENT[:1000])
    reaching.download(f"{server.url}/deaf", part, "a", len(CONTENT), LARGEST)
    assert part.read_bytes() == CONTENT


def test_a_beginning_longer_than_the_file_is_dropped(server, part):
    """Nothing lies after the end: the server says so, and it is fetched from the start."""
    part.write_bytes(b"x" * (len(CONTENT) + 5))
    reaching.download(f"{server.url}/nohead", part, "a", None, LARGEST)
    assert part.read_bytes() == CONTENT


@pytest.mark.parametrize("way", ["page", "nohead-page"])
def test_a_page_is_no_file(server, part, way):
    """Whether the server calls it one, or it begins like one; nothing of it is kept."""
    with pytest.raises(RefusedError, match="a web page was sent, not a file"):
        reaching.download(f"{server.url}/{way}", part, "a", None, LARGEST)
    assert not part.exists()


@pytest.mark.parametrize("way", ["short", "nohead-short"])
def test_another_size_is_refused(server, part, way):
    """Both sizes are named, before or after it was sent; nothing is kept."""
    said = f"{len(CONTENT) - 7:,} bytes.*{len(CONTENT):,}"
    with pytest.raises(RefusedError, match=said):
        reaching.download(f"{server.url}/{way}", part, "a", len(CONTENT), LARGEST)
    assert not part.exists()


@pytest.mark.parametrize("way", ["whole", "nohead"])
@pytest.mark.parametrize("promised", [None, 500])
def test_no_more_is_fetched_than_promised(server, part, way, promised):
    """Without a promise a stated limit holds; the twin above fits."""
    with pytest.raises(RefusedError, match=r"500"):
        reaching.download(f"{server.url}/{way}", part, "a", promised, 500)
    assert not part.exists()


@pytest.mark.parametrize("variable", reaching.OFFLINE)
def test_offline_nothing_is_asked(server, part, monkeypatch, variable):
    """Either variable is obeyed at once, and named; `0` forbids nothing."""
    monkeypatch.setenv(variable, "1")
    with pytest.raises(InputError, match=f"{variable} forbids"):
        reaching.download(f"{server.url}/whole", part, "a", None, LARGEST)
    assert server.asked == []
    monkeypatch.setenv(variable, "0")
    reaching.download(f"{server.url}/whole", part, "a", None, LARGEST)
    assert server.asked


def test_a_closed_port_is_said_within_seconds(part):
    """Nobody waits for a network that is not there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    start = time.monotonic()
    with pytest.raises(InputError, match=r"cannot be reached \(.*refused"):
        reaching.download(f"http://127.0.0.1:{port}/whole", part, "a", None, LARGEST)
    assert time.monotonic() - start < reaching.PATIENCE_SECONDS


def test_what_a_server_answers_is_said(server, part):
    """A file that is not there, by its number."""
    with pytest.raises(InputError, match="the server answers 404"):
        reaching.download(f"{server.url}/nohead-lost", part, "a", None, LARGEST)


def test_a_floating_revision_becomes_a_commit(server, tmp_path):
    """The file lies in the hub's own cache, and is found there again without a question."""
    file = Hub("org/repo", "model.bin", "")
    path, commit = reaching.hub(file, "a", LARGEST, endpoint=server.url, cache=tmp_path)
    assert commit == server.commit
    assert path.read_bytes() == CONTENT
    asked = len(server.asked)
    again = reaching.hub(Hub("org/repo", "model.bin", server.commit), "a", LARGEST, endpoint=server.url, cache=tmp_path)
    assert again == (path, server.commit)
    assert len(server.asked) == asked


def test_a_hub_file_of_another_size_is_not_fetched(server, tmp_path):
    """Its size is known before."""
    with pytest.raises(RefusedError, match=re.escape(f"has {len(CONTENT):,} bytes, 9 were promised")):
        reaching.hub(Hub("o/r", "m.bin", "v1"), "a", LARGEST, Promise("0" * 64, 9), endpoint=server.url, cache=tmp_path)
    assert gets(server) == []


def test_offline_the_hub_is_not_asked(server, tmp_path, monkeypatch):
    """What is in no cache is not to be had."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match="HF_HUB_OFFLINE forbids"):
        reaching.hub(Hub("o/r", "m.bin", "v1"), "a", LARGEST, endpoint=server.url, cache=tmp_path)
    assert server.asked == []


def test_a_proxy_of_the_environment_is_asked(server, part, monkeypatch):
    """A server that only the proxy could reach."""
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    reaching.download("http://nowhere.invalid/whole", part, "a", len(CONTENT), LARGEST)
    assert part.read_bytes() == CONTENT
    assert {path for _, path, _ in server.asked} == {"http://nowhere.invalid/whole"}


def test_a_token_goes_to_the_hub_alone(server, part, tmp_path, monkeypatch):
    """As huggingface_hub sends it; an address of somebody else's does not get it."""
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    reaching.download(f"{server.url}/whole", part, "a", len(CONTENT), LARGEST)
    assert set(server.tokens) == {None}
    reaching.hub(Hub("o/r", "m.bin", ""), "a", LARGEST, endpoint=server.url, cache=tmp_path)
    assert "Bearer hf_secret" in server.tokens
