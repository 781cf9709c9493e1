"""A stranger's file of embeddings is read alike in four formats, and refused in the right words."""

import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyarrow import csv, parquet

from leakaudit import embeddings, foreign, store
from leakaudit.errors import InputError, RefusedError

SUFFIXES = foreign.SUFFIXES


def write(path: Path, z: np.ndarray, columns: dict[str, np.ndarray], logits: np.ndarray | None = None) -> Path:
    """The same embeddings in the format that the path's ending names."""
    more = {} if logits is None else {"logits": logits}
    if path.suffix == ".npz":
        np.savez(path, z=z, **more, **columns)
    elif path.suffix == ".safetensors":
        store.write_tensors(path, {"z": z, **more, **columns})
    else:
        wide = {f"z{i}": z[:, i] for i in range(z.shape[1])}
        if logits is not None:
            wide |= {f"logit{i}": logits[:, i] for i in range(logits.shape[1])}
        table = pa.table({**wide, **columns})
        (csv.write_csv if path.suffix == ".csv" else parquet.write_table)(table, path)
    return path


@pytest.fixture
def z() -> np.ndarray:
    """Twelve bottleneck vectors of three numbers."""
    return np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_holds_the_same(tmp_path: Path, z: np.ndarray, suffix: str) -> None:
    """Bottleneck, model output and classes come back as they went in, whatever the format."""
    colour = np.arange(12) % 3
    found = embeddings.read(write(tmp_path / f"a{suffix}", z, {"colour": colour}, logits=z[:, :2]))
    np.testing.assert_allclose(found.z, z, rtol=1e-6)
    assert found.logits is not None
    np.testing.assert_allclose(found.logits, z[:, :2], rtol=1e-6)
    np.testing.assert_array_equal(found.column("colour").values, colour)
    assert found.column("colour").classes == ("0", "1", "2")
    assert (found.origin.kind, found.origin.sha256) == ("file", store.digest_file(tmp_path / f"a{suffix}"))


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".csv"])
def test_text_is_classes_and_empty_text_is_missing(tmp_path: Path, z: np.ndarray, suffix: str) -> None:
    """Names are classes in alphabetical order; a row without one is missing."""
    words = np.array(["b", "a", "", *["a"] * 9])
    found = embeddings.read(write(tmp_path / f"a{suffix}", z, {"word": words})).column("word")
    assert found.classes == ("a", "b")
    assert found.values[:3].tolist() == [1, 0, -1]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_minus_one_is_missing(tmp_path: Path, z: np.ndarray, suffix: str) -> None:
    """A whole number of -1 is no class."""
    found = embeddings.read(write(tmp_path / f"a{suffix}", z, {"v": np.array([-1, 7] * 6)})).column("v")
    assert found.classes == ("7",)
    assert found.values.tolist() == [-1, 0] * 6


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".csv"])
def test_truth_values_are_two_classes(tmp_path: Path, z: np.ndarray, suffix: str) -> None:
    """Truth values are the classes false and true."""
    found = embeddings.read(write(tmp_path / f"a{suffix}", z, {"v": np.arange(12) > 3})).column("v")
    assert found.classes == ("false", "true")
    assert found.values.tolist() == [0] * 4 + [1] * 8


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_fractions_are_numbers_and_nan_is_missing(tmp_path: Path, z: np.ndarray, suffix: str) -> None:
    """A column with fractions is numbers, in which NaN is missing."""
    ages = np.array([np.nan, 0.5, *range(10)], dtype=np.float32)
    found = embeddings.read(write(tmp_path / f"a{suffix}", z, {"age": ages})).column("age")
    assert found.classes == ()
    assert found.known.tolist() == [False] + [True] * 11
    np.testing.assert_array_equal(found.values, ages)


def test_null_is_missing(tmp_path: Path, z: np.ndarray) -> None:
    """A null in a table is missing, whatever the column holds."""
    table = {f"z{i}": z[:, i] for i in range(3)}
    columns = {"n": [None, *range(11)], "t": [None, *"abcdefghijk"], "b": [None, *[True] * 11]}
    parquet.write_table(pa.table({**table, **columns}), tmp_path / "a.parquet")
    found = embeddings.read(tmp_path / "a.parquet")
    for name, classes in (("n", 11), ("t", 11), ("b", 1)):
        assert found.column(name).values[0] == -1
        assert len(found.column(name).classes) == classes


@given(count=st.integers(990, 1010), step=st.sampled_from([1, 2**25]))
@settings(max_examples=20, deadline=None)
def test_whole_numbers_of_many_kinds_are_numbers_if_float32_keeps_them_apart(count: int, step: int) -> None:
    """From 1,001 kinds on, whole numbers are numbers, unless as float32 two of them would become one."""
    values = np.arange(count) * step
    found = foreign.labels(values, "v")
    assert bool(found.classes) == (count <= foreign.MOST_CLASSES or step > 1)
    assert len(np.unique(found.values)) == count


CLASSES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=5).map(lambda text: text.strip())


@given(words=st.lists(CLASSES, min_size=2, max_size=30), suffix=st.sampled_from([".npz", ".parquet"]))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_comes_back(tmp_path: Path, words: list[str], suffix: str) -> None:
    """Every class name survives the file, and nothing but the empty text is missing."""
    path = write(tmp_path / f"a{suffix}", np.ones((len(words), 2), np.float32), {"v": np.array(words)})
    found = embeddings.read(path).column("v")
    said = [found.classes[code] if code >= 0 else "" for code in found.values.astype(int)] if found.classes else []
    assert said == (words if any(words) else [])


@given(data=st.binary(max_size=200), suffix=st.sampled_from(SUFFIXES))
@example(data=b"\x80\n", suffix=".csv")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_one_clear_line(tmp_path: Path, data: bytes, suffix: str) -> None:
    """Whatever lies in a file of that name, reading it says so in one line that names the file."""
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data)
    with pytest.raises((InputError, RefusedError)) as error:
        embeddings.read(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".safetensors"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.98])
def test_a_truncated_file_is_refused(tmp_path: Path, z: np.ndarray, suffix: str, share: float) -> None:
    """A file that was cut short is not taken for a good one."""
    path = write(tmp_path / f"a{suffix}", z, {"v": np.arange(12)})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(RefusedError, match="truncated"):
        embeddings.read(path)


def test_a_csv_cut_inside_a_line_is_refused(tmp_path: Path, z: np.ndarray) -> None:
    """A line with fewer fields than the first was cut."""
    path = write(tmp_path / "a.csv", z, {"v": np.arange(12)})
    path.write_text(path.read_text().rstrip().rpartition(",")[0])
    with pytest.raises(RefusedError, match="truncated"):
        embeddings.read(path)


def test_a_flipped_bit_in_an_npz_is_refused(tmp_path: Path, z: np.ndarray) -> None:
    """The archive's own checksum notices a changed number."""
    path = write(tmp_path / "a.npz", z, {})
    data = bytearray(path.read_bytes())
    data[data.index(z.tobytes()) + 5] ^= 1
    path.write_bytes(data)
    with pytest.raises(RefusedError, match="damaged"):
        embeddings.read(path)


def test_python_objects_are_never_loaded(tmp_path: Path, z: np.ndarray) -> None:
    """An array of objects is refused, and what it holds is not run."""
    marker = tmp_path / "ran"

    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (str(marker),)

    np.savez(tmp_path / "a.npz", z=z, v=np.array([Bomb()] * 12, dtype=object))
    with pytest.raises(RefusedError, match="Python objects"):
        embeddings.read(tmp_path / "a.npz")
    assert not marker.exists()


def test_an_archive_larger_than_memory_is_refused(tmp_path: Path) -> None:
    """An archive that says it unpacks to more than there is memory is not unpacked."""
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("z.npy", b"")
        archive.getinfo("z.npy").file_size = 2**50
    with pytest.raises(RefusedError, match="GiB"):
        embeddings.read(path)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"a": np.ones((4, 2))}, r"z \(n, d\) expected, a found"),
        ({"z": np.ones(4)}, r"z has shape \[4\]"),
        ({"z": np.ones((4, 2, 2))}, r"z has shape \[4, 2, 2\]"),
        ({"z": np.ones((0, 2))}, "nothing to attack"),
        ({"z": np.ones((4, 0))}, "nothing to attack"),
        ({"z": np.ones((4, 2), dtype=complex)}, "complex128"),
        ({"z": np.array([["a", "b"]])}, "numbers expected"),
        ({"z": np.full((4, 2), 1e300)}, "not finite"),
        ({"z": np.array([[0.0, np.nan], [1.0, 1.0]])}, "in 1 of 2 rows, first in row 0"),
        ({"z": np.ones((4, 2)), "v": np.arange(5)}, "column v has 5 rows, z has 4"),
        ({"z": np.ones((4, 2)), "logits": np.ones((3, 2))}, "logits has 3 rows, z has 4"),
        ({"z": np.ones((4, 2)), "logits": np.ones(4)}, r"logits has shape \[4\]"),
        ({"z": np.ones((2, 2)), "v": np.array([0.5, np.inf])}, "infinity in row 1"),
        ({"z": np.ones((2, 2)), "v": np.array([b"\xff", b"a"])}, "UTF-8"),
        ({"z": np.ones((1, 2)), "v": np.array(["2020-01-01"], dtype="M8[D]")}, "neither text nor numbers"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, arrays: dict[str, np.ndarray], words: str) -> None:
    """A whole file that is not laid out as embeddings can be corrected, and the message says how."""
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match=words):
        embeddings.read(tmp_path / "a.npz")


def test_a_table_with_a_gap_in_z_is_refused(tmp_path: Path) -> None:
    """Columns z0 and z2 without z1 are no bottleneck."""
    (tmp_path / "a.csv").write_text("z0,z2,v\n1,2,3\n")
    with pytest.raises(InputError, match="no z1"):
        embeddings.read(tmp_path / "a.csv")


def test_columns_of_the_same_name_are_refused(tmp_path: Path) -> None:
    """Of two columns of one name neither is taken."""
    (tmp_path / "a.csv").write_text("z0,v,v\n1,2,3\n")
    with pytest.raises(InputError, match="same name: v"):
        embeddings.read(tmp_path / "a.csv")


@pytest.mark.parametrize("kind", [np.float16, np.float64, np.int8, np.uint8])
def test_z_becomes_float32(tmp_path: Path, kind: type) -> None:
    """Halves, doubles and whole numbers are read as float32."""
    np.savez(tmp_path / "a.npz", z=np.arange(6, dtype=kind).reshape(3, 2))
    found = embeddings.read(tmp_path / "a.npz")
    assert found.z.dtype == np.float32
    assert found.z.tolist() == [[0, 1], [2, 3], [4, 5]]


def test_a_column_of_lists_is_z(tmp_path: Path, z: np.ndarray) -> None:
    """A parquet table may hold z as one column of lists."""
    parquet.write_table(pa.table({"z": z.tolist(), "v": np.arange(12)}), tmp_path / "a.parquet")
    np.testing.assert_array_equal(embeddings.read(tmp_path / "a.parquet").z, z)


def test_rows_of_the_same_id_pair_across_files(tmp_path: Path, z: np.ndarray) -> None:
    """With a column `id` two files speak of the same images; without, they do not."""
    with_id = [embeddings.read(write(tmp_path / f"{i}.npz", z + i, {"id": np.arange(12)})) for i in range(2)]
    without = [embeddings.read(write(tmp_path / f"{i}.npz", z + i, {})) for i in range(2)]
    assert (with_id[0].ids == with_id[1].ids).all()
    assert "id" not in with_id[0].columns
    assert not np.isin(without[0].ids, without[1].ids).any()


@pytest.mark.parametrize(
    "ids", [np.array(["a", "", "b", ""] * 3), np.array([1.0, np.nan, 2.0, np.nan] * 3), np.array([1, -1, 2, -1] * 3)]
)
def test_rows_without_an_id_are_sources_of_their_own(tmp_path: Path, z: np.ndarray, ids: np.ndarray) -> None:
    """Rows of one id are of one image; those where it is missing have nothing in common."""
    read = embeddings.read(write(tmp_path / "e.npz", z, {"id": ids})).ids
    assert len(np.unique(read)) == 2 + 6
    assert read[0] == read[4] != read[2]


def test_arrays_that_are_no_columns_are_named(tmp_path: Path, z: np.ndarray) -> None:
    """An array of another shape is left aside, and a note says so."""
    np.savez(tmp_path / "a.npz", z=z, x=np.ones((12, 3, 8, 8)))
    assert "x of shape [12, 3, 8, 8]" in embeddings.read(tmp_path / "a.npz").notes[0]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_embeddings_are_told_from_other_files(tmp_path: Path, z: np.ndarray, suffix: str) -> None:
    """A file with z is embeddings; weights or a table of images in the same format are not."""
    assert foreign.is_embeddings(write(tmp_path / f"a{suffix}", z, {}))
    other = tmp_path / f"b{suffix}"
    if suffix == ".safetensors":
        store.write_tensors(other, {"conv.weight": z})
    elif suffix == ".npz":
        np.savez(other, weight=z)
    else:
        (csv.write_csv if suffix == ".csv" else parquet.write_table)(pa.table({"path": ["a.png"]}), other)
    assert not foreign.is_embeddings(other)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    """A path that does not exist, or an ending nobody reads, can be corrected."""
    for suffix in SUFFIXES:
        with pytest.raises(InputError, match="no such file"):
            embeddings.read(tmp_path / f"a{suffix}")
    with pytest.raises(InputError, match=r"not \.pkl"):
        embeddings.read(tmp_path / "a.pkl")
