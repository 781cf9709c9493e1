"""Markdown for an issue or a pull request: what the file is, which network that fits, its layers folded."""

import re
from collections.abc import Iterator, Sequence

from leakaudit.dossier import Dossier
from leakaudit.render import _tame
from leakaudit.render._inspect import parts


def render(made: Dossier, *, width: int) -> str:
    """The dossier; `width` is the terminal's and says nothing here."""
    assert width > 0
    return "\n\n".join(_parts(_tame.plain(made))) + "\n"


def _parts(made: Dossier) -> Iterator[str]:
    yield f"## {_text(made.name)}: {_text(parts.head(made))}"
    yield _table(("what", "value"), parts.facts(made))
    if made.notes:
        yield "\n".join(f"- {_text(note)}" for note in made.notes)
    if made.kin:
        yield _table(("known network", "likeness"), parts.kin(made))
    yield from (_text(words) for words in (parts.alike(made), parts.unlike(made)) if words)
    if made.fit is not None:
        yield f"{_text(parts.fit(made.fit))}."
        if made.fit.notes:
            yield "\n".join(f"- {_text(note)}" for note in made.fit.notes)
        rows, left = parts.unmatched(made.fit)
        if rows:
            yield _table(("what", "name", "shape: file's for network's"), rows)
            yield from [f"... and {left:,} more"] * bool(left)
    if made.anatomy is not None:
        shown, left = parts.layers(made.anatomy)
        rows = [
            (each.name, each.kind, parts.size(each.shape), f"{each.parameters:,}", "bottleneck" * each.bottleneck)
            for each in shown
        ]
        table = _table(("layer", "kind", "puts out", "parameters", "input"), rows)
        more = f"\n\n{left:,} more lie between these or within them." if left else ""
        yield f"<details><summary>{_text(parts.entrance(made.anatomy))}</summary>\n\n{table}{more}\n\n</details>"
    elif made.tensors and made.fit is None:
        rows, _ = parts.tensors(made)
        table = _table(("name", "shape", "type"), rows)
        yield f"<details><summary>{len(made.tensors):,} tensors</summary>\n\n{table}\n\n</details>"
    if made.next:
        yield f"    {made.next}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *([_text(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _text(words: str) -> str:
    """Words of others as words: nothing in them is Markdown or HTML."""
    return re.sub(r"([\\`*_\[\]<>|#&!~])", r"\\\1", words)
