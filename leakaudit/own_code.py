"""
A user's own code as a backbone: `--backbone FILE.py:FUNCTION[:knob=value,...]`, from the command line and nowhere else.

The function (or class of `nn.Module`) gets those of `classes` (`num_classes`, `n_classes`), `shape` and `in_channels`
(`in_chans`) that it takes, and the knobs; what it gives is the network. What runs here may do whatever its author
wants.
"""

import contextlib
import functools
import inspect
import re
import sys
import traceback
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from leakaudit import catalog, store
from leakaudit.catalog import Call
from leakaudit.errors import InputError

CLASSES = ("classes", "num_classes", "n_classes")
CHANNELS = ("in_chans", "in_channels")
TYPED = re.compile(r"(?P<file>.+\.py)(:(?P<function>[^:]*)(:(?P<knobs>.*))?)?")


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
    """What a reader of an audit is told: whose code built the network."""
    return f"the network is built by the user's own code: {call} (sha256 {store.digest_file(path)})"


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
    with _running(path, where):
        made = function(**given)
    if not isinstance(made, nn.Module):
        raise InputError(f"--backbone {where}: gives {type(made).__name__}, not a torch.nn.Module")
    return made.to("cpu")


def redrawn(network: nn.Module) -> nn.Module:
    """The network with every layer that can be drawn anew drawn anew: for code that loads weights by itself."""
    for layer in network.modules():
        if callable(getattr(layer, "reset_parameters", None)):
            typing.cast("Any", layer).reset_parameters()
    return network


def _function(path: Path, call: Call) -> Callable[..., Any]:
    module = _module(path.resolve(), store.digest_file(path))
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


@functools.cache
def _module(path: Path, digest: str) -> ModuleType:
    """The code of a file of those contents, run once."""
    module = ModuleType(f"_own_code_{digest[:16]}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # where dataclasses look
    with _running(path, path.name):
        exec(compile(path.read_bytes(), str(path), "exec"), vars(module))  # noqa: S102 (the user's own, asked for by name)
    return module


@contextlib.contextmanager
def _running(path: Path, where: str) -> Iterator[None]:
    """The user's code runs: its folder can be imported from, what it prints goes to stderr, its failure is one line."""
    folder, before, ways = path.resolve().parent, set(sys.modules), list(sys.path)
    sys.path.insert(0, str(folder))
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (Exception, SystemExit) as error:  # whatever a stranger to us may raise
        why = " ".join(str(error).split())[:200]
        kind = type(error).__name__
        raise InputError(f"--backbone {where}: {kind}{f': {why}' if why else ''} ({_place(error, path)})") from error
    finally:
        sys.path[:] = ways
        for name in set(sys.modules) - before:
            file = getattr(sys.modules[name], "__file__", None)
            if file and Path(file).is_relative_to(folder) and not name.startswith("_own_code_"):
                del sys.modules[name]  # another's code may have a module of that name


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
