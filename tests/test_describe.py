"""The describe verb: counts by hand, the audit's own bins and smallest detectable E, and what splits share."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from described import counted, made, table
from PIL import Image

from leakaudit import attack, protocol, stats
from leakaudit.audits import Attribute
from leakaudit.catalog import Call
from leakaudit.dataset import Dataset
from leakaudit.datasets import digits
from leakaudit.datasets.table import load
from leakaudit.embeddings import Embeddings, Origin
from leakaudit.errors import InputError
from leakaudit.inquest.exhibits import Exhibits
from leakaudit.labels import labelled

TRAIN = {("train", "dark", "f"): 30, ("train", "dark", "m"): 10, ("train", "fair", "f"): 5, ("train", "fair", "m"): 25}
TEST = {("test", "dark", "f"): 12, ("test", "dark", "m"): 14, ("test", "fair", "f"): 3, ("test", "fair", "m"): 11}


def test_counts_are_those_of_the_table(tmp_path: Path) -> None:
    """Every cell, margin and share of two splits, computed by hand."""
    found = made(table(tmp_path, counted(TRAIN | TEST)))
    assert [split.split for split in found.splits] == ["train", "test"]
    assert (found.trained, found.audited) == ("train", "test")
    (part,) = found.attributes
    train, test = part.crosses
    assert (found.target.classes, part.private.classes) == (("dark", "fair"), ("f", "m"))
    assert train.table == ((30, 10), (5, 25))
    assert test.table == ((12, 14), (3, 11))
    assert (test.rows, test.missing, test.empty, test.few) == (40, 0, 0, 1)
    assert (test.smallest, test.smallest_cell) == (3, ("fair", "f"))
    assert train.majority == pytest.approx(0.5)
    assert train.accuracy == pytest.approx((30 + 25) / 70)
    assert train.balanced_accuracy == pytest.approx((30 / 35 + 25 / 35) / 2)
    assert train.chance == pytest.approx(0.5)
    assert train.cramers_v == pytest.approx((30 * 25 - 10 * 5) / np.sqrt(40 * 30 * 35 * 35))


def test_the_smallest_detectable_e_is_that_of_the_cells(tmp_path: Path) -> None:
    """2.49 standard errors of uniform guessing, doubled for cross-fitting; the rows needed make it the tolerance."""
    reach = made(table(tmp_path, counted(TEST))).attributes[0].crosses[0].reach
    assert reach is not None
    cells = np.array([[12, 14], [3, 11]])
    variance = sum((n.sum() / 40) ** 2 * (1 / 4) * (1 / 4) * (1 / n).sum() * 4 for n in cells)
    assert reach.mde == pytest.approx(min(1.0, 2.49 * np.sqrt(2 * variance)))
    assert (reach.scored, reach.scheme, reach.mde_grouped) == (40, "cross-fit 5", None)
    assert not reach.leak
    assert not reach.absence
    assert reach.rows_of_this_mix == pytest.approx(40 * (reach.mde / 0.1) ** 2, abs=1)
    assert reach.rows_balanced == stats.balanced_rows(0.1, 2, doubled=True)


def audited(rows: Embeddings, private: str, target: str) -> Attribute:
    """What an attack by one attacker finds."""
    work = attack.attack(
        rows, private=(private,), target=target, attackers=(Call("linear", {}),), auxiliaries=("balanced",),
        exhibits=Exhibits(), tolerance=0.1, seed=0, device="cpu",
    )  # fmt: skip
    while True:
        try:
            next(work)
        except StopIteration as stop:
            (found,) = stop.value[0].attributes
            attribute: Attribute = found
            return attribute


def embedded(data: Dataset) -> Embeddings:
    """Mean colours of the images and a little noise, as an encoder of the same data set would leave them."""
    z = data.images.batch(np.arange(len(data))).mean(axis=(2, 3)).astype(np.float32)
    z += np.random.default_rng(0).normal(0, 1e-3, z.shape).astype(np.float32)
    origin = Origin("made", "checkpoint", "0" * 64, data.name, data.split, data.fingerprint)
    return Embeddings(z, None, data.columns, data.ids, origin, data.group, data.groups)


def test_an_audit_of_the_same_rows_has_the_same_mde(tmp_path: Path) -> None:
    """A real attack on a table: its rows, cells and smallest detectable E are those described; so with groups."""
    rows = [(*row[:3], f"{row[2]}{number // 2}") for number, row in enumerate(counted(TEST))]
    data = table(tmp_path, rows)
    for group in (None, "patient"):
        described = made(data, group=group).attributes[0].crosses[0].reach
        found = audited(embedded(load("test", Path(), file=data, group=group)), "gender", "hair")
        assert described is not None
        assert (described.rows, described.scored, described.scheme) == (
            found.rows.rows,
            found.rows.scored,
            found.rows.scheme,
        )
        if group is None:
            assert described.mde == found.mde
        else:
            assert described.mde_grouped is not None
            assert described.mde <= found.mde <= described.mde_grouped * 1.05


@pytest.mark.slow
def test_an_audit_of_the_digits_has_the_same_mde() -> None:
    """A real attack on the digits' test split."""
    found = audited(embedded(digits.load("test", Path())), "colour", "digit")
    described = made("digits", target="digit", private=("colour",)).attributes[0].crosses[-1]
    assert described.reach is not None
    assert described.reach.mde == found.mde
    assert (described.reach.rows, described.reach.scored) == (found.rows.rows, found.rows.scored)
    assert described.reach.leak
    assert described.reach.absence


def test_numbers_are_cut_where_an_audit_cuts_them(tmp_path: Path) -> None:
    """The bins of the test split serve all splits; a number as private attribute is cut in five, a target in ten."""
    random = np.random.default_rng(0)
    ages = random.integers(1, 90, 160)
    rows = [("train" if i < 60 else "test", str(ages[i]), "fm"[int(ages[i] > 40)], f"p{i}") for i in range(160)]
    data = table(tmp_path, rows, ("split", "age", "gender", "patient"))
    found = made(f"{data}:numbers=age", target="age")
    tested = ages[60:].astype(np.float32)
    codes, names = protocol.bins(tested, 10, "age")
    assert found.target.classes == names
    assert "10 quantile bins of split test" in found.target.note
    train, test = found.attributes[0].crosses
    assert [sum(line) for line in test.table] == np.bincount(codes).tolist()
    first = float(np.quantile(tested, 0.1))
    assert sum(train.table[0]) == (ages[:60] < first).sum()
    other = made(f"{data}:numbers=age", target="gender", private=("age",)).attributes[0]
    assert len(other.private.classes) == 5
    assert other.along == "age"
    assert [sum(bars) for bars in zip(*other.crosses[1].histogram, strict=True)] == np.histogram(tested, other.edges)[
        0
    ].tolist()


def test_histograms_hold_every_row(tmp_path: Path) -> None:
    """Each bar counts the rows of its ages by gender, and no row falls beside the axis."""
    ages = np.concatenate([np.arange(0, 100), [100, 100]])
    rows = [("test", str(age), "fm"[i % 2], f"p{i}") for i, age in enumerate(ages)]
    data = table(tmp_path, rows, ("split", "age", "gender", "patient"))
    part = made(f"{data}:numbers=age", target="age").attributes[0]
    bars = np.array(part.crosses[0].histogram)
    for line, gender in zip(bars, "fm", strict=True):
        mine = [age for age, row in zip(ages, rows, strict=True) if row[2] == gender]
        assert line.tolist() == np.histogram(mine, part.edges)[0].tolist()
    assert bars.sum() == len(ages)


def test_missing_labels_are_counted_and_left_out(tmp_path: Path) -> None:
    """A row without target or without private label is in no cell, and is said."""
    rows = [*counted(TEST), ("test", "", "f", "a"), ("test", "dark", "", "b"), ("test", "fair", "", "c")]
    found = made(table(tmp_path, rows))
    cross = found.attributes[0].crosses[0]
    assert (cross.rows, cross.missing, found.splits[0].target_missing) == (40, 2, 1)
    assert any("Hair is missing in 1 of 43 rows of split test" in words for words in found.warnings)
    assert any("Gender is missing in 2 of 43 rows" in words for words in found.attributes[0].warnings)


def test_groups_that_stand_in_two_splits_are_told(tmp_path: Path) -> None:
    """Their number, and how large groups are; no group in two splits, and nothing is said."""
    rows = counted(TRAIN | TEST)
    torn = [(*row[:3], f"p{number % 50}") for number, row in enumerate(rows)]
    found = made(table(tmp_path / "torn", torn), group="patient")
    shared = {row[3] for row in torn if row[0] == "train"} & {row[3] for row in torn if row[0] == "test"}
    (overlap,) = found.overlaps
    assert overlap.groups == len(shared) > 0
    groups = found.splits[0].groups
    assert groups is not None
    assert (groups.name, groups.count, groups.largest) == ("patient", 50, 2)
    assert any(f"{len(shared)} groups (patient) have rows in both train and test" in words for words in found.warnings)
    apart = made(table(tmp_path / "apart", rows), group="patient")
    assert apart.overlaps[0].groups == 0
    assert not any("have rows in both" in words for words in apart.warnings)


def test_groups_widen_what_is_detectable(tmp_path: Path) -> None:
    """Where all rows of a patient in a cell count as one, the smallest detectable E is that of the patients."""
    rows = [(*row[:3], f"{row[1]}{row[2]}{number // 2}") for number, row in enumerate(counted(TEST))]
    pairs = {(row[1], row[2], row[3]) for row in rows}
    reach = made(table(tmp_path, rows), group="patient").attributes[0].crosses[0].reach
    assert reach is not None
    cells = np.array([[sum(p[:2] == (y, v) for p in pairs) for v in "fm"] for y in ("dark", "fair")])
    assert reach.mde_grouped == pytest.approx(stats.detectable(cells, doubled=True))
    assert not reach.bounded
    assert not reach.leak


@pytest.mark.parametrize(
    ("each", "ends"), [(20, "INCONCLUSIVE whatever the model does"), (150, "can detect a leak but")]
)
def test_few_groups_are_said_once(tmp_path: Path, each: int, ends: str) -> None:
    """Where rows are too few for any verdict no leak is said to be detected; where they do, groups bound what is."""
    rows = counted({("test", hair, gender): each for hair in ("dark", "fair") for gender in "fm"})
    data = table(tmp_path, [(*row[:3], f"p{number % 40}") for number, row in enumerate(rows)])
    (said,) = (w for w in made(data, group="patient").attributes[0].warnings if w.startswith("An audit of split test"))
    assert ends in said
    assert "bounds need 200 groups, and 10 in each (target, private) cell." in said


def test_copies_are_found_by_content(tmp_path: Path) -> None:
    """A file of test that holds the bytes of one of train under another name is named; unasked for, it is not read."""
    data = table(tmp_path, counted(TRAIN | TEST))
    assert made(data).overlaps[0].copies == 0
    shutil.copy(tmp_path / "3.png", tmp_path / "75.png")
    shutil.copy(tmp_path / "5.png", tmp_path / "4.png")
    found = made(data)
    (overlap,) = found.overlaps
    assert overlap.copies == 1
    ((first, second),) = overlap.examples
    assert (Path(first).name, Path(second).name) == ("3.png", "75.png")
    assert [split.copies for split in found.splits] == [1, 0]
    assert any("1 image of test is a copy" in words for words in found.warnings)
    silent = made(data, compare=False)
    assert silent.overlaps[0].copies is None
    assert "not compared; --contents reads all" in silent.compared


def test_splits_that_share_rows_by_name_are_no_copies(tmp_path: Path) -> None:
    """The biased halves of UTKFace are part of its training split."""
    (tmp_path / "utkface").mkdir()
    for number in range(60):
        name = f"{(20, 60)[number % 2]}_{number // 2 % 2}_0_2017{number:04}.jpg.chip.jpg"
        Image.new("RGB", (8, 8), (4 * number, 0, 0)).save(tmp_path / "utkface" / name)
    found = made("utkface", tmp_path, target="age", private=("gender",), splits=("train", "eb1"))
    (overlap,) = found.overlaps
    assert overlap.rows == found.splits[1].rows > 0
    assert overlap.copies == 0


def test_what_an_audit_would_refuse_is_said_and_counted_all_the_same(tmp_path: Path) -> None:
    """Where the target determines the private label there is a table, V is 1, and the reason of the refusal."""
    rows = counted({("test", "dark", "f"): 30, ("test", "fair", "m"): 30})
    cross = made(table(tmp_path, rows)).attributes[0].crosses[0]
    assert cross.table == ((30, 0), (0, 30))
    assert cross.cramers_v == pytest.approx(1.0)
    assert cross.reach is None
    assert "is a function of 'hair'" in cross.refused


def test_warnings_say_what_stands_in_the_way(tmp_path: Path) -> None:
    """A strong association, a small cell and an audit that cannot end; a large and even table warns of none."""
    few = made(table(tmp_path / "few", counted(TRAIN | TEST))).attributes[0].warnings
    assert any("In split train the gender follows the hair in 78.6 % of rows" in words for words in few)
    assert any("Split test has 3 rows in its smallest cell (fair, f); with these rows an E below" in w for w in few)
    assert any("INCONCLUSIVE whatever the model does" in words for words in few)
    assert any("Split test: 1 of its cells holds 10 rows or fewer" in words for words in few)
    rare = {("test", "dark", "f"): 60, ("test", "fair", "m"): 30, ("test", "fair", "f"): 30}
    (goes,) = (w for w in made(table(tmp_path / "rare", counted(rare))).attributes[0].warnings if "guessing" in w)
    assert goes.startswith("In split test the gender goes with the hair")
    assert f"names {100 * (60 / 90 + 1) / 2:.1f} % of each gender on average (guessing: 50.0 %)" in goes
    even = dict.fromkeys([(s, y, v) for s in ("train", "test") for y in ("dark", "fair") for v in "fm"], 90)
    many = made(table(tmp_path / "many", counted(even)), compare=False, tolerance=0.19).attributes[0].warnings
    cell = "Split test has 90 rows in its smallest cell (dark, f)"
    assert many == (f"{cell}; with these rows an E below 0.19 cannot be told from 0.",)


def test_rows_of_an_audit_are_the_rows_described() -> None:
    """The table of the audited split is that of `labels.labelled`, which attack uses."""
    rows = embedded(digits.load("test", Path()))
    chosen = labelled(rows, np.ones(len(rows), bool), ("colour",), "digit")["colour"]
    whole = stats.tabulate(chosen.target.codes, chosen.private.codes, 10, 10)
    described = made("digits", target="digit", private=("colour",)).attributes[0].crosses[-1]
    assert np.array_equal(described.table, whole)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"target": "hairs"}, r"faces.csv test: no label 'hairs'. Did you mean 'hair'"),
        ({"private": ("hair",)}, "different labels expected"),
        ({"splits": ("valid",)}, "no rows in split 'valid'"),
        ({"group": "patients"}, "Did you mean 'patient'"),
    ],
)
def test_wrong_input_is_refused(tmp_path: Path, how: dict[str, object], words: str) -> None:
    """One line that says what there is."""
    data = table(tmp_path, counted(TEST))
    with pytest.raises(InputError, match=words) as refusal:
        made(data, **how)
    assert "\n" not in str(refusal.value)
