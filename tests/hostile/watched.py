"""
A watched process: it loads everything once, then opens each file in a fork that can do nothing unseen.

One JSON line in, one out. In the fork every audit event (https://docs.python.org/3/library/audit_events.html) that is
not on a short list is written down and stopped where it happens: starting a program, a socket, a new import, compiling
or running code, writing, renaming or removing a file, ctypes. Memory is bounded by RLIMIT_AS, time by the parent.
Files of the fork's working folder (its HOME as well) are compared before and after.
"""

import builtins
import contextlib
import io
import json
import os
import resource
import signal
import sys
import threading
import time
import traceback
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

QUIET = frozenset(
    """
    object.__getattr__ object.__setattr__ object.__delattr__ sys._getframe sys._current_frames sys.unraisablehook
    sys.excepthook mmap.__new__ os.listdir os.scandir os.getxattr gc.get_objects builtins.id array.__new__ fcntl.fcntl
    time.sleep pathlib.Path.glob glob.glob cpython.PyInterpreterState_Clear
    """.split()  # noqa: SIM905 (twenty words)
)
"""Events that change nothing and tell nobody."""
TRIAL = ["-m", "leakaudit.graphs.trial"]
"""A graph is tried in a process of its own, which says on its pipe what came of it."""
PLUGINS = b"PYDANTIC_DISABLE_PLUGINS"
"""What typer sets and takes back."""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
HARMLESS: dict[str, Callable[..., bool]] = {
    "open": lambda file, mode, flags: isinstance(file, int) or not (flags & WRITING or set(mode or "r") & set("wax+")),
    "subprocess.Popen": lambda program, words, *_: program == sys.executable and list(words)[4:6] == TRIAL,
    "compile": lambda _, name: name == "<unknown>",
    "os.mkdir": lambda path, *_: Path(os.fsdecode(path)).is_dir(),
    "resource.setrlimit": lambda what, _: what == resource.RLIMIT_AS,
    "os.putenv": lambda name, _: name == PLUGINS,
    "os.unsetenv": lambda name: name == PLUGINS,
}
"""Let through where this holds: reading, `ast.literal_eval` of numpy's headers, a folder that is there, less memory."""


ARMED: list[bool] = []
"""Not empty while nothing may be done."""


class Stopped(BaseException):
    """What a file may not cause was stopped; nothing that catches `Exception` hides it."""


def watch(seen: list[str]) -> None:
    """From now on, write down and stop what a file must not cause; for good, as audit hooks cannot be taken off."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if not ARMED or event in QUIET:
            return
        if event in HARMLESS and HARMLESS[event](*arguments):
            return
        said = f"{event} {arguments!r}"[:300]
        seen.append(said)
        raise Stopped(said)

    sys.addaudithook(hook)


def read(path: str) -> str:
    """Tensors of a weights file."""
    from leakaudit import opening

    found = opening.read(Path(path))
    size = sum(tensor.nbytes for tensor in found.tensors.values())
    return f"{len(found.tensors)} tensors, {size} bytes, {found.format}"


def embeddings(path: str) -> str:
    """Rows of an embeddings file."""
    from leakaudit import embeddings as stranger

    return f"{len(stranger.read(Path(path)))} rows"


def ledger(path: str) -> str:
    """Entries of a ledger."""
    from leakaudit.ledgers import ledger as ledgers

    return f"{len(ledgers.read(Path(path)))} entries"


def unpickle(path: str) -> str:
    """The twin: the file is unpickled, as it never should be."""
    import pickle

    return repr(pickle.loads(Path(path).read_bytes()))  # noqa: S301 (to show that the watcher sees it)


def python(path: str) -> str:
    """The twin: lines of Python are run, and only what they do is watched."""
    watched = ARMED.copy()
    ARMED.clear()
    lines = types.FunctionType(
        compile(Path(path).read_text(encoding="utf-8"), path, "exec"), {"__builtins__": builtins}
    )
    ARMED.extend(watched)
    lines()
    return "ran"


def command(*words: str) -> NoReturn:
    """The command line in this process."""
    from leakaudit import cli

    sys.argv = ["leakaudit", *words]
    cli.main()


JOBS: dict[str, Callable[..., str]] = {
    each.__name__: each for each in (read, embeddings, ledger, unpickle, python, command)
}


def attempt(job: str, words: list[str]) -> dict[str, Any]:
    """Do one job, and say how it ended: `exit` is what the command would give, None a result of a reader."""
    from leakaudit.errors import LeakauditError

    out, err = io.StringIO(), io.StringIO()
    end: dict[str, Any] = {"exit": None, "said": "", "bug": ""}
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
        warnings.simplefilter("error" if ARMED else "ignore")
        try:
            end["said"] = JOBS[job](*words)
        except LeakauditError as error:
            end |= {"exit": error.exit_status, "said": str(error)}
        except SystemExit as status:
            end["exit"] = int(status.code or 0)
        except Stopped as stopped:
            end |= {"exit": 99, "bug": f"stopped: {stopped}"}
        except BaseException:  # noqa: BLE001 (whatever else comes out is what is looked for)
            end |= {"exit": 70, "bug": traceback.format_exc()[-3000:]}
    return end | {"out": out.getvalue()[-20_000:], "err": err.getvalue()[-20_000:]}


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder, with its size and time."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.name != "__pycache__"
    }


def forked(ask: dict[str, Any], answer: BinaryIO) -> None:
    """In the fork: shut in, watched, one answer a job."""
    home = Path(ask["home"])
    os.chdir(home)
    os.environ["HOME"] = str(home)
    seen: list[str] = []
    size = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if ask.get("room"):
        resource.setrlimit(resource.RLIMIT_AS, (size + ask["room"], size + ask["room"]))
    watch(seen)
    for job, *words in ask["jobs"]:
        before = tree(home)
        began = time.perf_counter()
        ARMED.extend([True] * ask.get("watched", True))
        end = attempt(job, words)
        ARMED.clear()
        seconds = time.perf_counter() - began
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) * 1024
        after = tree(home)
        changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        end |= {"seen": seen.copy(), "changed": changed, "seconds": seconds, "grown": grown}
        seen.clear()
        answer.write(json.dumps(end).encode() + b"\n")
        answer.flush()


def overseen(ask: dict[str, Any]) -> list[dict[str, Any]]:
    """Do jobs in a fork, one after the other; the one at which it crashes or hangs has an answer as well, the last."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            with os.fdopen(writing, "wb") as answer:
                forked(ask, answer)
        except BaseException:  # noqa: BLE001 (the parent says that no answer came)
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writing)
    late = threading.Timer(ask["seconds"], os.kill, (child, signal.SIGKILL))
    late.start()
    with os.fdopen(reading, "rb") as answer:
        ends = [json.loads(line) for line in answer if line.endswith(b"\n")]
    _, status = os.waitpid(child, 0)
    in_time = late.is_alive()
    late.cancel()
    late.join()
    if len(ends) < len(ask["jobs"]):
        how = f"killed by signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "no answer"
        bug = how if in_time else f"not done in {ask['seconds']} s"
        ends.append({"exit": None, "said": "", "bug": bug, "out": "", "err": "", "seen": [], "changed": [],
                     "seconds": ask["seconds"], "grown": 0})  # fmt: skip
    return ends


def serve() -> None:
    """Answer until there is no more to read; the first lines warm the process up, without a watch or a fork."""
    for line in sys.stdin:
        ask = json.loads(line)
        if ask.get("warm"):
            os.chdir(ask["home"])
            os.environ["HOME"] = ask["home"]
            print(json.dumps([attempt(job, words) for job, *words in ask["jobs"]]), flush=True)  # noqa: T201 (the answer)
        else:
            print(json.dumps(overseen(ask)), flush=True)  # noqa: T201 (the answer)


if __name__ == "__main__":
    serve()
