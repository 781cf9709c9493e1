"""What the kernel saw: between two marks in its log, reading hostile files started, wrote and connected nothing."""

import json
import os
import re
import shutil
import subprocess
import sys

import bombs
import evil
import honest
import pytest

READER = """
import contextlib, os, socket, sys
from pathlib import Path
from leakaudit import opening
from leakaudit.errors import LeakauditError

first, paths = int(sys.argv[1]), sys.argv[2:]
for path in paths[:first]:
    opening.read(Path(path))
with contextlib.suppress(FileNotFoundError):
    open("/mark-begin")
for path in paths[first:]:
    with contextlib.suppress(LeakauditError):
        opening.read(Path(path))
with contextlib.suppress(FileNotFoundError):
    open("/mark-end")
open("made", "w").close()
os.system("true")
with contextlib.suppress(OSError):
    socket.create_connection(("127.0.0.1", 9), timeout=1)
"""
DEEDS = re.compile(r"execve\(|connect\(|(openat|open|creat)\(.*(O_WRONLY|O_RDWR|O_CREAT)|unlink|rename|mkdir|symlink")


def deeds(lines: list[str]) -> list[str]:
    """Calls that start, write or connect, but for locks in memory."""
    return [line for line in lines if DEEDS.search(line) and "/dev/" not in line]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_kernel_sees_nothing(tmp_path, post, environment, repository, request):
    """No program is started, no file opened for writing, nothing connected while hostile files are read."""
    warm = [path for path in honest.files(post) if honest.FILES[path.name][0] == "read"]
    hostile = []
    for name, data in (evil.files() | bombs.BOMBS | bombs.LOUD_FILES).items():
        path = post / name
        path.write_bytes(data)
        hostile.append(path)
    if "LEAKAUDIT_DATA" in os.environ:
        folder = request.getfixturevalue("data_root") / "malicious"
        entries = json.loads((folder / "MANIFEST.json").read_text(encoding="utf-8"))
        hostile += [folder / entry["file"] for entry in entries]
    log = tmp_path / "log"
    files = "open,openat,creat,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,symlink,symlinkat"
    words = [len(warm), *warm, *hostile]
    tracing = ["strace", "-f", "-qq", "-e", f"trace=execve,connect,{files}", "-o", log]
    done = subprocess.run(
        [*tracing, sys.executable, "-c", READER, *map(str, words)],
        cwd=tmp_path, env=environment | {"PYTHONPATH": str(repository), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    begin, end = (next(n for n, line in enumerate(lines) if f"/mark-{mark}" in line) for mark in ("begin", "end"))
    assert end - begin > len(hostile)
    assert not deeds(lines[begin:end])
    seen = "\n".join(deeds(lines[end:]))
    assert all(word in seen for word in ("made", "execve(", "connect("))
