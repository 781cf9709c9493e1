"""An interruption is told from a bug, whatever was made of it."""

from leakaudit.errors import InputError, interrupted


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
