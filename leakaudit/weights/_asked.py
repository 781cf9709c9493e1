"""
What a file of weights may ask for, and what is said to one that asks for more.

The list is part of what torch's own reader lets through, and the stand-ins. Sparse, quantised and meta tensors are not
on it, nor are calls that make much out of little.
"""

import codecs
import mmap
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from leakaudit.errors import RefusedError, spelt
from leakaudit.weights._opcodes import DamagedError, Name, Parts, Told, walk
from leakaudit.weights._standins import standins

_WIDTHS = {
    8: ("DoubleStorage", "LongStorage", "ComplexFloatStorage"),
    4: ("FloatStorage", "IntStorage"),
    2: ("HalfStorage", "BFloat16Storage", "ShortStorage"),
    1: ("CharStorage", "ByteStorage", "BoolStorage", "storage.UntypedStorage"),
    16: ("ComplexDoubleStorage",),
}
STORAGES = {name: width for width, names in _WIDTHS.items() for name in names}
"""Bytes of an element, by the storage's class in `torch`."""
TENSORS = {
    *(f"torch._utils._rebuild_{kind}" for kind in ("tensor", "tensor_v2", "tensor_v3")),
    *("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"),
    "torch._tensor._rebuild_from_type_v2",
}
NESTED = {"torch._tensor._rebuild_from_type_v2"}
"""Those that call what they are given first."""
VALUES = {
    *("collections.OrderedDict", "collections.Counter", "_codecs.encode"),
    *("builtins.set", "builtins.bytearray", "builtins.complex", "torch.Size", "torch.device"),
    *("torch.Tensor", "torch.nn.parameter.Parameter"),
}
DTYPES = {
    *("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16"),
    *("uint8", "bool", "complex32", "complex64", "complex128"),
    *("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu"),
}
ALLOWED = frozenset({*TENSORS, *VALUES, *(f"torch.{name}" for name in (*STORAGES, *DTYPES)), *standins(Counter())})
ENCODINGS = {name: codecs.lookup(name) for name in ("latin1", "latin-1", "utf-8", "utf8", "ascii")}
"""Those that bytes are written in; their codecs are loaded here, and not by a file that names one."""
PICKLE = 32 << 20
"""Bytes of the pickle itself, without the tensors' numbers."""
MANY = 20
EXPORT = "Export its weights where it was made: torch.save(model.state_dict(), 'weights.pth')"
OTHERS = {
    "torch._utils._rebuild_sparse_tensor": "a sparse tensor; store it dense: tensor.to_dense()",
    "torch._utils._rebuild_qtensor": "a quantised tensor; store its values: tensor.dequantize()",
    "torch._utils._rebuild_meta_tensor_no_storage": "a tensor without numbers (on the meta device)",
    "torch._utils._rebuild_wrapper_subclass": "a tensor of a subclass; store a plain one",
    "torch._utils._rebuild_nested_tensor": "a nested tensor; store a padded one",
}
BESIDE = re.compile(r"torch\.(serialization\._get_layout|per_(tensor|channel)_\w+|QU?Int\w+Storage)")
"""What such tensors name beside."""
COUNT = 1 << 60
"""Elements of a storage, at most."""
NETWORKS = ("torch.nn.", "torchvision.models.", "timm.models.", "timm.layers.")


def told(data: bytes | mmap.mmap, where: Path, most: int, start: int = 0) -> Told:
    """
    What a pickle of a torch file asks for, all of which is allowed.

    Raises:
        RefusedError: it is damaged, has more than `most` opcodes, or asks for more; all such names are listed.
    """
    try:
        found = walk(data, start, most)
    except DamagedError as error:
        unsafe = [name for name in error.names if name not in ALLOWED]
        also = f"; it asks for {listing(unsafe)}" if unsafe else ""
        raise RefusedError(f"{where}: truncated or damaged ({error}){also}") from error
    if found.end - start > PICKLE:
        raise RefusedError(f"{where}: a pickle of {found.end - start:,} bytes beside the tensors, more than {PICKLE:,}")
    unsafe = [name for name in found.names if name not in ALLOWED]
    if unsafe:
        raise RefusedError(f"{where}: {refusal(unsafe)}")
    for name, arguments in found.calls:
        _check(name, arguments, where)
    return found


def _check(name: str, arguments: Any, where: Path) -> None:
    """Calls that could make much out of little, or load a codec by its name."""
    items = arguments.items if isinstance(arguments, Parts) else ()
    plainly = len(items) == 1 or (len(items) == 2 and isinstance(items[1], str) and items[1] in ENCODINGS)  # noqa: PLR2004 # a text and an encoding
    sized = bool(items) and isinstance(items[0], int)
    if (name == "_codecs.encode" and not plainly) or (name == "builtins.bytearray" and sized):
        raise RefusedError(f"{where}: calls {name} in a way no checkpoint does")
    if name in NESTED and (not items or not isinstance(items[0], Name) or items[0].text not in TENSORS - NESTED):
        raise RefusedError(f"{where}: calls {name} for something else than a tensor")
    if name in {"torch.Tensor", "torch.nn.parameter.Parameter"} or name.startswith("torch.storage."):
        raise RefusedError(f"{where}: makes a tensor out of nothing ({name})")


def storages(found: Told, where: Path) -> dict[str, int]:
    """
    Bytes of each storage that a pickle declares, by its key.

    Raises:
        RefusedError: a storage is not declared as torch declares it.
    """
    sizes: dict[str, int] = {}
    for declared in found.storages:
        items = declared.items if isinstance(declared, Parts) else ()
        if len(items) < 5 or not isinstance(items[1], Name) or type(items[4]) is not int:  # noqa: PLR2004 # word, class, key, device, count
            raise RefusedError(f"{where}: a tensor's storage is not declared as torch declares it")
        if not 0 <= items[4] < COUNT:
            raise RefusedError(
                f"{where}: truncated, or damaged: a storage of no number of elements that a file can hold"
            )
        width = STORAGES.get(items[1].text.removeprefix("torch."))
        if items[0] not in ("storage", b"storage") or width is None or not isinstance(items[2], (str, bytes)):
            raise RefusedError(f"{where}: a storage of {spelt(items[1].text)}, which no tensor that is read has")
        key = items[2].decode("latin1") if isinstance(items[2], bytes) else str(items[2])
        sizes[key] = max(sizes.get(key, 0), items[4] * width)
    return sizes


def refusal(unsafe: list[str]) -> str:
    """Why a file that asks for these is not read, and what to do instead."""
    if all(name in OTHERS or BESIDE.fullmatch(name) for name in unsafe) and (kinds := set(unsafe) & set(OTHERS)):
        return f"holds {', '.join(OTHERS[name] for name in sorted(kinds))}"
    if any(name.startswith(NETWORKS) for name in unsafe):
        return f"a pickled model object ({listing(unsafe)}); its code would run. {EXPORT}"
    run = [name for name in unsafe if name.partition(".")[0] in sys.stdlib_module_names]
    if run:
        more = [name for name in unsafe if name not in run]
        return f"asks to run {listing(run)}" + (f", and names {listing(more)}" if more else "")
    return f"asks for {listing(unsafe)}, whose code would run. {EXPORT}"


def listing(names: list[str]) -> str:
    """Names out of a stranger's file, as a message may show them."""
    return ", ".join(map(spelt, names[:MANY])) + (f" and {len(names) - MANY} more" if len(names) > MANY else "")
