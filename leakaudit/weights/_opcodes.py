"""
What a pickle would do, read off its opcodes without doing any of it.

A walk with symbols in place of objects: names, texts, whole numbers and tuples are followed through stack and memo,
everything else is a thing. It finds the names a pickle asks for, the calls it makes and the storages it declares. It
only ever refuses more than `torch.load(weights_only=True)`, which reads the file afterwards and decides by itself.

Opcodes: Python's `pickletools`. Names of Python 2 are read as those of Python 3, as torch does.
"""

import mmap
import pickletools
import warnings
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from dataclasses import dataclass, field
from typing import Any, Final

TORCH = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""The number 0x1950a86a20f9469cfc6c, alone in the first of the pickles that torch.save wrote before torch 1.6."""
FRONT = 16
"""Bytes among which it begins: a pickle's first opcodes."""
STEPS = 2_000_000
"""Opcodes of a file, at most, over all the pickles in it: 50,000 tensors take fewer."""
LINE = 1 << 20
"""Bytes of a line, at most."""
DEEP = 64
"""Tuples within tuples: what lies deeper is no configuration, and hashing it would exhaust the C stack."""
TOIL = 20_000_000
"""Parts of tuples that are put into something, counted as often as they are: hashing them is how a file takes hours."""
TUPLES = 10_000
"""Tuples that are keys or members of a set: they can be chosen so that every two have one hash."""
_HASHING = {"builtins.set", "builtins.frozenset", "collections.Counter", "collections.OrderedDict"}


class DamagedError(ValueError):
    """A pickle that no pickler writes: cut short, or its opcodes do not fit together."""

    names: tuple[str, ...] = ()
    """What it asked for before."""


@dataclass(frozen=True)
class Name:
    """A module and what the pickle wants of it."""

    text: str


@dataclass(frozen=True, eq=False)
class Parts:
    """A tuple."""

    items: tuple[Any, ...]
    depth: int
    weight: int
    """Parts of it and of the tuples in it, counted as often as they are met."""


@dataclass
class Told:
    """What a pickle would ask for."""

    end: int = 0
    """Position after its last opcode."""
    steps: int = 0
    """Opcodes of it."""
    names: dict[str, None] = field(default_factory=dict)
    """In the order in which they come."""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    """A name and the symbols it is called with."""
    storages: list[Any] = field(default_factory=list)
    """What stands for a storage outside the pickle: a tuple, of an honest file."""
    top: Any = None
    """What is left at the end."""


THING: Final = object()
MARK: Final = object()


def is_torch(head: bytes) -> bool:
    """Whether a file begins with torch's magic number in a pickle."""
    return head.startswith(b"\x80") and 0 < head.find(TORCH) < FRONT


def walk(data: bytes | mmap.mmap, start: int = 0, most: int = STEPS) -> Told:
    """
    Follow a pickle from `start` to its end.

    Raises:
        DamagedError: it is cut short, its opcodes do not fit together, or they are more than `most`.
    """
    machine = _Machine()
    reader = _Reader(data, start)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of escapes that a text has and Python does not know
            for number, (opcode, argument, _) in enumerate(pickletools.genops(reader)):  # type: ignore[arg-type] # a file
                if number >= most:
                    raise DamagedError(f"more than {STEPS:,} opcodes in the file")
                machine.told.steps = number + 1
                machine.step(opcode, argument)
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, RecursionError) as error:
        told = "takes what it never kept" if isinstance(error, (KeyError, IndexError)) else str(error)[:100]
        damaged = DamagedError(told if told.isprintable() else repr(told))
        damaged.names = tuple(machine.told.names)
        raise damaged from error
    machine.told.end = reader.place
    return machine.told


class _Reader:
    """Bytes as a file that gives no more than there is, whatever length is asked for."""

    def __init__(self, data: bytes | mmap.mmap, place: int) -> None:
        self.data, self.place = data, place

    def read(self, size: int) -> bytes:
        if size > len(self.data) - self.place:
            raise DamagedError("cut short")
        self.place += size
        return self.data[self.place - size : self.place]

    def readline(self) -> bytes:
        start = self.place
        self.place = self.data.find(b"\n", start, start + LINE) + 1
        if not self.place:
            raise DamagedError("a line without an end")
        return self.data[start : self.place]

    def tell(self) -> int:
        return self.place


class _Machine:
    """Stack and memo with symbols on them."""

    def __init__(self) -> None:
        self.told = Told()
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.toil = self.keyed = self.listed = 0

    def step(self, opcode: pickletools.OpcodeInfo, argument: Any) -> None:
        name = opcode.name
        if name in _LITERALS:
            self.stack.append(argument)
        elif name in {"GET", "BINGET", "LONG_BINGET"}:
            self.stack.append(self.memo[int(argument)])
        elif name in {"PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"}:
            if self.stack[-1] is MARK:
                raise DamagedError("a mark is kept")
            self.memo[len(self.memo) if argument is None else int(argument)] = self.stack[-1]
        elif name == "MARK":
            self.stack.append(MARK)
        elif name in {"EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"}:
            self.stack.append(_parts(self.pop(len(opcode.stack_before))))
        elif name == "TUPLE":
            self.stack.append(_parts(self.pop_marked()))
        else:
            self.risk(opcode, argument)

    def risk(self, opcode: pickletools.OpcodeInfo, argument: Any) -> None:
        """What asks for a name, calls one, or puts into a dictionary; else only the height of the stack counts."""
        name = opcode.name
        if name == "GLOBAL":
            self.stack.append(self.named(*str(argument).split(" ", 1)))
        elif name == "STACK_GLOBAL":
            module, wanted = self.pop(2)
            self.stack.append(self.named(_text(module), _text(wanted)))
        elif name == "INST":
            arguments = _parts(self.pop_marked())
            self.told.calls.append((self.named(*str(argument).split(" ", 1)).text, arguments))
            self.stack.append(THING)
        elif name in {"REDUCE", "NEWOBJ"}:
            self.call(*self.pop(2))
        elif name == "OBJ":
            function, *rest = self.pop_marked()
            self.call(function, _parts(rest))
        elif name in {"SETITEM", "SETITEMS"}:
            given = self.pop(2) if name == "SETITEM" else self.pop_marked()
            self.keyed += self.work(given[::2])
            self.filled()
        elif name in {"APPEND", "APPENDS"}:
            self.listed += self.work(self.pop(1) if name == "APPEND" else self.pop_marked())
            self.filled()
        elif name in {"BINPERSID", "PERSID"}:
            self.told.storages.append(self.pop(1)[0] if name == "BINPERSID" else argument)
            self.stack.append(THING)
        elif name == "DUP":
            self.stack.append(self.stack[-1])
        elif name == "STOP":
            self.told.top = self.pop(1)[0]
        else:
            self.move(opcode)

    def move(self, opcode: pickletools.OpcodeInfo) -> None:
        """Take off the stack what the opcode takes, and put on it as many things as it puts."""
        before = opcode.stack_before
        if pickletools.markobject in before:
            self.pop_marked()
            self.pop(before.index(pickletools.markobject))
        else:
            self.pop(len(before))
        self.stack += [THING] * len(opcode.stack_after)

    def pop(self, count: int) -> list[Any]:
        if count > len(self.stack):
            raise DamagedError("takes from an empty stack")
        taken = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        if any(part is MARK for part in taken):
            raise DamagedError("takes a mark for a thing")
        return taken

    def pop_marked(self) -> list[Any]:
        taken: list[Any] = []
        while self.stack and self.stack[-1] is not MARK:
            taken.append(self.stack.pop())
        self.pop_mark()
        return taken[::-1]

    def pop_mark(self) -> None:
        if not self.stack:
            raise DamagedError("no mark where one is wanted")
        self.stack.pop()

    def call(self, function: Any, arguments: Any) -> None:
        name = function.text if isinstance(function, Name) else ""
        self.told.calls.append((name, arguments))
        if name in _HASHING and isinstance(arguments, Parts) and arguments.items:
            self.keyed += self.listed
            self.work([arguments])
        self.stack.append(THING)

    def named(self, module: str, wanted: str = "") -> Name:
        if (module, wanted) in NAME_MAPPING:
            module, wanted = NAME_MAPPING[(module, wanted)]
        name = f"{IMPORT_MAPPING.get(module, module)}.{wanted}"
        self.told.names[name] = None
        return Name(name)

    def work(self, items: list[Any]) -> int:
        """How many of the items are tuples, whose parts are counted."""
        tuples = [item for item in items if isinstance(item, Parts)]
        self.toil += sum(item.weight for item in tuples)
        if self.toil > TOIL or self.keyed > TUPLES:
            raise DamagedError(f"more than {TUPLES:,} keys are tuples, or tuples have more than {TOIL:,} parts")
        return len(tuples)

    def filled(self) -> None:
        if not self.stack or self.stack[-1] is MARK:
            raise DamagedError("fills nothing")


def _parts(items: list[Any]) -> Parts:
    inner = [item for item in items if isinstance(item, Parts)]
    depth = 1 + max((item.depth for item in inner), default=0)
    if depth > DEEP:
        raise DamagedError(f"tuples nested more than {DEEP} deep")
    return Parts(tuple(items), depth, len(items) + sum(item.weight for item in inner))


def _text(symbol: Any) -> str:
    return symbol if isinstance(symbol, str) else "?"


_LITERALS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
}
