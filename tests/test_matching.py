"""Which tensor of a file fills which tensor of a network is decided by names and shapes, and said."""

from collections.abc import Mapping

import numpy as np
import pytest

from leakaudit import matching
from leakaudit.matching import Shape

WANTED: dict[str, Shape] = {
    "conv1.weight": (4, 3, 3, 3),
    "bn1.weight": (4,),
    "bn1.running_mean": (4,),
    "bn1.num_batches_tracked": (),
    "fc.weight": (2, 4),
    "fc.bias": (2,),
}


def held(
    change: Mapping[str, Shape | None] | None = None, prefix: str = "", number: float = 0.0
) -> dict[str, np.ndarray]:
    """The tensors of the network, some of them changed or left out."""
    shapes = {**WANTED, **(change or {})}
    return {prefix + name: np.full(shape, number) for name, shape in shapes.items() if shape is not None}


def test_all_tensors_of_a_network_fill_it() -> None:
    """Nothing is missing, nothing left, nothing said."""
    found = matching.match(WANTED, held())
    assert found.fits
    assert found.notes == ()
    assert matching.line(found) == ""
    assert found.fills == {name: name for name in WANTED}


@pytest.mark.parametrize("prefix", ["model.", "encoder.", "backbone.", "student.", "0.", "a.b.c."])
def test_a_prefix_is_taken_off_and_said(prefix: str) -> None:
    """The file's names may have one that the network's lack, beside tensors that lack it."""
    found = matching.match(WANTED, held(prefix=prefix) | {"loss.weight": np.zeros(2)})
    assert (found.fits, found.taken, found.aside) == (True, prefix, ("loss.weight",))
    assert found.notes == (f"prefix {prefix} taken off the file's names", "left aside: loss (1)")
    assert found.fills["fc.bias"] == f"{prefix}fc.bias"


def test_a_prefix_is_put_on_and_said() -> None:
    """The network's names may have one that the file's lack."""
    wanted = {f"body.{name}": shape for name, shape in WANTED.items()}
    found = matching.match(wanted, held())
    assert (found.fits, found.put, found.fills["body.fc.bias"]) == (True, "body.", "fc.bias")
    assert found.notes == ("prefix body. put before the file's names",)


def test_another_part_of_the_file_is_left_aside_only_beside_a_whole_network() -> None:
    """What stands under another prefix is another part; under the network's own, or if something lacks, it is not."""
    other = {"head.weight": np.zeros((3, 3))}
    assert matching.match(WANTED, held(prefix="model.") | other).fits
    assert matching.match(WANTED, held(prefix="model.") | {"model.extra.weight": np.zeros(1)}).unexpected == (
        "model.extra.weight",
    )
    lacking = matching.match(WANTED, held({"fc.bias": None}, prefix="model.") | other)
    assert (lacking.missing, lacking.unexpected, lacking.aside) == (("fc.bias",), ("head.weight",), ())


def test_a_layer_too_many_is_no_other_part() -> None:
    """Without a prefix a tensor that no layer wants is a layer that the network lacks, unless it is a loss."""
    assert matching.match(WANTED, held() | {"conv2.weight": np.zeros(1)}).unexpected == ("conv2.weight",)
    assert matching.match(WANTED, held() | {"criterion.weight": np.zeros(2)}).aside == ("criterion.weight",)


def test_two_networks_in_one_file_are_no_choice_of_ours() -> None:
    """A student and a teacher fit as well; where their numbers are the same it does not matter which."""
    two = held(prefix="student.", number=1.0) | held(prefix="teacher.", number=2.0)
    found = matching.match(WANTED, two)
    assert not found.fits
    assert "several such networks, under student., teacher.: save one alone" in matching.line(found)
    assert matching.match(WANTED, held(prefix="student.") | held(prefix="teacher.")).fits


def test_counters_of_batch_norm_may_be_missing_and_are_said() -> None:
    """Files of torch before 0.4.1 have none; a running mean may not be missing."""
    found = matching.match(WANTED, held({"bn1.num_batches_tracked": None}))
    assert (found.fits, found.counters) == (True, ("bn1.num_batches_tracked",))
    assert "1 counters of batch norm (num_batches_tracked) are not in the file: 0" in found.notes
    assert matching.match(WANTED, held({"bn1.running_mean": None})).missing == ("bn1.running_mean",)


def test_densenets_old_names_are_read_as_its_new_ones() -> None:
    """`norm.1` of torch 0.3 is `norm1`."""
    wanted: dict[str, Shape] = {"features.denseblock1.denselayer1.norm1.weight": (3,)}
    found = matching.match(wanted, {"features.denseblock1.denselayer1.norm.1.weight": np.zeros(3)})
    assert (found.fits, found.dotted) == (True, True)
    assert found.notes == ("DenseNet's old names read as its new ones",)


def test_what_does_not_fit_is_one_line_and_a_table() -> None:
    """Counts and first names in the line; name by name, both shapes, in the table."""
    change: dict[str, Shape | None] = {"fc.bias": None, "fc.weight": (7, 4), "more": (1,)}
    found = matching.match(WANTED, held(change))
    assert matching.line(found) == (
        "1 missing (fc.bias); 1 unknown (more); 1 of another shape (fc.weight [7, 4] for [2, 4]); of 6 tensors"
    )
    assert matching.table(found) == [
        ("of another shape", "fc.weight", "2x4", "7x4"),
        ("missing", "fc.bias", "", ""),
        ("unknown", "more", "", ""),
    ]


def test_a_long_name_out_of_a_file_is_cut_and_cannot_steer_a_terminal() -> None:
    """Names are text of a stranger, in the line and in the table's lines alike."""
    wanted: dict[str, Shape] = {"w": (1,)}
    found = matching.match(wanted, {"a\x1b[2J\u202e\nb": np.zeros(1), "x" * 10_000: np.zeros(1)})
    for said in (matching.line(found), *matching.lines(found)):
        assert said.isprintable()
        assert len(said) < 500
    assert "a\\x1b[2J\\u202e b" in matching.line(found)
