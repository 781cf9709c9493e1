"""
Files with edits anywhere in them end in a result or in a refusal of one line.

No crash of the process, no hang, nothing run, and memory bounded: each batch is opened in a fork that is watched.
"""

import io
import json

import evil
import honest
import numpy as np
import pytest
from bombs import described
from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st
from mutations import INNER, Seed, edits, mutated
from opcodes import pickled

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")
SECONDS = 5
"""Within which one small file is read or refused, on a slow machine."""
TOGETHER = 12
"""Files that are opened in one fork."""


def whole(folder) -> list[Seed]:
    """Small files of every format, edited anywhere."""
    return [Seed(path.name, honest.FILES[path.name][0], path.read_bytes()) for path in honest.files(folder)]


def inner() -> list[Seed]:
    """Parts that a checksum or a length protects, edited inside it."""
    array = io.BytesIO()
    np.save(array, np.ones((3, 2), np.float32))
    text = json.dumps({"w": described([1], 4), "__metadata__": {"format": "pt"}}).encode()
    return [
        Seed("inner.pth", "read", evil.beside(evil.PAYLOADS["inert state"]), INNER["zip"]),
        Seed("configured.pth", "read", pickled(evil.HONEST), INNER["zip"]),
        Seed("z.npz", "embeddings", array.getvalue(), INNER["npz"]),
        Seed("inner.safetensors", "read", text, INNER["safetensors"]),
    ]


def survives(watcher, home, post, seeds, *, examples: int, jobs: tuple[str, ...] = ()) -> int:
    """Mutate the seeds so many times, open them, and look at every end; how many were refused."""
    refused = 0
    changes = edits([*seeds, Seed("posix.pkl", "read", evil.POSIX)])
    files = st.lists(st.tuples(st.sampled_from(seeds), changes), min_size=1, max_size=TOGETHER)

    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
        verbosity=Verbosity.quiet,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
    )  # fmt: skip
    @given(files)
    def opened(drawn) -> None:
        nonlocal refused
        asked = []
        for number, (seed, changed) in enumerate(drawn):
            path = post / f"{number}-{seed.name}"
            path.write_bytes(mutated(seed, changed))
            asked += [[seed.job, str(path)], *(["command", job, str(path)] for job in jobs)]
        ends = watcher.each(asked, home, seconds=60)
        for (job, *words), end in zip(asked, ends, strict=False):
            note = f"{job} {' '.join(words)}: {end}"
            assert not end.bug, note
            end.nothing_done()
            assert end.exit in (None, 0, 2, 4), note
            assert end.seconds < SECONDS, note
            if end.exit:
                end.said_in_one_line()
                refused += 1
        assert len(ends) == len(asked)

    opened()
    return refused


@pytest.mark.slow
def test_edited_files_are_read_or_refused(watcher, home, post):
    """Small files of each format, edited anywhere, are read or refused; so are their innermost parts."""
    assert survives(watcher, home, post, [*whole(post), *inner()], examples=30) > 20


@pytest.mark.slow
def test_many_edited_files_are_read_or_refused(watcher, home, post):
    """The same for some thousands of files, by the reader and by the command."""
    seeds = [*whole(post), *inner()]
    assert survives(watcher, home, post, seeds, examples=400, jobs=("inspect",)) > 1000


def real(data_root) -> list[Seed]:
    """The smaller of the real files, by the job that reads them."""
    folder = data_root / "checkpoints"
    entries = json.loads((folder / "MANIFEST.json").read_text(encoding="utf-8"))
    paths = [folder / entry["file"] for entry in entries if entry["bytes"] < 1 << 19]
    return [Seed(path.name, "read", path.read_bytes()) for path in paths]


def test_edited_checkpoints_are_read_or_refused(watcher, home, post, data_root):
    """Real checkpoints, edited anywhere, are read or refused."""
    assert survives(watcher, home, post, real(data_root), examples=20) > 10


@pytest.mark.slow
def test_many_edited_checkpoints_are_read_or_refused(watcher, home, post, data_root):
    """The same for some thousands of them, by the reader and by the command."""
    assert survives(watcher, home, post, real(data_root), examples=150, jobs=("inspect",)) > 1000
