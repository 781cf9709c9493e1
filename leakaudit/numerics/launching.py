"""Whether torchrun started this process among others; asked before torch is loaded."""

import os
import time
from typing import NoReturn

from leakaudit.errors import InputError

GRACE_SECONDS = 20
"""How long the others wait, so that torchrun does not end the one that speaks before it spoke."""
LAUNCHED = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun says to each process that it starts."""


def launched() -> bool:
    """Whether torchrun started this process among others."""
    return all(name in os.environ for name in LAUNCHED) and int(os.environ["WORLD_SIZE"]) > 1


def first() -> bool:
    """Whether this is the first of them, or alone: the one that prints."""
    return not launched() or int(os.environ["RANK"]) == 0


def alone(words: str) -> NoReturn:
    """
    Refuse to be one of several; the first says so, and torchrun ends the others.

    Raises:
        InputError: on the first.
    """
    if not first():
        time.sleep(GRACE_SECONDS)
        raise SystemExit(InputError.exit_status)
    raise InputError(words)
