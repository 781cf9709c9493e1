"""What labels become, and what a reader is told of it."""

import numpy as np

from leakaudit.dataset import Labels, identify
from leakaudit.embeddings import Embeddings, Origin
from leakaudit.labels import labelled


def test_a_target_of_numbers_is_held_fixed_by_bins_alone_and_it_is_said() -> None:
    """Ten bins leave what the number tells inside each: a reader is warned; classes leave nothing, and nothing is."""
    rng = np.random.default_rng(0)
    columns = {
        "age": Labels(rng.standard_normal(200).astype(np.float32)),
        "digit": Labels(rng.integers(0, 3, 200), ("0", "1", "2")),
        "colour": Labels(rng.integers(0, 2, 200), ("a", "b")),
    }
    origin = Origin("made", "file", "0" * 64, "", "test", "labels")
    subject = Embeddings(np.zeros((200, 2), np.float32), None, columns, identify("made", np.arange(200)), origin)
    notes = {
        target: labelled(subject, np.ones(200, bool), ("colour",), target)["colour"].target.note
        for target in ("age", "digit")
    }
    words = "numbers, cut into 10 quantile bins; what it tells inside a bin counts as read beyond it"
    assert notes == {"age": words, "digit": ""}
