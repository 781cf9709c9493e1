"""The verification itself, for machines: `{"format": 1, "kind": "verification", ...}`."""

from leakaudit import store
from leakaudit.verification import Verification, document


def render(made: Verification, *, width: int) -> str:
    """The document; `width` is the terminal's and says nothing here."""
    assert width > 0
    return store.to_text(document(made))
