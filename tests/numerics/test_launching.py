"""What processes find wrong before they have met is said by one of them at a time."""

import pytest

from leakaudit.numerics import launching


@pytest.mark.parametrize(("rank", "local", "waited"), [(0, 0, 0), (4, 0, 1), (1, 1, 2), (5, 1, 2)])
@pytest.mark.parametrize("words", [("train", "digits/end", "--bogus"), ("extract", "a", "b"), ("report", "a")])
def test_the_first_speaks_at_once(
    monkeypatch: pytest.MonkeyPatch, leakaudit_here, rank: int, local: int, waited: int, words: tuple[str, ...]
) -> None:
    """The first of another machine later, its others last: torchrun has ended them by then, unless they alone err."""
    given = {"RANK": rank, "LOCAL_RANK": local, "WORLD_SIZE": 8, "MASTER_ADDR": "localhost", "MASTER_PORT": 1}
    for name, value in given.items():
        monkeypatch.setenv(name, str(value))
    slept: list[float] = []
    monkeypatch.setattr(launching.time, "sleep", slept.append)
    done = leakaudit_here(*words)
    assert done.returncode == 2
    assert sum(slept) == waited * launching.GRACE_SECONDS
