"""Whether torchrun started this process among others; asked before torch is loaded."""

import os

LAUNCHED = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun says to each process that it starts."""


def launched() -> bool:
    """Whether torchrun started this process among others."""
    return all(name in os.environ for name in LAUNCHED) and int(os.environ["WORLD_SIZE"]) > 1


def first() -> bool:
    """Whether this is the first of them, or alone: the one that prints."""
    return not launched() or int(os.environ["RANK"]) == 0
