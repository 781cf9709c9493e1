"""An attack says first whether the model does its own task on the rows."""

from dataclasses import replace
from typing import Any

import numpy as np


def test_a_model_that_guesses_is_warned_of_and_measured_all_the_same(embed: Any, attacked: Any) -> None:
    """The warning stands in the document beside a verdict and the utility; a model that does its task has none."""
    knows = embed(300, leak=3.0)
    guesses = replace(knows, logits=np.random.default_rng(0).standard_normal(knows.logits.shape).astype(np.float32))
    good, bad = attacked(knows).audit, attacked(guesses).audit
    assert good.warnings == ()
    (words,) = bad.warnings
    assert words.startswith("the model names the digit right in ")
    assert bad.utility is not None
    assert bad.attributes[0].figures == good.attributes[0].figures


def test_outputs_of_another_task_leave_the_utility_out_with_the_reason(embed: Any, attacked: Any) -> None:
    """A thousand logits for two digits are no error."""
    made = embed(300, leak=3.0)
    audit = attacked(replace(made, logits=np.zeros((300, 1000), np.float32))).audit
    assert audit.utility is None
    assert audit.warnings == ()
    reason = "not measured (1,000 outputs, digit has 2 classes)"
    assert audit.provenance["own_task"].startswith(reason)
    assert "own_task" not in attacked(made).audit.provenance
