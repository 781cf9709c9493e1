"""What every test may ask for."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path

import jaxtyping
import pytest

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(threads, "1")  # before torch is loaded: the tests' own workers share the cores

REPOSITORY = Path(__file__).parent.parent
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """An environment in which nothing is downloaded and no setting of the machine's user counts."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("LEAKAUDIT_")}
    return plain | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "CI": "1", "PYTHONWARNINGS": "ignore"}


@pytest.fixture
def leakaudit(tmp_path: Path, environment: dict[str, str]) -> Run:
    """Run the real command in an empty folder: `leakaudit("attack", "z.npz", ...)`."""

    def run(*words: str, cwd: Path = tmp_path, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "leakaudit", *map(str, words)],
            cwd=cwd,
            env=environment | {"PYTHONPATH": str(REPOSITORY)} | more,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )

    return run


@pytest.fixture(scope="session")
def inside(environment: dict[str, str]) -> Run:
    """
    Run the command in the test's own process: for what it says and leaves, where a new process adds nothing.

    As in a new one types are not checked: typer hands over a context of its own.
    """
    from leakaudit.cli import main

    def run(*words: str, cwd: Path, **more: str) -> "subprocess.CompletedProcess[str]":
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.chdir(cwd)
            for name in [each for each in os.environ if each.startswith("LEAKAUDIT_")]:
                patch.delenv(name)
            for name, value in (environment | more).items():
                patch.setenv(name, value)
            patch.setattr(jaxtyping.config, "jaxtyping_disable", True)
            patch.setattr(sys, "argv", ["leakaudit", *map(str, words)])
            with pytest.raises(SystemExit) as end:
                main()
        return subprocess.CompletedProcess(words, int(end.value.code or 0), out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def leakaudit_here(inside: Run, tmp_path: Path) -> Run:
    """The same in an empty folder, asked as `leakaudit` is."""
    return partial(inside, cwd=tmp_path)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real data; a test that asks for it is skipped where there is none."""
    folder = os.environ.get("LEAKAUDIT_DATA")
    if not folder:
        pytest.skip("LEAKAUDIT_DATA is not set")
    return Path(folder)
