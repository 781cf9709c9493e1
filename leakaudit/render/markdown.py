"""
Markdown for a pull request or a job summary: the verdict first, what proves it folded.

Of at most 60,000 bytes, since GitHub takes 65,536 characters in a comment and a megabyte in a job summary: where there
is more, the fold that is needed least is left out, and the last line says so.
"""

from collections.abc import Sequence

from leakaudit.render import Report, _entries, _tame
from leakaudit.render._markdown import folds, head

BYTES = 60_000
"""The most there are, whatever the report."""
LEFT_OUT = "Some of this report has no room here: the whole document is `--format html --output report.html`."


def render(report: Report, *, width: int) -> str:
    """The report; `width` is the terminal's and says nothing here."""
    assert width > 0
    tamed = _tame.tame(report)
    long = [audit.name for audit in tamed.audits]
    names = dict(zip(long, _entries.short(long), strict=True))
    found = _entries.entries(tamed)
    return _fit([*head.parts(tamed, found, names), *folds.parts(tamed, found, names)])


def _fit(parts: Sequence[head.Part]) -> str:
    """The parts in as full a form as there is room for; of those let go of as easily, the later first."""
    at = [0] * len(parts)
    sizes = [[len(form.encode()) + 2 for form, _ in part] for part in parts]
    spare = BYTES - len(LEFT_OUT)
    while sum(size[place] for size, place in zip(sizes, at, strict=True)) > spare:
        steps = [(part[at[i]][1], -i) for i, part in enumerate(parts) if at[i] + 1 < len(part)]
        if not steps:
            break
        at[-min(steps)[1]] += 1
    made = [said for part, place in zip(parts, at, strict=True) if (said := part[place][0])]
    return "\n\n".join([*made, LEFT_OUT] if any(at) else made) + "\n"
