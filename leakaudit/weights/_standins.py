"""
Inert stand-ins: what a checkpoint asks for beside tensors, as plain data.

Training scripts store their configuration beside the weights, as objects of munch, omegaconf, easydict or argparse, and
numbers of numpy. A stand-in takes the place of each such name while the file is read. It never imports the library it
stands for, even where that is installed, and does nothing but hold what it is given.
"""

import datetime as dt
import math
import pathlib
import re
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

Plain = Callable[[Any], Any]
"""Plain data out of what a file holds."""

DICTS = (
    *("munch.Munch", "munch.AutoMunch", "munch.DefaultFactoryMunch", "munch.RecursiveMunch", "easydict.EasyDict"),
    *("addict.addict.Dict", "addict.Dict", "yacs.config.CfgNode"),
    *("pytorch_lightning.utilities.parsing.AttributeDict", "lightning.pytorch.utilities.parsing.AttributeDict"),
    *("lightning_fabric.utilities.data.AttributeDict", "lightning.fabric.utilities.data.AttributeDict"),
)
"""Dictionaries with other manners."""
STATES = ("argparse.Namespace", "types.SimpleNamespace")
"""Objects whose attributes are what they hold."""
CONTAINERS = ("omegaconf.dictconfig.DictConfig", "omegaconf.listconfig.ListConfig")
NODES = (
    *("AnyNode", "StringNode", "IntegerNode", "FloatNode", "BooleanNode", "BytesNode", "PathNode", "EnumNode"),
    "InterpolationResultNode",
)
DROPPED = ("omegaconf.base.ContainerMetadata", "omegaconf.base.Metadata")
"""What omegaconf keeps of types and flags; no value is in it."""
WORDS = (
    *("typing.Any", "numpy.ndarray", "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint"),
    *("pytorch_lightning.callbacks.early_stopping.EarlyStopping",),
    *(f"builtins.{kind}" for kind in ("dict", "list", "tuple", "int", "float", "str", "bool", "bytes", "object")),
)
"""Classes that are named and not called."""
PATHS = ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath", "Path", "PurePath")


class Held:
    """An object that holds what it is given: what it is called with, and its state."""

    arguments: tuple[Any, ...]
    state: Any

    def __new__(cls, *arguments: Any) -> "Held":  # noqa: PYI034 (types are checked at run time, where Self is refused)
        self = object.__new__(cls)
        self.arguments, self.state = arguments, None
        return self

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def plain(self, plain: Plain) -> Any:
        """What it holds, as plain data."""
        return plain(self.part("__dict__"))

    def part(self, *names: str) -> Any:
        """
        The part of its state under the first of the names that there is; `__dict__` is all of it.

        Raises:
            ValueError: there is none, which is not how the real class is written.
        """
        if type(self.state) in {dict, OrderedDict}:
            for name in names:
                if name == "__dict__":
                    return self.state
                if name in self.state:
                    return self.state[name]
        raise ValueError(f"no {names[0]} in an object of a configuration")


class Container(Held):
    """omegaconf's DictConfig or ListConfig."""

    def plain(self, plain: Plain) -> Any:
        """What it holds, as plain data."""
        return plain(self.part("_content", "content"))


class Node(Held):
    """A value of omegaconf's."""

    def plain(self, plain: Plain) -> Any:
        """What it holds, as plain data."""
        return plain(self.part("_val"))


class Dropped(Held):
    """What holds no value."""

    def plain(self, plain: Plain) -> Any:  # noqa: ARG002 # as the others are called
        """What it holds, as plain data."""
        return None


class Word:
    """A class that is named and not called."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *arguments: Any) -> bytes:
        """No bytes, which old pickles write as a call."""
        if self.name != "bytes" or arguments:
            raise ValueError(f"a call of {self.name}")
        return b""


class _LikeOrderedDict(type):
    """
    A dictionary's class that says it equals `OrderedDict`.

    torch's reader fills `OrderedDict` alone, and hands a state to what is not exactly one; DefaultMunch wants both.
    """

    def __eq__(cls, other: object) -> bool:
        return other is OrderedDict or other is cls

    def __hash__(cls) -> int:
        return id(cls)


class Table(dict, metaclass=_LikeOrderedDict):
    """A dictionary that lets go of its state: munch's default value."""

    def __init__(self, *arguments: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...


class NumpyType(Held):
    """A dtype of numpy's: of numbers, or of texts."""

    def dtype(self) -> np.dtype:
        """
        The dtype.

        Raises:
            ValueError: it is of objects, records or dates, or not written as numpy writes it.
        """
        code = self.arguments[0] if self.arguments else None
        order = self.state[1] if type(self.state) is tuple and len(self.state) > 1 else "="
        if type(code) is not str or not re.fullmatch(r"b1|[iu][1248]|f[248]|c(8|16)|[SU][1-9]\d{0,5}", code):
            raise ValueError(f"an array of {str(code)[:20]!r}, which is neither numbers nor text")
        return np.dtype(f"{order if order in ('<', '>') else '='}{code}")

    def plain(self, plain: Plain) -> Any:  # noqa: ARG002 # as the others are called
        """What it holds, as plain data."""
        return self.dtype().name


class NumpyArray(Held):
    """An array of numpy's."""

    def plain(self, plain: Plain) -> Any:
        """What it holds, as plain data."""
        if type(self.state) is not tuple or len(self.state) != 5:  # noqa: PLR2004 # version, shape, type, order, bytes
            raise ValueError("an array that is not written as numpy writes it")
        _, shape, kind, by_columns, data = self.state
        if type(kind) is not NumpyType or type(shape) is not tuple:
            raise ValueError("an array that is not written as numpy writes it")
        dtype = kind.dtype()
        if type(data) is not bytes:
            raise ValueError("an array that is not written as numpy writes it")
        array = _numbers(data, dtype, shape, "F" if by_columns else "C")
        return array if array.dtype.kind in "biufc" else plain(array.tolist())


def _numbers(data: bytes, dtype: np.dtype, shape: tuple, order: Any) -> np.ndarray:
    if not all(type(side) is int and side >= 0 for side in shape) or math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError("an array whose shape does not fit its bytes")
    array = np.frombuffer(data, dtype).reshape(shape, order=order)
    return np.array(array, dtype.newbyteorder("="), order="C")


def _scalar(kind: Any, data: Any = None) -> Any:
    if type(kind) is not NumpyType or type(data) is not bytes:
        raise ValueError("a number that is not written as numpy writes it")
    return _numbers(data, kind.dtype(), (), "C").item()


def _path(flavour: type[pathlib.PurePath]) -> Callable[..., str]:
    return lambda *parts: str(flavour(*(part for part in parts if type(part) is str)))


def _moment(data: Any = b"", *zone: Any) -> str:
    date = dt.date(data[0] * 256 + data[1], data[2] % 128, data[3])
    time = dt.time(data[4], data[5], data[6], int.from_bytes(data[7:10], "big"))
    return " ".join([f"{date.isoformat()}T{time.isoformat()}", *(part for part in zone if type(part) is str)])


def _day(data: Any = b"") -> str:
    return dt.date(data[0] * 256 + data[1], data[2], data[3]).isoformat()


def _span(days: int = 0, seconds: int = 0, microseconds: int = 0) -> str:
    return str(dt.timedelta(days, seconds, microseconds))


def _list(items: Any = (), *_more: Any) -> list[Any]:
    if type(items) not in {tuple, list, set}:
        raise ValueError("a collection of nothing that can be listed")
    return list(items)


def standins(met: Counter[str]) -> dict[str, Any]:
    """
    Every stand-in by the name it stands for.

    `met` counts the configuration objects that a reader of the audit is told of.
    """
    made: dict[str, Any] = {name: _counted(name, lambda *_: OrderedDict(), met) for name in DICTS}
    made["munch.DefaultMunch"] = _LikeOrderedDict("Table", (Table,), {"__new__": _counting("munch.DefaultMunch", met)})
    made["collections.defaultdict"] = _called(lambda *_: OrderedDict())
    made |= {name: _holding(Held, name, met) for name in STATES}
    made |= {name: _holding(Container, name, met) for name in CONTAINERS}
    made |= {f"omegaconf.nodes.{name}": _holding(Node) for name in NODES}
    made |= {name: _holding(Dropped) for name in DROPPED}
    made |= {name: Word(name.removeprefix("builtins.")) for name in WORDS}
    for core in ("numpy.core", "numpy._core"):
        made[f"{core}.multiarray.scalar"] = _called(_scalar)
        made[f"{core}.multiarray._reconstruct"] = NumpyArray
    made["numpy.dtype"] = NumpyType
    for room in ("pathlib", "pathlib._local"):
        for name in PATHS:
            windows = name.endswith("WindowsPath")
            made[f"{room}.{name}"] = _called(_path(pathlib.PureWindowsPath if windows else pathlib.PurePosixPath))
    made |= {"collections.deque": _called(_list), "builtins.frozenset": _called(_list)}
    made |= {"datetime.datetime": _called(_moment), "datetime.date": _called(_day)}
    made |= {"datetime.timedelta": _called(_span), "datetime.timezone": _called(lambda span="", *_: f"UTC{span}")}
    made["torch.torch_version.TorchVersion"] = _called(lambda text="", *_: str(text))
    return made


def _called(make: Callable[..., Any]) -> type:
    """A class that makes something else of what it is called with: torch's reader makes objects of classes alone."""
    return type("Made", (), {"__new__": lambda _cls, *arguments: make(*arguments)})


def _counted(name: str, make: Callable[..., Any], met: Counter[str]) -> type:
    def count(*arguments: Any) -> Any:
        met[name] += 1
        return make(*arguments)

    return _called(count)


def _counting(name: str, met: Counter[str]) -> Callable[..., Table]:
    def new(cls: type[Table], *_default: Any) -> Table:
        met[name] += 1
        return dict.__new__(cls)

    return new


def _holding(kind: type[Held], name: str = "", met: Counter[str] | None = None) -> type:
    """A class of its own for each name, which counts the objects made of it."""

    def new(cls: type[Held], *arguments: Any) -> Held:
        if met is not None:
            met[name] += 1
        return Held.__new__(cls, *arguments)

    return type(kind.__name__, (kind,), {"__new__": new})
