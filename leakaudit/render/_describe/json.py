"""The description itself, for machines: `{"format": 1, "kind": "description", ...}`."""

from leakaudit import store
from leakaudit.description import Description, document


def render(made: Description, *, width: int) -> str:
    """The document; `width` is the terminal's and says nothing here."""
    assert width > 0
    return store.to_text(document(made))
