"""The reproduction itself, for machines: `{"format": 1, "kind": "reproduction", ...}`."""

from leakaudit import store
from leakaudit.reproduction import Reproduction, document


def render(made: Reproduction, *, width: int) -> str:
    """The document; `width` is the terminal's and says nothing here."""
    assert width > 0
    return store.to_text(document(made))
