"""Bad images in a table are one line of the command each, or a count in its audit; what was finished stays."""

import json
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from leakaudit import store
from leakaudit.backbones import simple_convnet
from leakaudit.embeddings import SHARD
from leakaudit.images.decoding import LARGEST

HEAD = "path,digit,sex\n"
BACKBONE = "simple-convnet:kernel=1,width=2"


def picture(folder: Path, name: str, seed: int, **more: Any) -> Path:
    """Noise that is a little redder where the seed is odd."""
    noise = np.random.default_rng(seed).integers(0, 200, (8, 8, 3), dtype=np.uint8)
    noise[..., 0] += 55 * (seed % 2)
    Image.fromarray(noise).save(folder / name, **more)
    return folder / name


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge(path: Path, side: int) -> None:
    """A black-and-white PNG of that side in a few bytes: nobody is to read further than its header."""
    head = chunk(b"IHDR", struct.pack(">2I5B", side, side, 1, 0, 0, 0, 0))
    data = zlib.compress(b"\0" + b"\xff" * ((side + 7) // 8))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", data) + chunk(b"IEND", b""))


def spoiled(path: Path, kind: str) -> None:
    """What stands at that path instead of an image."""
    whole = path.read_bytes()
    path.unlink()
    if kind in ("a broken JPEG", "a truncated PNG"):
        picture(path.parent, path.name, 0, format=kind.rsplit(maxsplit=1)[-1])
        path.write_bytes(path.read_bytes()[:-30])
    elif kind == "a JPEG with a gap":
        picture(path.parent, path.name, 0, format="JPEG")
        whole = path.read_bytes()
        path.write_bytes(whole[: whole.index(b"\xff\xda")])
    elif kind == "a huge PNG":
        huge(path, 30_000)
    elif kind == "an empty file":
        path.touch()
    elif kind == "text":
        path.write_text("not an image")
    elif kind == "a folder":
        path.mkdir()
    elif kind == "16 bits":
        Image.fromarray(np.full((8, 8), 40_000, dtype=np.uint16)).save(path, format="PNG")
    elif kind == "frames":
        frames = [Image.new("RGB", (8, 8), shade) for shade in ("red", "green")]
        frames[0].save(path, format="GIF", save_all=True, append_images=frames[1:])


SAYS = {
    "a broken JPEG": "image file is truncated",
    "a truncated PNG": "image file is truncated",
    "a JPEG with a gap": "does not decode",
    "a huge PNG": f"larger than the {LARGEST:,} pixels that are still decoded",
    "an empty file": "empty file",
    "text": "not an image",
    "a folder": "no such image",
    "16 bits": "more than 8 bits",
    "frames": "several frames",
    "nothing": "no such image",
}


@pytest.fixture
def ask(tmp_path: Path, leakaudit_here: Any) -> Callable[..., Any]:
    """Run a command on fresh weights and `faces.csv` in an empty folder."""
    network = simple_convnet.build(2, (3, 8, 8), kernel=1, width=2)
    weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    store.write_tensors(tmp_path / "net.safetensors", weights)

    def run(command: str, *words: str) -> Any:
        data = ("--data", "faces.csv", "--backbone", BACKBONE, "-q")
        return leakaudit_here(command, "net.safetensors", *data, *words)

    return run


def faces(folder: Path, count: int) -> None:
    """A table of that many pictures."""
    rows = [f"{picture(folder, f'{seed}.jpg', seed).name},{seed % 3},{'fm'[seed % 2]}" for seed in range(count)]
    (folder / "faces.csv").write_text(HEAD + "\n".join(rows))


def manifests(folder: Path) -> Iterator[dict[str, Any]]:
    """What the embeddings in the store say of themselves."""
    for path in folder.glob(".leakaudit/embeddings/*/*/manifest.json"):
        yield json.loads(path.read_text())


@pytest.mark.parametrize("kind", SAYS)
def test_a_bad_image_is_one_line_or_a_count(tmp_path: Path, ask: Any, kind: str) -> None:
    """Exit 2, the table, the row and the file; with `--skip-unreadable` it is left out and counted."""
    faces(tmp_path, 6)
    spoiled(tmp_path / "3.jpg", kind)
    done = ask("extract")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("leakaudit: exit 2: faces.csv: row 4: ")
    assert "3.jpg" in line
    assert SAYS[kind] in line
    assert not list(manifests(tmp_path))
    done = ask("extract", "--skip-unreadable")
    assert done.returncode == 0, done.stderr
    (manifest,) = manifests(tmp_path)
    assert manifest["rows"] == 5
    assert manifest["notes"] == ["1 of 6 images could not be read and were left out"]


def test_what_was_left_out_stands_in_every_form_of_the_audit(tmp_path: Path, ask: Any, leakaudit_here: Any) -> None:
    """Terminal, HTML, markdown and JSON; where nothing was left out, nothing is said."""
    faces(tmp_path, 60)
    words, note = ("--private", "sex", "--attacker", "linear"), "2 of 60 images could not be read and were left out"
    assert note[5:] not in ask("attack", *words).stdout
    for number in (11, 44):
        spoiled(tmp_path / f"{number}.jpg", "a broken JPEG")
    done = ask("attack", *words, "--skip-unreadable")
    assert done.returncode == 0, done.stderr
    assert note in " ".join(done.stdout.split())
    saved = next(line.split("saved ")[1] for line in done.stderr.splitlines() if "saved" in line)
    for form in ("html", "markdown", "json"):
        said = leakaudit_here("report", saved, "--format", form)
        assert note in said.stdout, form


def test_a_bad_image_far_down_costs_nothing_that_was_finished(tmp_path: Path, ask: Any) -> None:
    """The first shard stays, and is what the next run starts from once the image is mended."""
    picture(tmp_path, "0.png", 0)
    whole = picture(tmp_path, "1.png", 1).read_bytes()
    rows = ["0.png,0,f"] * (SHARD + 9)
    (tmp_path / "faces.csv").write_text(HEAD + "\n".join([*rows, "1.png,1,m", "0.png,0,f"]))
    (tmp_path / "1.png").write_bytes(whole[:60].ljust(len(whole), b"\0"))
    done = ask("extract")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"row {SHARD + 10}: " in done.stderr
    (shard,) = tmp_path.glob(".leakaudit/embeddings/*/*/shard-*")
    before = shard.stat().st_mtime_ns
    (tmp_path / "1.png").write_bytes(whole)
    done = ask("extract")
    assert done.returncode == 0, done.stderr
    assert shard.stat().st_mtime_ns == before
    (manifest,) = manifests(tmp_path)
    assert len(manifest["shards"]) == 2


def test_embeddings_hold_no_images_to_skip(tmp_path: Path, leakaudit_here: Any) -> None:
    """The flag is refused where it can mean nothing."""
    np.savez(tmp_path / "z.npz", z=np.ones((4, 2)), sex=np.array(list("fmfm")))
    done = leakaudit_here("attack", "z.npz", "--private", "sex", "--skip-unreadable")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--skip-unreadable says nothing here" in done.stderr
