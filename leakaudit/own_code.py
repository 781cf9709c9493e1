"""
A user's own code as a backbone: `--backbone FILE.py:FUNCTION[:knob=value,...]`, from the command line and nowhere else.

The function (or class of `nn.Module`) gets those of `classes` (`num_classes`, `n_classes`), `shape` and `in_channels`
(`in_chans`) that it takes, and the knobs; what it gives is the network. What runs here may do whatever its author
wants.
"""

import contextlib
import copy
import functools
import importlib
import inspect
import re
import sys
import sysconfig
import traceback
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from leakaudit import catalog, store
from leakaudit.catalog import Call
from leakaudit.errors import InputError, LeakauditError

CLASSES = ("classes", "num_classes", "n_classes")
CHANNELS = ("in_chans", "in_channels")
INSTALLED = ("site-packages", "dist-packages")
STANDARD = Path(sysconfig.get_path("stdlib")).resolve()
"""Where Python's own library lies."""
TYPED = re.compile(r"(?P<file>.+\.py)(:(?P<function>[^:]*)(:(?P<knobs>.*))?)?")


class PassError(InputError, RuntimeError):
    """A forward pass of the user's code fails: in this file, at this line, for this reason."""


@dataclass
class _Held:
    """What a file of code made when it was run: its module, those of its folder that it imports, and their files."""

    path: Path
    module: ModuleType
    beside: dict[str, ModuleType] = field(default_factory=dict)
    sources: dict[Path, str] = field(default_factory=dict)
    """SHA-256 of every file that ran, but installed libraries, as it was when it ran."""


_HELD: dict[Path, _Held] = {}


def named(text: str) -> bool:
    """Whether a backbone, as it was typed, is a file of code."""
    return TYPED.fullmatch(text) is not None


def parse(text: str, where: str = "--backbone") -> tuple[Path, Call]:
    """
    The file, and `FILE.py:FUNCTION` with its knobs; nothing is run.

    Raises:
        InputError: there is no such file, no function is named, or a part is not `knob=value`.
    """
    typed = TYPED.fullmatch(text)
    if typed is None:
        raise InputError(f"{where} {text}: FILE.py:FUNCTION expected")
    path = Path(typed["file"])
    if not path.is_file():
        raise InputError(f"{where} {text}: no such file: {path}")
    if not typed["function"]:
        raise InputError(f"{where} {text}: which function of it builds the network? {path}:FUNCTION")
    knobs = catalog.parse(f"{typed['function']}:{typed['knobs'] or ''}", where).knobs
    return path, Call(f"{path.name}:{typed['function']}", knobs)


def warning(text: str) -> str:
    """What a person is told before it is run."""
    return f"runs your code: {text}"


def note(path: Path, call: Call) -> str:
    """What a reader of an audit is told: whose code built the network, and which files of it have run."""
    files = [f"{name}: sha256 {digest}" for name, digest in sources(path)]
    own, beside = files[0].partition(": ")[2], f"; with {', '.join(files[1:])}" if files[1:] else ""
    return f"the network is built by the user's own code: {call} ({own}{beside})"


def sources(path: Path) -> list[tuple[str, str]]:
    """
    Names and SHA-256 of the file and of all that it has imported so far, installed libraries left out.

    Those that ran, where the file has been run and is still the same.
    """
    path = path.resolve()
    held = _HELD.get(path)
    if held is None or held.sources[path] != store.digest_file(path):
        return [(path.name, store.digest_file(path))]
    there = {
        file: file.relative_to(path.parent).as_posix() for file in held.sources if file.is_relative_to(path.parent)
    }
    others = sorted((there.get(file, file.name), digest) for file, digest in held.sources.items() if file != path)
    return [(path.name, held.sources[path]), *others]


def load(path: Path, call: Call) -> None:
    """
    Run the file, unless it has been run, and look for the function; what it draws while it runs is not the network's.

    Raises:
        InputError: the code fails, or has no such function.
    """
    _function(path, call)


def build(path: Path, call: Call, classes: int, shape: tuple[int, ...]) -> nn.Module:
    """
    The network that the user's function makes, on the CPU; it draws from torch's current generator.

    Raises:
        InputError: the code fails, or has no such function; the function has no such knob, or gives no network.
    """
    function = _function(path, call)
    where = str(call)
    known = _parameters(function)
    given: dict[str, Any] = {name: classes for name in CLASSES if name in known}
    given |= {name: shape[0] for name in CHANNELS if name in known}
    given |= {"shape": tuple(shape)} if "shape" in known else {}
    open_ended = any(each.kind is each.VAR_KEYWORD for each in _signature(function).parameters.values())
    given |= call.knobs if open_ended else catalog.check(_keywords(function, known), call.knobs, f"--backbone {where}")
    lacking = [name for name, each in known.items() if each.default is each.empty and name not in given]
    if lacking:
        raise InputError(
            f"--backbone {where}: {_called(call)} wants {', '.join(lacking)}; say {call.name}:{lacking[0]}=VALUE"
        )
    held = _held(path.resolve())
    with _running(held, where):
        made = function(**given)
    if not isinstance(made, nn.Module):
        raise InputError(f"--backbone {where}: gives {type(made).__name__}, not a torch.nn.Module")
    if not isinstance(made, torch.jit.ScriptModule):
        _guard(made, held, where)
    return made.to("cpu")


def copied(network: nn.Module, where: str) -> nn.Module:
    """
    A copy of a network that the user's program holds, on the CPU in float32 and in evaluation mode.

    What only wraps it (`torch.compile`, `DataParallel`) is taken off; the network itself stays as it is.

    Raises:
        InputError: it cannot be copied.
    """
    network = getattr(network, "_orig_mod", network)
    if isinstance(network, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        network = network.module
    try:
        return copy.deepcopy(network).cpu().float().eval()
    except (RuntimeError, TypeError, ValueError, NotImplementedError) as error:
        why = " ".join(str(error).split())[:200]
        raise InputError(f"{where}: the network cannot be copied: {type(error).__name__}: {why}") from error


def _guard(network: nn.Module, held: _Held, where: str) -> None:
    """From now on every forward pass runs as the user's code does."""
    plain = network.forward

    @functools.wraps(plain)
    def forward(*args: Any, **named: Any) -> Any:
        with _running(held, where, PassError):
            return plain(*args, **named)

    network.forward = forward


def _function(path: Path, call: Call) -> Callable[..., Any]:
    module = _held(path.resolve()).module
    name = _called(call)
    found = vars(module).get(name)
    if not callable(found):
        there = [
            each for each, what in vars(module).items()
            if getattr(what, "__module__", "") == module.__name__ and not each.startswith("_")
            and (inspect.isfunction(what) or (inspect.isclass(what) and issubclass(what, nn.Module)))
        ]  # fmt: skip
        raise InputError(f"--backbone {call}: {path} has no function {name!r}. {catalog.suggest(name, there)}")
    return typing.cast("Callable[..., Any]", found)


def _held(path: Path) -> _Held:
    """The code of a file, run once for as long as no file that it imports has changed."""
    held = _HELD.get(path)
    if held is not None and all(
        file.is_file() and store.digest_file(file) == was for file, was in held.sources.items()
    ):
        return held
    digest = store.digest_file(path)
    module = ModuleType(f"_own_code_{digest[:16]}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # where dataclasses look
    held = _Held(path, module, sources={path: digest})
    importlib.invalidate_caches()
    with _running(held, path.name):
        exec(compile(path.read_bytes(), str(path), "exec"), vars(module))  # noqa: S102 (the user's own, asked for by name)
    _HELD[path] = held
    return held


@contextlib.contextmanager
def _running(held: _Held, where: str, kind: type[InputError] = InputError) -> Iterator[None]:
    """The user's code runs: its folder can be imported from, what it prints goes to stderr, its failure is one line."""
    before, ways, written = dict(sys.modules), list(sys.path), sys.dont_write_bytecode
    sys.path.insert(0, str(held.path.parent))
    sys.modules.update({name: module for name, module in held.beside.items() if name not in before})
    sys.dont_write_bytecode = True
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except LeakauditError:  # of a hook of ours
        raise
    except (Exception, SystemExit) as error:  # whatever a stranger to us may raise
        why = " ".join(str(error).split())[:200]
        said, place = f"{type(error).__name__}{f': {why}' if why else ''}", _place(error, held.path)
        raise kind(f"{place}: {said}" if kind is PassError else f"--backbone {where}: {said} ({place})") from error
    finally:
        sys.path[:], sys.dont_write_bytecode = ways, written
        for name in [name for name, module in sys.modules.items() if before.get(name) is not module]:
            file = _source(sys.modules[name], held)
            if file is None:
                continue
            if file not in held.sources:
                held.sources[file] = store.digest_file(file)
            if file.is_relative_to(held.path.parent):  # another's code may have a module of that name
                held.beside[name] = sys.modules.pop(name)
                sys.modules.update({name: before[name]} if name in before else {})


def _source(module: ModuleType, held: _Held) -> Path | None:
    """The file of a module that is the user's own: none of this project's, nor of an installed library's."""
    text, name = getattr(module, "__file__", None), getattr(module, "__name__", "")
    if not isinstance(text, str) or not Path(text).is_file() or str(name).partition(".")[0] == "leakaudit":
        return None
    file, folder = Path(text).resolve(), held.path.parent
    parts = file.relative_to(folder).parts if file.is_relative_to(folder) else file.parts
    ours = not any(part in INSTALLED for part in parts) and not str(name).startswith("_own_code_")
    return file if ours and not (parts == file.parts and file.is_relative_to(STANDARD)) else None


def _place(error: BaseException, path: Path) -> str:
    """File and line of the user's code where it went wrong."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}:{error.lineno}"
    steps = [
        step
        for step in traceback.extract_tb(error.__traceback__)
        if Path(step.filename).parent == path.resolve().parent
    ]
    return f"{Path(steps[-1].filename).name}:{steps[-1].lineno}" if steps else path.name


def _called(call: Call) -> str:
    return call.name.rpartition(":")[2]


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function)


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """What it can be given by name."""
    named_ones = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {name: each for name, each in _signature(function).parameters.items() if each.kind in named_ones}


def _keywords(function: Callable[..., Any], known: dict[str, inspect.Parameter]) -> Callable[..., Any]:
    """A function with the same arguments, all of them knobs."""

    def shown(**_: Any) -> None:
        """Never called."""

    inside = function.__init__ if inspect.isclass(function) else function
    try:
        hints = typing.get_type_hints(inside)
    except Exception:  # noqa: BLE001 (an annotation that cannot be looked up checks nothing)
        hints = {}
    parts = [each.replace(kind=each.KEYWORD_ONLY, default=None) for each in known.values()]
    shown.__signature__ = inspect.Signature(parts)  # type: ignore[attr-defined]
    shown.__annotations__ = {name: hints[name] for name in known if name in hints}
    return shown
