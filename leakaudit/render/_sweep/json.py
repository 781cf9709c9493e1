"""The tally itself, for machines: `{"format": 1, "kind": "sweep", ...}`, with the plan and the command."""

from leakaudit import record, store
from leakaudit.render._sweep import parts
from leakaudit.results import Tally


def render(made: Tally, *, width: int) -> str:
    """The document; `width` is the terminal's and says nothing here."""
    assert width > 0
    results = [
        {name: value for name, value in record.to_json(cell).items() if name != "seconds"} for cell in made.results
    ]
    summary = [
        {
            "recipe": group.recipe,
            "settings": group.settings,
            "seeds": [cell.seed for cell in group.finished],
            **{name: None if found is None else found._asdict() for name in parts.FIGURES
               for found in (parts.spread(group.finished, name),)},
        }
        for group in parts.groups(made)
    ]  # fmt: skip
    head = {"format": 1, "kind": "sweep", "plan": made.plan, "command": made.command, "cells": made.cells}
    return store.to_text({**head, "results": results, "summary": summary, "text": made.text})
