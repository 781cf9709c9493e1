"""What a file claims to be costs nothing: memory and time are bounded; and no name reaches the terminal raw."""

import bombs
import pytest
from conftest import asked_of

SECONDS = 5
"""Within which any small file is read or refused, on a slow machine."""


def does_not_go_off(watcher, home, path, data):
    """Both readers refuse the file, or read it, in bounded memory and time."""
    path.write_bytes(data)
    for end in watcher.each([["read", str(path)], ["embeddings", str(path)]], home):
        end.nothing_done()
        assert end.exit in (None, 2, 4)
        assert end.seconds < SECONDS
        if end.exit is not None:
            end.said_in_one_line()


@pytest.mark.parametrize("name", bombs.BOMBS)
def test_a_bomb_does_not_go_off(watcher, home, post, name):
    """A few bytes that claim gigabytes, or unfold to them, are refused or read in bounded memory and time."""
    does_not_go_off(watcher, home, post / name, bombs.BOMBS[name])


def test_zeros_do_not_unfold(watcher, home, post):
    """A megabyte that unpacks to a gibibyte, in any place of any zip, is refused before it is unpacked."""
    for name, data in bombs.inflated().items():
        does_not_go_off(watcher, home, post / name, data)


@pytest.mark.parametrize("name", bombs.LOUD_FILES)
def test_a_name_does_not_reach_the_terminal(watcher, home, post, images, name):
    """Control characters, escapes and turned-around text in a name are shown as what they are, and shortened."""
    path = post / name
    path.write_bytes(bombs.LOUD_FILES[name])
    ends = watcher.each(asked_of(path, images), home)
    assert len(ends) == len(asked_of(path, images))
    for end in ends:
        end.nothing_done()
        shown = end.out + end.err
        assert all(line.isprintable() for line in shown.split("\n")), repr(shown)
        assert "\x1b" not in end.said
        assert len(shown) < 20_000
        if end.exit is not None and end.exit > 0:
            end.said_in_one_line()
