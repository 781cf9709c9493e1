"""Whether torchrun started this process among others; asked before torch is loaded."""

import os
import time
from typing import NoReturn

from leakaudit.errors import InputError

GRACE_SECONDS = 20
"""How long those wait whose turn it is not, for torchrun to end them."""
LAUNCHED = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun says to each process that it starts."""


def launched() -> bool:
    """Whether torchrun started this process among others."""
    return all(name in os.environ for name in LAUNCHED) and int(os.environ["WORLD_SIZE"]) > 1


def first() -> bool:
    """Whether this is the first of them, or alone: the one that prints."""
    return not launched() or int(os.environ["RANK"]) == 0


def turn() -> None:
    """
    Wait for one's turn to say what each process finds wrong by itself, before they have met.

    The first speaks at once, and torchrun ends the others meanwhile. Those that are still there then, on another
    machine or because the first found nothing wrong, speak later, the first of its machine before its others.
    """
    if not first():
        time.sleep(GRACE_SECONDS if int(os.environ["LOCAL_RANK"]) == 0 else 2 * GRACE_SECONDS)


def alone(words: str) -> NoReturn:
    """
    Refuse to be one of several.

    Raises:
        InputError: always; on the first at once, and torchrun ends the others.
    """
    turn()
    raise InputError(words)
