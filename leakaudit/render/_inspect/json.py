"""The dossier itself, for machines: `{"format": 1, "kind": "dossier", ...}`."""

from leakaudit import store
from leakaudit.dossier import Dossier, document


def render(made: Dossier, *, width: int) -> str:
    """The document; `width` is the terminal's and says nothing here."""
    assert width > 0
    return store.to_text(document(made))
