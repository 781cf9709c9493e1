"""A room is a folder, a thing is a file in it, a knob is a keyword argument with a default."""

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leakaudit import catalog
from leakaudit.catalog import Call
from leakaudit.errors import InputError


def thing(x: object, *, rate: float = 0.1, count: int = 3, kind: Literal["a", "b"] = "a", width: int | None = None,
          flag: bool = False, sizes: tuple[int, ...] = ()) -> None:  # fmt: skip
    """Something with knobs."""
    del x, rate, count, kind, width, flag, sizes


@pytest.mark.parametrize("room", catalog.ROOMS)
def test_a_room_lists_what_lies_in_its_folder(room: str) -> None:
    """Every file that is not private is a thing, by its name with hyphens, and can be imported by it."""
    folder = Path(catalog.__file__).parent / room
    files = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")}
    assert {name.replace("-", "_") for name in catalog.names(room)} == files
    for name in catalog.names(room):
        module = importlib.import_module(f"leakaudit.{room}.{name.replace('-', '_')}")
        assert catalog.thing(room, name) is module
        assert catalog.summary(room, name) == (module.__doc__ or "").strip().splitlines()[0]
        assert catalog.summary(room, name)


def test_listing_imports_nothing_heavy() -> None:
    """Names and summaries of all rooms are read without torch."""
    code = (
        "import sys; from leakaudit import catalog\n"
        "for room in catalog.ROOMS:\n"
        "    for name in catalog.names(room): catalog.summary(room, name)\n"
        "assert not {'torch', 'sklearn', 'pandas', 'matplotlib'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_unknown_thing_is_named_with_the_nearest() -> None:
    """Room, thing and knob: each message says what there is."""
    with pytest.raises(InputError, match=r"x: no data set 'digist'\. Did you mean 'digits'\? There are: "):
        catalog.thing("datasets", "digist", "x")
    with pytest.raises(InputError, match=r"no room 'dataset'\. Did you mean 'datasets'\?"):
        catalog.names("dataset")
    with pytest.raises(InputError, match=r"There are: \w+.*, and \d+ more: leakaudit list datasets$"):
        catalog.call("datasets", "digist", "x")
    with pytest.raises(InputError, match=r"here: no knob 'rat'\. Did you mean 'rate'\? There are: count, "):
        catalog.check(thing, {"rat": 1}, "here")


@pytest.mark.parametrize("listed", ["", "leakaudit list things"])
def test_of_many_names_the_nearest_are_said_and_the_others_counted(listed: str) -> None:
    """Twelve are listed; of thirteen the three nearest and what lists all, or twelve where nothing does."""
    names = [f"thing-{letter}" for letter in "abcdefghijklm"]
    assert catalog.suggest("thing-a", names[:12], listed).endswith(f"There are: {', '.join(names[:12])}.")
    said = catalog.suggest("thing-mm", names, listed)
    assert said.startswith("Did you mean 'thing-m'? There are: thing-m, ")
    assert said.endswith(", and 10 more: leakaudit list things" if listed else ", and 1 more.")
    assert said.count(", thing-") == (2 if listed else 11)
    assert catalog.suggest("x", []) == "There are none."


@pytest.mark.parametrize(
    ("knobs", "expected"),
    [
        ({"rate": 2}, {"rate": 2.0}),
        ({"count": 5, "flag": True}, {"count": 5, "flag": True}),
        ({"kind": "b"}, {"kind": "b"}),
        ({"width": 3}, {"width": 3}),
        ({"sizes": [1, 2]}, {"sizes": (1, 2)}),
        ({}, {}),
    ],
)
def test_right_knobs_pass_as_the_signature_wants_them(knobs: dict[str, Any], expected: dict[str, Any]) -> None:
    """A whole number is a number; a list is a tuple where one is asked for."""
    found = catalog.check(thing, knobs, "here")
    assert found == expected
    assert [type(value) for value in found.values()] == [type(value) for value in expected.values()]


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"rate": "1"}, "rate = '1': a number expected"),
        ({"rate": True}, "a number expected"),
        ({"count": 2.0}, "count = 2.0: a whole number expected"),
        ({"count": True}, "a whole number expected"),
        ({"flag": 1}, "true or false expected"),
        ({"kind": "c"}, "one of 'a', 'b' expected"),
        ({"width": "wide"}, "a whole number or nothing expected"),
        ({"sizes": 3}, "a list expected"),
        ({"sizes": ["a"]}, "a whole number expected"),
    ],
)
def test_wrong_types_are_refused(knobs: dict[str, Any], message: str) -> None:
    """Nothing is converted silently; true is no number."""
    with pytest.raises(InputError, match=f"here: .*{message}"):
        catalog.check(thing, knobs, "here")


def test_positional_arguments_are_no_knobs() -> None:
    """Only keywords with a default can be set."""
    assert set(catalog.knobs(thing)) == {"rate", "count", "kind", "width", "flag", "sizes"}
    with pytest.raises(InputError, match="no knob 'x'"):
        catalog.check(thing, {"x": 1}, "here")


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("digits", Call("digits", {})),
        ("biased-mnist:rho=0.99", Call("biased-mnist", {"rho": 0.99})),
        ("table:file=a/b.csv,size=64", Call("table", {"file": "a/b.csv", "size": 64})),
        ("table:skip-unreadable=true", Call("table", {"skip_unreadable": True})),
        ("mlp:width=1e-3,", Call("mlp", {"width": 1e-3})),
    ],
)
def test_a_call_is_read_as_it_is_typed(text: str, call: Call) -> None:
    """Values are TOML where they can be, else words."""
    assert catalog.parse(text, "--data") == call


@pytest.mark.parametrize("text", ["digits:rho", "digits:=3"])
def test_a_call_without_its_equals_sign_is_refused(text: str) -> None:
    """The message quotes what was typed."""
    with pytest.raises(InputError, match=rf"--data '{text}': NAME or NAME:knob=value"):
        catalog.parse(text, "--data")


@given(st.dictionaries(st.sampled_from(["rho", "seed", "flag"]), st.booleans() | st.integers() | st.floats(0, 1)))
def test_what_is_typed_out_is_read_back(knobs: dict[str, Any]) -> None:
    """Parsing a call's own spelling gives the call."""
    assert catalog.parse(str(Call("digits", knobs)), "x") == Call("digits", knobs)
