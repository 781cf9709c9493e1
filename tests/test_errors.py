"""An interruption is told from a bug, whatever was made of it."""

import subprocess

from leakaudit.errors import InputError, interrupted, spelt, typed


def test_an_interruption_is_found_behind_other_errors() -> None:
    """Ctrl-C that an import turned into an error of its own is still Ctrl-C; other errors are not."""
    first = KeyboardInterrupt()
    second = ImportError("half of a module")
    second.__cause__ = first
    third = SystemError("a result with an exception set")
    third.__context__ = second
    assert all(map(interrupted, (first, second, third)))
    assert not interrupted(InputError("no such file"))
    plain = ImportError("no such module")
    plain.__cause__ = OSError("no such file")
    assert not interrupted(plain)


def test_words_of_a_stranger_are_one_short_printable_line() -> None:
    """Escapes, marks of direction and ends of lines are spelt out or become spaces; the middle of a long one goes."""
    assert spelt("fc.weight") == "fc.weight"
    assert spelt("a\x1b[2J\u202e\nb\x9b\ud800") == "a\\x1b[2J\\u202e b\\x9b\\ud800"
    assert spelt("x" * 10_000, 40) == "x" * 17 + " ... " + "x" * 17


def test_a_word_that_is_typed_comes_back_from_a_shell() -> None:
    """What a terminal would obey is spelt out so that bash reads it as it was."""
    assert typed("two words") == "'two words'"
    word = "a'\\\x1b[2J\u202e|<b>\n\x9b\U000e0001é"
    assert typed(word).isprintable()
    script = f"printf %s {typed(word)}"
    said = subprocess.run(["/bin/bash", "-c", script], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"})
    assert said.stdout.decode() == word
