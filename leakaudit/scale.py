"""
Where jobs run: the option of the commands that make some, declared once, and the engine that it names.

    engine: scale.Chosen = None             extract: no jobs, this process
    engine: scale.Chosen = Engine.LOCAL     sweep
"""

from enum import StrEnum
from typing import Annotated

from leakaudit import catalog
from leakaudit.engines import Run
from leakaudit.flags import flag


class Engine(StrEnum):
    """The engines."""

    LOCAL = "local"
    RAY = "ray"


Chosen = Annotated[Engine | None, flag("Run as jobs: on this machine, or on a Ray cluster.", "--engine", panel="Run")]


def run(chosen: Engine) -> Run:
    """
    `run` of that engine.

    Raises:
        InputError: there is no such engine here.
    """
    found: Run = catalog.thing("engines", str(chosen), "--engine").run
    return found
