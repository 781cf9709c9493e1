"""
leakaudit: what a trained vision model still gives away about a private attribute.

From Python: `leakaudit.audit` and `leakaudit.check` (see `leakaudit.python.api`), which are loaded when they are first
asked for, and nothing heavy before.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leakaudit.errors import InputError, LeakauditError, RefusedError
    from leakaudit.python.api import audit, check
    from leakaudit.python.result import InconclusiveError, LeakError, Result

__version__ = "0.1.0"

_WHERE = {
    "InconclusiveError": "python.result",
    "InputError": "errors",
    "LeakError": "python.result",
    "LeakauditError": "errors",
    "RefusedError": "errors",
    "Result": "python.result",
    "audit": "python.api",
    "check": "python.api",
}

__all__ = [
    "InconclusiveError",
    "InputError",
    "LeakError",
    "LeakauditError",
    "RefusedError",
    "Result",
    "audit",
    "check",
]


def __getattr__(name: str) -> Any:
    """What is exported, loaded when it is first asked for (PEP 562)."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    found = getattr(importlib.import_module(f"leakaudit.{_WHERE[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})
