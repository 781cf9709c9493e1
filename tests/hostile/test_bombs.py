"""What a file claims to be costs nothing: memory and time are bounded; and no name reaches the terminal raw."""

from functools import partial

import bombs
import pytest
from asked import asked_of

SECONDS = 5
"""Within which any small file is read or refused, on a slow machine."""


def as_either(path):
    """What is asked of a bomb: to be weights, and to be embeddings."""
    return [["read", str(path)], ["embeddings", str(path)]]


@pytest.fixture(scope="module")
def ends(watcher, tmp_path_factory):
    """How reading each bomb ends."""
    return watcher.files(bombs.BOMBS, as_either, tmp_path_factory.mktemp("bombs"))


@pytest.fixture(scope="module")
def loud_ends(watcher, tmp_path_factory, images):
    """How what is asked of each file with loud names ends."""
    return watcher.files(bombs.LOUD_FILES, partial(asked_of, images=images), tmp_path_factory.mktemp("loud"))


def does_not_go_off(end):
    """It was refused, or read, in bounded memory and time."""
    end.nothing_done()
    assert end.exit in (None, 2, 4)
    assert end.seconds < SECONDS
    if end.exit is not None:
        end.said_in_one_line()


@pytest.mark.parametrize("name", bombs.BOMBS)
def test_a_bomb_does_not_go_off(ends, name):
    """A few bytes that claim gigabytes, or unfold to them, are refused or read in bounded memory and time."""
    for end in ends[name]:
        does_not_go_off(end)


def test_zeros_do_not_unfold(watcher, post):
    """A megabyte that unpacks to a gibibyte, in any place of any zip, is refused before it is unpacked."""
    for both in watcher.files(bombs.inflated(), as_either, post).values():
        for end in both:
            does_not_go_off(end)


@pytest.mark.parametrize("name", bombs.LOUD_FILES)
def test_a_name_does_not_reach_the_terminal(loud_ends, name):
    """Control characters, escapes and turned-around text in a name are shown as what they are, and shortened."""
    for end in loud_ends[name]:
        end.nothing_done()
        shown = end.out + end.err
        assert all(line.isprintable() for line in shown.split("\n")), repr(shown)
        assert "\x1b" not in end.said
        assert len(shown) < 20_000
        if end.exit is not None and end.exit > 0:
            end.said_in_one_line()
