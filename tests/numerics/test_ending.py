"""Processes that work together find out early that they cannot, and wait for the first to speak."""

import pytest

from leakaudit.errors import InputError
from leakaudit.numerics import ending


class Paper(dict[str, bytes]):
    """A store of torch's, in one process: what is not there would be waited for."""

    def get(self, key: str) -> bytes:  # type: ignore[override]
        """What is there."""
        return self[key]

    def set(self, key: str, value: str) -> None:
        """Write."""
        self[key] = value.encode()

    def check(self, keys: list[str]) -> bool:
        """Whether these are there."""
        return all(key in self for key in keys)

    def compare_set(self, key: str, expected: str, desired: str) -> bytes:
        """Write where it stands as expected."""
        if self.setdefault(key, expected.encode()) == expected.encode():
            self[key] = desired.encode()
        return self[key]


def test_the_first_is_waited_for() -> None:
    """Before it has begun another goes no further; afterwards it does."""
    board = Paper()
    with pytest.raises(KeyError):
        ending.meet(board, 1)
    ending.meet(board, 0)
    ending.meet(board, 1)


def test_devices_of_two_kinds_are_refused() -> None:
    """A process without a GPU among others with one says so, where they would wait for each other without end."""
    board = Paper()
    ending.match(board, 0, "cuda")
    ending.match(board, 1, "cuda")
    with pytest.raises(InputError, match=r"--device auto is cpu here and cuda for process 0; .*: name it$"):
        ending.match(board, 1, "cpu")


def test_one_speaks_and_the_others_end_with_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever claims first; another than the first says which it is."""
    monkeypatch.setattr(ending, "GRACE_SECONDS", 0)
    board = Paper()
    with pytest.raises(InputError, match=r"^no such thing \(process 1 of 0-2, on "), ending.one_voice(board, 1, 3):
        raise InputError("no such thing")
    with pytest.raises(SystemExit) as ended, ending.one_voice(board, 0, 3):
        raise InputError("no such thing")
    assert ended.value.code == 2
    with pytest.raises(SystemExit) as ended, ending.one_voice(board, 2, 3):
        raise PermissionError(13, "Permission denied", "faces")
    assert ended.value.code == 2
