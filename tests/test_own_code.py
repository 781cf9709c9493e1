"""A user's own code builds a network when it is asked for by name; what goes wrong in it is one line."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from leakaudit import own_code
from leakaudit.catalog import Call
from leakaudit.errors import InputError

CODE = """
from torch import nn
import parts

print("built")

def small(classes, shape=(3, 8, 8), *, width: int = 4):
    return parts.net(shape[0], width, classes)

def plain():
    return parts.net(1, 2, 5)

class Net(nn.Sequential):
    def __init__(self, num_classes=3, in_channels=3, scale: float = 1.0):
        super().__init__(*parts.net(in_channels, 2, num_classes))
        self.scale = scale

def fails(classes):
    return [][classes]

def nothing():
    return 3

def asks(classes, colours):
    return parts.net(colours, 2, classes)

def leaves():
    raise SystemExit("gone")
"""
PARTS = """
from torch import nn

def net(channels, width, classes):
    first = nn.Conv2d(channels, width, 3)
    return nn.Sequential(first, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))
"""
Build = Callable[..., torch.nn.Module]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """What the user's file makes of a text."""
    (tmp_path / "net.py").write_text(CODE)
    (tmp_path / "parts.py").write_text(PARTS)

    def made(text: str, classes: int = 7, shape: tuple[int, ...] = (3, 8, 8)) -> torch.nn.Module:
        path, call = own_code.parse(f"{tmp_path}/net.py:{text}")
        return own_code.build(path, call, classes, shape)

    return made


def test_a_function_gets_what_it_takes(build: Build) -> None:
    """Classes, shape and channels by any of their names, and knobs; a function may take nothing at all."""
    assert build("small").get_parameter("3.weight").shape == (7, 4)
    assert build("small:width=6", shape=(1, 8, 8)).get_parameter("0.weight").shape == (6, 1, 3, 3)
    assert build("plain").get_parameter("3.weight").shape == (5, 2)
    assert build("Net", shape=(1, 8, 8)).get_parameter("0.weight").shape == (2, 1, 3, 3)
    assert build("Net:scale=2,num_classes=4").get_parameter("3.weight").shape == (4, 2)
    assert build("asks:colours=2").get_parameter("0.weight").shape == (2, 2, 3, 3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "smal",
            r"no function 'smal'\. Did you mean 'small'\? There are: Net, asks, fails, leaves, nothing, plain, small",
        ),
        ("small:widht=3", r"no knob 'widht'\. Did you mean 'width'\?"),
        ("small:width=a", "width = 'a': a whole number expected"),
        ("fails", r"IndexError: list index out of range \(net\.py:19\)"),
        ("leaves", r"SystemExit: gone \(net\.py:28\)"),
        ("nothing", r"gives int, not a torch\.nn\.Module"),
        ("asks", "wants colours; say net.py:asks:colours=VALUE"),
        ("small:width=0", r"(ValueError|RuntimeError|ZeroDivisionError|UserWarning).*\(parts\.py:5\)"),
        ("small:3", "knob=value expected"),
    ],
)
def test_what_goes_wrong_is_one_line(build: Build, text: str, words: str) -> None:
    """The exception and the user's own file and line, or the nearest name; never a traceback of ours."""
    with pytest.raises(InputError, match=words) as error:
        build(text)
    assert "\n" not in str(error.value)


def test_code_that_is_no_code_is_one_line(tmp_path: Path) -> None:
    """A slip of the keyboard, a missing import, and a missing file."""
    for text, words in (
        ("def net(:\n", r"SyntaxError.*\(net\.py:1\)"),
        ("import nosuchthing_", r"ModuleNotFoundError.*net\.py:1"),
    ):
        (tmp_path / "net.py").write_text(text)
        path, call = own_code.parse(f"{tmp_path}/net.py:net")
        with pytest.raises(InputError, match=words):
            own_code.build(path, call, 2, (3, 8, 8))
    with pytest.raises(InputError, match="no such file"):
        own_code.parse(f"{tmp_path}/other.py:net")
    with pytest.raises(InputError, match=r"which function of it builds the network\? .*net\.py:FUNCTION"):
        own_code.parse(f"{tmp_path}/net.py")


def test_nothing_of_it_stays_behind(build: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its folder is importable while it runs and no longer; what it prints is not the product."""
    before = list(sys.path)
    build("small")
    assert sys.path == before
    assert "parts" not in sys.modules
    assert "built" not in capsys.readouterr().out
    (tmp_path / "parts.py").write_text(PARTS.replace("width, 3", "width, 1"))
    (tmp_path / "net.py").write_text(CODE + "\n")
    assert build("small").get_parameter("0.weight").shape == (4, 3, 1, 1)


def test_parsing_runs_nothing(tmp_path: Path) -> None:
    """A name with knobs is read before anybody decides to run it."""
    (tmp_path / "net.py").write_text("raise SystemExit('run')")
    path, call = own_code.parse(f"{tmp_path}/net.py:net:depth=3,kind=wide")
    assert (path, call) == (tmp_path / "net.py", Call("net.py:net", {"depth": 3, "kind": "wide"}))
    assert str(call) == "net.py:net:depth=3,kind=wide"
    assert own_code.named("a/b.py:f")
    assert not any(map(own_code.named, ("resnet18", "timm:resnet18", "mlp:width=3")))


def test_a_reader_of_the_audit_learns_whose_code_it_was(tmp_path: Path) -> None:
    """The file's hash stands in the note, so that another version is another network."""
    (tmp_path / "net.py").write_text("x = 1")
    path, call = own_code.parse(f"{tmp_path}/net.py:net")
    first = own_code.note(path, call)
    assert "user's own code: net.py:net (sha256 " in first
    (tmp_path / "net.py").write_text("x = 2")
    assert own_code.note(path, call) != first
