"""Markdown for an issue or a job summary: a table of the hashes that an audit names, and what no longer matches."""

import re
from collections.abc import Iterator

from leakaudit.render import _tame
from leakaudit.render._verify import parts
from leakaudit.verification import Verification, Verified


def render(made: Verification, *, width: int) -> str:
    """The verification; `width` is the terminal's and says nothing here."""
    assert width > 0
    tamed = _tame.plain(made)
    lines = [f"## {_text(tamed.words)}", *(line for audit in tamed.audits for line in _parts(audit)), parts.CLAIM]
    return "\n\n".join(lines) + "\n"


def _parts(made: Verified) -> Iterator[str]:
    yield f"### {_text(made.path)}{f': {_text(made.name)}, {made.verdict}' if made.name else ''}"
    rows = [("object", "state", "sha256", "where"), ("---",) * 4]
    rows += [
        (_text(check.what), _bold(check.state), parts.digits(check), _text(parts.words(check))) for check in made.checks
    ]
    yield "\n".join(f"| {' | '.join(row)} |" for row in rows)
    if made.versions:
        yield _text(parts.versions(made))


def _bold(state: str) -> str:
    return f"**{state}**" if state == "no longer matches" else state


def _text(words: str) -> str:
    """Words of others as words: nothing in them is Markdown or HTML."""
    return re.sub(r"([\\`*_\[\]<>|#&!~])", r"\\\1", words)
