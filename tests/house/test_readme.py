"""The README tells the truth: its commands exist, its help block is the help, its tree is the tree."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from leakaudit import cli, recipe
from leakaudit.finding import WORST_FIRST

REPOSITORY = Path(__file__).parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
COMMANDS = typer.main.get_command(cli.app).commands
TYPED = [line for line in re.findall(r"^(?: {4})?(leakaudit .*)$", README, re.MULTILINE) if "..." not in line]


@pytest.mark.parametrize("line", TYPED)
def test_a_command_of_the_readme_parses(line):
    """Each command that the README types has a command of that name, with those options, and recipes that exist."""
    _, name, *words = shlex.split(line)
    command = COMMANDS[name]
    if hasattr(command, "commands") and words:
        command, words = command.commands[words[0]], words[1:]
    with command.make_context(name, list(words)) as context:
        assert context.params
    for word in words:
        if re.fullmatch(r"(digits|biased-mnist)/\S+", word):
            assert word in recipe.available()


def test_the_help_block_is_the_help():
    """The block under Commands lists every command with the first line of its help, and nothing else."""
    block = README.split("## Commands\n\n```\n")[1].split("\n```")[0]
    written = dict(re.split(r"\s{2,}|(?<=\w) (?=[A-Z])", line, maxsplit=1) for line in block.splitlines())
    assert written == {name: " ".join(command.help.split()) for name, command in COMMANDS.items()}


def test_the_tree_is_the_tree():
    """Every module and room of the package stands in the README's tree, and everything in the tree exists."""
    block = README.split("## The house")[1].split("```\n")[1]
    written = set(re.findall(r"\b([a-z_]+(?:\.py|/))", block)) - {"leakaudit/", "recipes/", "checkpoints/", "tests/"}
    package = REPOSITORY / "leakaudit"
    modules = {path.name for path in package.glob("*.py") if not path.name.startswith("__")}
    rooms = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    assert written == modules | rooms


def test_verdicts_and_exit_statuses_are_listed():
    """The five words and every exit status stand in the README's tables."""
    for verdict in WORST_FIRST:
        assert f"| `{verdict}` |" in README
    for status in (0, 1, 2, 3, 4, 70, 130):
        assert re.search(rf"^\| {status} \|", README, re.MULTILINE)


def test_install_lines_are_those_of_ci():
    """CI installs what the README says and ends with the README's test command."""
    script = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    assert "pip install -e '.[dev]' && pytest -n 2" in README
    assert "-e '.[dev]'" in script
    assert script.rstrip().endswith("pytest -n 2")
