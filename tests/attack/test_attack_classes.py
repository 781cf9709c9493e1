"""A thousand private classes are attacked to a defined end."""

from dataclasses import replace
from typing import Any

import pytest

from leakaudit.catalog import Call

CLASSES = 1000


@pytest.mark.slow
def test_a_thousand_private_classes_end_in_a_verdict(embed: Any, attacked: Any) -> None:
    """Three rows of each of a thousand classes, which one column tells: that is detected, and a reason is given."""
    made = replace(embed(3 * CLASSES, width=4, privates=CLASSES, leak=10.0), logits=None)
    attribute = attacked(made, attackers=(Call("nearest", {}),)).only
    assert attribute.verdict in {"LEAK", "DETECTED"}
    assert attribute.reason
