"""The house stays in order."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from leakaudit import catalog, protocol

REPOSITORY = Path(__file__).parents[2]
SOURCES = sorted((REPOSITORY / "leakaudit").rglob("*.py"))
TESTS = sorted((REPOSITORY / "tests").rglob("*.py"))
HEAVY = ("torch", "ray", "torchvision", "timm", "sklearn", "pandas", "scipy", "matplotlib", "jinja2")


def test_imports_go_down():
    """Every import-linter contract of pyproject.toml holds."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", [*SOURCES, *TESTS], ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_file_is_one_thing(path):
    """No file is longer than 300 lines, and each opens with a docstring."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 300
    assert ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_file_is_named_by_a_word_of_the_field(path):
    """No drawer for what has no name."""
    assert path.stem not in {"utils", "helpers", "common", "base", "core", "manager", "misc"}


def commands() -> list[ast.FunctionDef]:
    """The command functions of the command line."""
    tree = ast.parse((REPOSITORY / "leakaudit" / "cli.py").read_text(encoding="utf-8"))
    return [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and any("app.command" in ast.unparse(part) for part in node.decorator_list)
    ]


@pytest.mark.parametrize("command", commands(), ids=lambda command: command.name)
def test_a_command_is_thin(command):
    """A command body is a dozen statements: options in, one call, one renderer."""
    statements = [node for node in ast.walk(command) if isinstance(node, ast.stmt)]
    assert len(statements) - 2 <= 12  # the function itself, and its docstring


def loaded(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter has after running `code`."""
    script = f"import sys\n{code}\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.splitlines()}


def test_no_two_test_files_have_one_name():
    """Pytest imports a test file by its name alone, and would leave the second out of the run."""
    names = [path.name for path in (REPOSITORY / "tests").rglob("test_*.py")]
    assert len(names) > 100
    assert sorted(names) == sorted(set(names))


HELP = "import leakaudit.cli as c\ntry: c.app(['--help'])\nexcept SystemExit: pass"


def test_help_loads_nothing_heavy():
    """`leakaudit --help` answers without the libraries that take seconds to import; torch is there when asked for."""
    assert not loaded(HELP) & set(HEAVY)
    assert "torch" in loaded("import leakaudit.attackers")


def test_a_report_needs_no_torch():
    """What renders audits loads neither torch nor what reads images."""
    rendering = "\n".join(
        f"import importlib; importlib.import_module('leakaudit.render.{name}')" for name in catalog.names("render")
    )
    assert not loaded(f"import leakaudit.report, leakaudit.render, leakaudit.archive, leakaudit.gate\n{rendering}") & {
        "torch",
        "torchvision",
        "timm",
        "sklearn",
        "pandas",
    }


def test_no_attacker_needs_an_image_library():
    """All attackers together load neither torchvision nor timm."""
    modules = [name.replace("-", "_") for name in catalog.names("attackers")]
    every = "; ".join(f"import leakaudit.attackers.{module}" for module in modules)
    assert len(modules) > len(protocol.DECIDERS)
    assert not loaded(every) & {"torchvision", "timm"}


@pytest.mark.parametrize("room", catalog.ROOMS)
def test_every_thing_says_what_it_is(room):
    """Each thing of each room has a one-line summary that `list` prints."""
    assert catalog.names(room)
    for name in catalog.names(room):
        assert re.fullmatch(r".{10,150}", catalog.summary(room, name)), name


def test_nothing_of_this_machine_is_named():
    """No tracked text names a folder of the machine it was written on."""
    done = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True)  # noqa: S607
    foreign = re.compile("/wo" + r"rk/|\.\./sha" + "red/facts|/opt/" + "wheels")
    for name in done.stdout.splitlines():
        path = REPOSITORY / name
        if path.is_file() and path.suffix in {".py", ".md", ".toml", ".txt", ".j2", ".css", ""}:
            assert not foreign.search(path.read_text(encoding="utf-8", errors="ignore")), name
