"""What stands in leakaudit.toml is asked for as it is typed, or refused in one line; a gate is never dropped."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from test_audits import AUDIT

from leakaudit import audits

Run = Callable[..., "CompletedProcess[str]"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An audit in which colour is read at 0.4 or more."""
    audits.save(AUDIT, tmp_path / "a.json")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        ("max-excess = { colour = 0.3 }", 1, "gate failed"),
        ("[max-excess]\ncolour = 0.3", 1, "gate failed"),
        ("max-excess = 0.3", 1, "gate failed"),
        ("max-excess = ['colour=0.3']", 1, "gate failed"),
        ("[max-excess]", 2, "is empty"),
        ("max-excess = []", 2, "is empty"),
        ("max-excess = { colour = {} }", 2, "T or NAME=T expected"),
        ("max-excess = { colour = [0.3] }", 2, "T or NAME=T expected"),
        ("max-excess = { colour = true }", 2, "T or NAME=T expected"),
        ("max-excess = { colour = 'low' }", 2, "T or NAME=T expected"),
        ("max-excess = { colour = nan }", 2, "T or NAME=T expected"),
        ("max-excess = { colour = -0.1 }", 2, "T or NAME=T expected"),
        ("max-excess = { '' = 0.3 }", 2, "T or NAME=T expected"),
        ("max-excess = { shape = 0.3 }", 2, "'shape' is not attacked"),
        ("max-excess = { '\u202e' = 0.3 }", 2, "is not attacked"),
        ("max-excess = 2026-01-01", 2, "T or NAME=T expected"),
        ("max-excess = 0.3\nmax_excess = 0.9", 2, "stands there twice"),
        ("max-excess = 0.3\nmax-excess = 0.9", 2, "not TOML"),
        (f"max-excess = {'[' * 5000}", 2, "not TOML"),
        ("max-exces = 0.3", 2, "no setting 'max-exces'"),
    ],
)
def test_a_gate_in_the_settings_is_judged_or_refused(
    home: Path, leakaudit_here: Run, text: str, status: int, words: str
) -> None:
    """Its own exit status and reason on the last line, and no traceback."""
    (home / "leakaudit.toml").write_text(text, encoding="utf-8")
    done = leakaudit_here("report", "a.json", "--format", "json")
    assert done.returncode == status, done.stderr
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
