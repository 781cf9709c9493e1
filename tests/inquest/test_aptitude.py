"""A model that hardly does its own task is warned of; one that does, and rows too few to say, are not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from leakaudit.dataset import Labels, identify
from leakaudit.embeddings import Embeddings, Origin
from leakaudit.inquest.aptitude import HARDLY, aptitude
from leakaudit.labels import labelled

AGES = tuple(f"age {i}" for i in range(8))


def subject(
    rows: int = 1000,
    *,
    knows: float,
    order: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6, 7),
    outputs: int = 8,
    kind: str = "weights",
    groups: int = 0,
    seed: int = 0,
) -> Embeddings:
    """A model that knows the age of a share of the rows and guesses the others; output j is of class `order[j]`."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, len(AGES), rows)
    named = np.where(rng.random(rows) < knows, y, rng.integers(0, len(AGES), rows))
    logits = np.eye(max(outputs, len(AGES)))[np.argsort(order)[named]][:, :outputs]
    columns = {"age": Labels(y, AGES), "sex": Labels(rng.integers(0, 2, rows), ("f", "m"))}
    return Embeddings(
        np.zeros((rows, 2), np.float32), logits.astype(np.float32), columns,
        identify("made", [str(i) for i in range(rows)]), Origin("made", kind, "0" * 64, "", "test", "f"),
        np.arange(rows) % groups if groups else None,
    )  # fmt: skip


def found(made: Embeddings, **more: Any) -> Any:
    """What is said of it."""
    rows = labelled(made, np.ones(len(made), bool), ("sex",), "age")["sex"]
    return aptitude(made, rows, **{"target": "age", "seed": 0, **more})


@pytest.mark.parametrize("groups", [0, 100])
def test_a_model_at_chance_is_warned_of(groups: int) -> None:
    """Its accuracy, chance, and what may be the matter: the task, or how images enter, which is said."""
    (words,) = found(subject(knows=0.0, groups=groups), prepared="3x64x64; mean 0.5, std 0.5 (the data set)").warnings
    assert "the model names the age right in 1" in words
    assert "chance is 12.5 %): it may not be this model's task, or images are prepared otherwise" in words
    assert words.endswith("they enter as 3x64x64; mean 0.5, std 0.5 (the data set)")


@pytest.mark.parametrize("knows", [0.35, 0.9, 1.0])
def test_a_model_that_does_its_task_is_not(knows: float) -> None:
    """Nor is one that does it badly, but well above chance."""
    assert found(subject(knows=knows)) == found(subject(knows=1.0))
    assert not found(subject(knows=knows)).warnings


def test_hardly_above_chance_is_warned_of_where_rows_are_enough_to_say_so() -> None:
    """A skill of a twentieth, known to within a tenth."""
    assert found(subject(20_000, knows=HARDLY / 2)).warnings
    assert not found(subject(20_000, knows=2 * HARDLY)).warnings


@pytest.mark.parametrize("seed", range(5))
def test_few_rows_warn_of_nothing(seed: int) -> None:
    """A dozen that a model names well enough; two hundred that it does not are warned of."""
    assert not found(subject(12, knows=0.7, seed=seed)).warnings
    assert not found(subject(12, knows=0.9, seed=seed)).warnings
    assert found(subject(200, knows=0.0, seed=seed)).warnings


@pytest.mark.parametrize("groups", [0, 200])
def test_another_order_of_the_classes_is_recognised(groups: int) -> None:
    """It is told with the accuracy it gives on unseen rows, and with the model's own order."""
    order = (3, 0, 1, 2, 7, 6, 5, 4)
    (words,) = found(subject(knows=0.9, order=order, groups=groups)).warnings
    names = ", ".join(f"{number} {AGES[k]}" for number, k in enumerate(order))
    assert words.endswith(f"label the rows with the model's own class numbers, which seem to be {names}")
    share = float(words.partition("it names ")[2].partition(" %")[0])
    assert share == pytest.approx(100 * (0.9 + 0.1 / 8), abs=4)


def test_two_classes_that_traded_places_are_recognised_though_accuracy_is_high() -> None:
    """Six of eight ages are named right as they stand."""
    (words,) = found(subject(3000, knows=0.95, order=(1, 0, 2, 3, 4, 5, 6, 7))).warnings
    assert "which seem to be 0 age 1, 1 age 0, 2 age 2, 3 age 3, " in words


@pytest.mark.parametrize("seed", range(10))
def test_no_order_is_found_where_there_is_none(seed: int) -> None:
    """The best of 40,320 orders on one half of the rows is none on the other."""
    (words,) = found(subject(400, knows=0.0, seed=seed), seed=seed).warnings
    assert "order" not in words


def test_outputs_of_other_classes_are_told_where_the_task_would_stand() -> None:
    """That its own task is not measured, with the reason and what that leaves open; a file of numbers has no images."""
    said = found(subject(knows=0.9, outputs=5))
    reason = "not measured (5 outputs, age has 8 classes)"
    assert (said.warnings, said.notes) == ((), ())
    assert said.unmeasured == f"{reason}, so that nothing shows whether the images enter as the model expects"
    assert found(subject(knows=0.9, outputs=5, kind="file")).unmeasured == reason
    assert not found(subject(knows=0.9)).unmeasured


def test_without_a_target_a_strangers_task_is_not_measured() -> None:
    """Nor where no logits are read; embeddings and this project's own checkpoints say nothing of it."""
    assert found(subject(knows=0.0), target=None).unmeasured.startswith("not measured (no target is named)")
    mute = replace(subject(knows=0.9), logits=None)
    assert found(mute).unmeasured.startswith("not measured (none of its outputs is read)")
    for kind in ("file", "checkpoint"):
        assert not found(subject(knows=0.0, kind=kind), target=None).unmeasured
    assert not found(subject(knows=0.0), target=None).warnings


@pytest.mark.parametrize(("kind", "middle"), [("logit", 0.0), ("probability", 0.5)])
def test_a_single_output_names_the_second_of_two_classes(kind: str, middle: float) -> None:
    """A logit above 0, a probability above a half; that this is assumed is a note, and trading places a warning."""
    y = np.random.default_rng(0).integers(0, 2, 500)
    signed = np.where(y == 1, 3.0, -3.0) + np.random.default_rng(1).standard_normal(500)
    for sign, warns in ((1, False), (-1, True)):
        value = sign * signed if kind == "logit" else 1 / (1 + np.exp(-sign * signed))
        made = subject(500, knows=1.0)
        columns = {**made.columns, "age": Labels(y, ("young", "old"))}
        said = found(replace(made, logits=value.astype(np.float32)[:, None], columns=columns))
        assert said.notes == (f"the model has one output: above {middle:g} it is taken to name old",)
        assert any(words.endswith("seem to be 0 old, 1 young") for words in said.warnings) is warns


def test_a_warning_says_what_it_can_of_the_kind_of_subject() -> None:
    """A checkpoint's images enter as they did in training, in its classes' order; a file has no images."""
    (of_ours,) = found(subject(knows=0.0, kind="checkpoint")).warnings
    (of_file,) = found(subject(knows=0.0, kind="file")).warnings
    (moved,) = found(subject(knows=0.9, kind="checkpoint", order=(1, 2, 3, 4, 5, 6, 7, 0))).warnings
    assert of_ours.endswith("what it has learned to name is not the age of these rows")
    assert of_file.endswith("the logits may be of another task, or of other rows than these")
    assert "order" not in moved
