"""Fetching: what a hash promises, or nothing; and what is trusted once is held to it."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from serving import allowed, serving

from leakaudit import store
from leakaudit.backbones import simple_convnet
from leakaudit.errors import InputError, RefusedError
from leakaudit.ledgers import fetching, ledger

CONTENT = b"weights" * 999
OTHER = b"WEIGHTS" * 999


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A key and a certificate for this machine, good for two days."""
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(path)]
    made = [openssl, "req", "-x509", *key, *subject, "-out", str(path.with_name("c.pem"))]
    subprocess.run(made, check=True, capture_output=True)
    path.write_text(path.read_text() + path.with_name("c.pem").read_text())
    return path


@pytest.fixture
def server(certificate, monkeypatch):
    """An encrypted server of `CONTENT`, whose certificate is known to libraries as any other is."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_name("c.pem")))
    with allowed(monkeypatch), serving(CONTENT, certificate) as served:
        yield served


def entry(tmp_path, **fields):
    """An entry of a ledger in `tmp_path`."""
    return ledger.entry("a", fields, tmp_path / "own.toml")


def promise(content):
    """What a ledger says of it."""
    return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def test_a_promised_file_is_fetched_once(server, tmp_path):
    """It lies in the folder of downloads under its own name, and the server is not asked again."""
    made = entry(tmp_path, weights=f"{server.url}/whole/net.pth", **promise(CONTENT))
    found = fetching.fetch(made, tmp_path / "home")
    assert found.path.read_bytes() == CONTENT
    assert (found.path.parent, found.sha256, found.notes) == (tmp_path / "home" / "weights", made.sha256, ())
    assert found.path.name.endswith("-net.pth")
    asked = len(server.asked)
    assert fetching.fetch(made, tmp_path / "home") == found
    assert len(server.asked) == asked
    assert [path.name for path in found.path.parent.glob("[!.]*")] == [found.path.name]


def test_another_file_is_refused_and_removed(server, tmp_path):
    """Of the same size: both hashes are named, and nothing is kept, whole or in part."""
    made = entry(tmp_path, weights=f"{server.url}/whole", **promise(OTHER))
    with pytest.raises(RefusedError, match=f"{promise(CONTENT)['sha256']}.*{promise(OTHER)['sha256']}") as refused:
        fetching.fetch(made, tmp_path / "home")
    assert refused.value.exit_status == 4
    assert [path.suffix for path in (tmp_path / "home" / "weights").iterdir()] == [".lock"]


def test_a_file_that_changed_on_the_disk_is_refused(server, tmp_path):
    """It is hashed each time it is used; once removed, it is fetched anew."""
    made = entry(tmp_path, weights=f"{server.url}/whole", **promise(CONTENT))
    path = fetching.fetch(made, tmp_path / "home").path
    path.write_bytes(OTHER)
    with pytest.raises(RefusedError, match=r"another file than promised.*; it was removed"):
        fetching.fetch(made, tmp_path / "home")
    assert fetching.fetch(made, tmp_path / "home").path.read_bytes() == CONTENT


def test_the_beginning_of_an_older_file_does_not_spoil_it(server, tmp_path):
    """What was kept of a download that is another file by now is dropped, and all of it fetched."""
    made = entry(tmp_path, weights=f"{server.url}/whole", **promise(CONTENT))
    place = fetching.place(made, tmp_path / "home")
    place.parent.mkdir(parents=True)
    place.with_name(f".{place.name}.part").write_bytes(OTHER[:100])
    assert fetching.fetch(made, tmp_path / "home").path.read_bytes() == CONTENT
    assert [span for verb, _, span in server.asked if verb == "GET"] == ["bytes=100-", ""]


def test_https_that_leads_to_http_is_refused(server, tmp_path):
    """What is asked for encrypted is not taken unencrypted; the other server is not even asked."""
    made = entry(tmp_path, weights=f"{server.url}/away", **promise(CONTENT))
    with serving(CONTENT) as plain:
        server.away = f"{plain.url}/whole"
        with pytest.raises(RefusedError, match=r"leads to 'http://.*not encrypted"):
            fetching.fetch(made, tmp_path / "home")
    assert plain.asked == []


def test_what_nobody_promised_needs_trust(server, tmp_path):
    """Without it one line says so, and nothing is asked; with it the hash is recorded, and held to."""
    made = entry(tmp_path, weights=f"{server.url}/whole")
    with pytest.raises(InputError, match=r"no hash is known of .*--trust-on-first-use"):
        fetching.fetch(made, tmp_path / "home")
    assert server.asked == []
    first = fetching.fetch(made, tmp_path / "home", trust=True)
    assert "taken as it is on first use" in first.notes[0]
    record = json.loads((tmp_path / "home" / "trusted.json").read_text())
    assert record == {"format": 1, "kind": "trusted", "files": {made.weights: promise(CONTENT)}}
    again = fetching.fetch(made, tmp_path / "home")
    assert "held to the sha256" in again.notes[0]
    first.path.unlink()
    server.content = OTHER
    for trust in (False, True):
        with pytest.raises(RefusedError, match=rf"trusted\.json promises {first.sha256}"):
            fetching.fetch(made, tmp_path / "home", trust=trust)


def test_a_file_of_ones_own_is_left_where_it_is(tmp_path):
    """It is checked there; another file is refused, and not removed."""
    (tmp_path / "net.pth").write_bytes(CONTENT)
    for weights in ("net.pth", (tmp_path / "net.pth").as_uri()):
        found = fetching.fetch(entry(tmp_path, weights=weights, **promise(CONTENT)), tmp_path / "home")
        assert found.path == tmp_path / "net.pth"
        with pytest.raises(RefusedError, match="another file than promised"):
            fetching.fetch(entry(tmp_path, weights=weights, **promise(OTHER)), tmp_path / "home")
    assert (tmp_path / "net.pth").is_file()
    assert not (tmp_path / "home").exists()
    with pytest.raises(InputError, match="no such file"):
        fetching.fetch(entry(tmp_path, weights="other.pth", **promise(CONTENT)), tmp_path / "home")


def test_a_damaged_record_of_trust_is_refused(tmp_path):
    """It is never taken for an empty one, which would trust anything again."""
    made = entry(tmp_path, weights="https://127.0.0.1:9/a")
    (tmp_path / "trusted.json").write_text('{"format": 1, "kind": "trusted", "files": {"https://127.0.0.1:9/a": {}}}')
    with pytest.raises(RefusedError, match="not a record of first uses"):
        fetching.fetch(made, tmp_path, trust=True)
    (tmp_path / "trusted.json").write_text('{"format": 2}')
    with pytest.raises(RefusedError, match="format 1 expected"):
        fetching.fetch(made, tmp_path, trust=True)


def test_libraries_fetch_their_own(tmp_path):
    """What timm publishes is no file of the ledger's."""
    with pytest.raises(InputError, match="timm has these weights itself"):
        fetching.fetch(entry(tmp_path, weights="timm:resnet18"), tmp_path)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"LEAKAUDIT_HOME": "/a/b", "XDG_CACHE_HOME": "/x"}, "/a/b"),
        ({"LEAKAUDIT_HOME": "", "XDG_CACHE_HOME": "/x"}, "/x/leakaudit"),
        ({"LEAKAUDIT_HOME": "", "XDG_CACHE_HOME": "", "HOME": "/me"}, "/me/.cache/leakaudit"),
    ],
)
def test_downloads_have_a_home(monkeypatch, given, expected):
    """`$LEAKAUDIT_HOME`, else the XDG cache folder (https://specifications.freedesktop.org/basedir-spec/latest/)."""
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert str(fetching.home()) == expected


FETCH = """
import sys
from pathlib import Path
from leakaudit import store
from leakaudit.ledgers import fetching, ledger
from leakaudit.backbones import simple_convnet
made = ledger.entry("a", {"weights": sys.argv[1], "sha256": sys.argv[2], "bytes": int(sys.argv[3])}, Path("own.toml"))
print(fetching.fetch(made, Path(sys.argv[4])).path)
"""


@pytest.mark.slow
def test_two_processes_fetch_one_file_once(server, tmp_path, repository):
    """The second waits for the first, and takes what it fetched."""
    known = promise(CONTENT)
    words = [f"{server.url}/whole", known["sha256"], str(known["bytes"]), str(tmp_path)]
    line = [sys.executable, "-c", FETCH, *words]
    both = [subprocess.Popen(line, cwd=repository, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    paths = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert paths[0] == paths[1]
    assert re.search(r"weights/\w+-whole\n$", paths[0])
    assert [verb for verb, _, _ in server.asked].count("GET") == 1


TRUST = """
import sys
from pathlib import Path
from leakaudit.ledgers import fetching, ledger
made = ledger.entry("a", {"weights": "hf://org/repo/net.bin"}, Path("own.toml"))
found = fetching.fetch(made, trust=sys.argv[1] == "trust")
print(found.path, found.path.read_bytes() == b"weights" * 999, *found.notes, sep="\\n")
"""


def test_a_floating_revision_is_held_to_its_first_commit(tmp_path, repository, environment):
    """The record names the commit; what the hub has at `main` later on is another file, and is not asked for."""

    def fetch(*words):
        more = {
            "HF_HUB_OFFLINE": "0",
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path),
            "LEAKAUDIT_HOME": str(tmp_path),
        }
        line = [sys.executable, "-c", TRUST, *words]
        done = subprocess.run(line, cwd=repository, env=environment | more, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    with serving(CONTENT) as hub:
        first = fetch("trust")
        assert first[1:3] == ["True", f"hf://org/repo/net.bin: commit {hub.commit}"]
        known = json.loads((tmp_path / "trusted.json").read_text())["files"]
        assert known == {"hf://org/repo/net.bin": promise(CONTENT) | {"revision": hub.commit}}
        hub.content, hub.commit, asked = OTHER, "6" * 40, len(hub.asked)
        assert fetch("")[:3] == first[:3]
        assert len(hub.asked) == asked


def test_an_address_is_a_subject(server, tmp_path, leakaudit_here):
    """What is typed is fetched, its hash recorded, and told in what is made of it; the next run needs no network."""
    network = simple_convnet.build(10, (3, 8, 8), kernel=3, width=2)
    tensors = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    store.write_tensors(tmp_path / "net.safetensors", tensors)
    server.content = (tmp_path / "net.safetensors").read_bytes()
    words = ("extract", f"{server.url}/whole", "--backbone", "simple-convnet:kernel=3,width=2", "--data", "digits")
    place = {"LEAKAUDIT_HOME": str(tmp_path / "home"), "SSL_CERT_FILE": os.environ["SSL_CERT_FILE"]}
    done = leakaudit_here(*words, "--rows", "40", **place, HF_HUB_OFFLINE="0")
    assert done.returncode == 0, done.stderr
    assert f"{server.url}/whole" in json.loads((tmp_path / "home" / "trusted.json").read_text())["files"]
    again = leakaudit_here(*words, "--rows", "40", **place, HF_HUB_OFFLINE="1")
    assert (again.returncode, again.stdout) == (0, done.stdout)
