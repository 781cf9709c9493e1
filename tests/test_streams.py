"""A device, a pipe or a stream is written to; a file renamed onto its name would take its place on the machine."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from leakaudit import store
from leakaudit.streams import streams


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    """What reads it gets the bytes, and no file takes its place; a file is replaced as ever."""
    pipe, plain = tmp_path / "pipe", tmp_path / "plain"
    os.mkfifo(pipe)
    plain.write_text("before")
    assert streams(pipe)
    assert not streams(plain)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    store.check_place(pipe)
    store.write_bytes(pipe, b"report")
    reader.join()
    store.write_bytes(plain, b"report")
    assert got == [b"report"] == [plain.read_bytes()]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pipe", "plain"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no devices here")
def test_devices_are_told() -> None:
    """They are only looked at here: a file put in their place would harm the machine that runs this as root."""
    assert streams(Path("/dev/null"))
    assert streams(Path("/dev/full"))


def test_a_terminal_is_written_to_and_stays_one() -> None:
    """What is printed to a terminal's device is read at its other end."""
    other, terminal = os.openpty()
    try:
        path = Path(os.ttyname(terminal))
        store.write_bytes(path, b"report\n")
        assert os.read(other, 100).split() == [b"report"]
        assert stat.S_ISCHR(path.stat().st_mode)
    finally:
        os.close(other)
        os.close(terminal)


@pytest.mark.skipif(not Path("/dev/stdout").is_symlink(), reason="no /dev/stdout here")
def test_a_program_s_own_stream_is_written_to_where_it_is_a_file(tmp_path: Path) -> None:
    """`--output /dev/stdout` with stdout redirected into a file leaves /dev as it is, and the file has the bytes."""
    code = "from pathlib import Path; from leakaudit import store; store.write_bytes(Path('/dev/stdout'), b'report')"
    with (tmp_path / "out").open("wb") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
    assert (tmp_path / "out").read_bytes() == b"report"
    assert Path("/dev/stdout").is_symlink()
