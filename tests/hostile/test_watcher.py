"""The watcher sees what it is there to see: each claim that nothing was done has a twin here where something was."""

import evil
import pytest


@pytest.mark.parametrize("name", ["bare.pkl", "bare0.pkl"])
def test_an_unpickled_payload_is_seen_and_stopped(watcher, home, post, name):
    """A plain `pickle.loads` of the same file is caught before it does anything."""
    path = post / name
    path.write_bytes(evil.files()[name])
    end = watcher("unpickle", path, home=home)
    assert end.bug.startswith("stopped: pickle.find_class") or end.bug.startswith("stopped: os.system")
    assert end.seen
    assert not end.changed


def test_what_a_payload_writes_is_seen(watcher, home, post):
    """Where nothing is stopped the payload leaves its file, and the comparison of the folder finds it."""
    path = post / "bare.pkl"
    path.write_bytes(evil.POSIX)
    end = watcher("unpickle", path, home=home, watched=False)
    assert end.changed == ["pwned"]


DEEDS = {
    "os.system('true')": "os.system",
    "import subprocess; subprocess.Popen(['true'])": "subprocess.Popen",
    "import os; os.execv('/bin/true', ['true'])": "os.exec",
    "import os; os.posix_spawn('/bin/true', ['true'], {})": "os.posix_spawn",
    "import os; os.fork()": "os.fork",
    "import socket; socket.socket()": "socket.__new__",
    "import socket; socket.getaddrinfo(b'localhost', 1)": "socket.getaddrinfo",
    "open('x', 'w')": "open",
    "import os; os.open('x', os.O_CREAT)": "open",
    "import os; os.mkdir('x')": "os.mkdir",
    "import os; os.remove('x')": "os.remove",
    "import os; os.rename('x', 'y')": "os.rename",
    "import os; os.symlink('x', 'y')": "os.symlink",
    "import os; os.putenv('x', 'y')": "os.putenv",
    "import os; os.kill(os.getppid(), 0)": "os.kill",
    "eval('1')": "compile",
    "import ctypes; ctypes.CDLL(None)": "ctypes.dlopen",
    "import idlelib.run": "import",
    "import shutil; shutil.rmtree('x')": "shutil.rmtree",
}


@pytest.mark.parametrize("deed", DEEDS)
def test_a_deed_is_seen(watcher, home, post, deed):
    """Starting a program, connecting, writing, importing and running text are each caught by name."""
    path = post / "deed.py"
    path.write_text(deed if "import" in deed else f"import os; {deed}", encoding="utf-8")
    end = watcher("python", path, home=home)
    assert any(each.startswith(DEEDS[deed]) for each in end.seen), end
    assert not end.changed


@pytest.mark.parametrize(
    ("deed", "ending"),
    [
        ("import os; os.abort()", "killed by signal 6"),
        ("import os; os._exit(0)", "no answer"),
        ("while True: pass", "not done in 1 s"),
        ("bytearray(1 << 40)", "MemoryError"),
    ],
)
def test_an_end_that_must_not_be_is_told(watcher, home, post, deed, ending):
    """A crash, a silent end, a hang and too much memory are failures that are told, not the end of the tests."""
    path = post / "deed.py"
    path.write_text(deed, encoding="utf-8")
    end = watcher("python", path, home=home, watched=False, seconds=1)
    assert ending in end.bug
