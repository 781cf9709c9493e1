"""
What a user can cause, each with the exit status that the command line gives it.

    LeakauditError
      InputError      2   input the user can correct: usage, recipe, labels, missing file
        HereError     2   wrong on this machine alone: data that are not here, a full disk; another one may do
      RefusedError    4   a model, shard or audit file that is unsafe, truncated, foreign or not what its hash promises

Everything else is a bug in leakaudit and keeps its traceback (exit 70). A message is one line: what is wrong, where,
and what there is instead.
"""

import shlex
from typing import ClassVar

GAP = " ... "
"""Where the middle of a long line was left out."""


class LeakauditError(Exception):
    """Anything a user can cause."""

    exit_status: ClassVar[int] = 2


class InputError(LeakauditError):
    """Input that the user can correct."""


class HereError(InputError):
    """Wrong on this machine alone: data that are not here, a full disk. Engines try such a job on another node."""


class RefusedError(LeakauditError):
    """A file that cannot be trusted: unsafe, truncated, foreign, or not what its hash promises."""

    exit_status: ClassVar[int] = 4


def spelt(words: object, most: int = 120) -> str:
    """Words of a stranger's file, or of a library about one, as a line: shortened, what a terminal obeys spelt out."""
    line = " ".join(str(words)[: 4 * most].split())
    half = (most - len(GAP)) // 2
    line = line if len(line) <= most else f"{line[:half]}{GAP}{line[-half:]}"
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)


def typed(word: str) -> str:
    """A word as a shell takes it; what a terminal would obey is spelt out in `$'...'`, which bash and zsh read back."""
    if word.isprintable():
        return shlex.quote(word)
    parts = (
        letter if letter.isprintable() and letter not in "\\'"
        else f"\\u{ord(letter):04x}" if ord(letter) < 1 << 16 else f"\\U{ord(letter):08x}"
        for letter in word
    )  # fmt: skip
    return f"$'{''.join(parts)}'"


def interrupted(error: BaseException) -> bool:
    """Whether an interruption is behind this: compiled code that is being imported makes other errors of it."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, KeyboardInterrupt):
        cause = cause.__cause__ or cause.__context__
    return cause is not None
