"""Configuration objects come through as plain data, and never as themselves."""

import argparse
import collections
import datetime as dt
import pathlib
import sys
import types
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from leakaudit import catalog
from leakaudit.errors import RefusedError
from leakaudit.weights import _standins

FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
NESTED = {"a": 1, "b": {"c": [{"d": 2.5}]}}


def read(path: Path, value: object, zipped):
    """What is read of a file that holds the value as `config`, and the notes."""
    torch.save({"w": torch.ones(2), "config": value}, path, _use_new_zipfile_serialization=zipped)
    found = catalog.thing("weights", "torch-zip" if zipped else "torch-legacy").read(path)
    return found.tree["config"], found.notes


def munched():
    """Munch and its kin, as munch makes them."""
    munch = pytest.importorskip("munch")
    return {
        "munch.Munch": munch.munchify(NESTED),
        "munch.AutoMunch": munch.AutoMunch(NESTED),
        "munch.DefaultMunch": munch.DefaultMunch(5, NESTED),
        "munch.DefaultFactoryMunch": munch.DefaultFactoryMunch(list, NESTED),
    }


@FORMATS
@pytest.mark.parametrize("kind", ["Munch", "AutoMunch", "DefaultMunch", "DefaultFactoryMunch"])
def test_munch_is_a_dict(tmp_path, zipped, kind):
    """Munch, with a default or without, is the dictionary that it holds, and is counted."""
    name = f"munch.{kind}"
    plain, notes = read(tmp_path / "w.pt", munched()[name], zipped)
    assert (plain, type(plain)) == (NESTED, dict)
    assert type(plain["b"]) is dict
    assert notes[0].endswith(f"{name} read as plain data")


@FORMATS
def test_easydict_is_a_dict(tmp_path, zipped):
    """EasyDict, nested, is the dictionaries that it holds."""
    easydict = pytest.importorskip("easydict")
    plain, notes = read(tmp_path / "w.pt", easydict.EasyDict(NESTED), zipped)
    assert (plain, type(plain)) == (NESTED, dict)
    assert notes == ("3 easydict.EasyDict read as plain data",)


@FORMATS
def test_omegaconf_is_dicts_and_lists(tmp_path, zipped):
    """DictConfig and ListConfig are their values; what is interpolated or missing stays as it is written."""
    omegaconf = pytest.importorskip("omegaconf")
    written = NESTED | {"e": "${a}", "f": "???", "g": [1, None, True, "x", b"y"], "h": pathlib.Path("/x")}
    plain, notes = read(tmp_path / "w.pt", omegaconf.OmegaConf.create(written), zipped)
    assert plain == written | {"h": "/x"}
    assert {type(plain), type(plain["b"]), type(plain["g"])} == {dict, list}
    assert sorted(notes) == [
        "2 omegaconf.listconfig.ListConfig read as plain data",
        "3 omegaconf.dictconfig.DictConfig read as plain data",
    ]


@FORMATS
def test_arguments_are_a_dict(tmp_path, zipped):
    """A Namespace, of argparse or of types, is its attributes."""
    plain, notes = read(tmp_path / "w.pt", argparse.Namespace(lr=0.1, more=argparse.Namespace(x=1)), zipped)
    assert plain == {"lr": 0.1, "more": {"x": 1}}
    assert notes == ("2 argparse.Namespace read as plain data",)
    assert read(tmp_path / "w.pt", types.SimpleNamespace(lr=0.1), zipped)[0] == {"lr": 0.1}


VALUES = {
    "numpy scalar": (np.float64(1.5), 1.5),
    "numpy whole": (np.int64(3), 3),
    "numpy bool": (np.bool_(True), True),
    "texts": (np.array(["a", "bc"]), ["a", "bc"]),
    "dtype": (np.dtype("f4"), "float32"),
    "path": (pathlib.PurePosixPath("/a/b"), "/a/b"),
    "defaults": (collections.defaultdict(list, {"a": [2]}), {"a": [2]}),
    "deque": (collections.deque([1, 2], 3), [1, 2]),
    "counter": (collections.Counter("abb"), {"a": 1, "b": 2}),
    "moment": (dt.datetime(2026, 1, 2, 3, 4, 5, 678), "2026-01-02T03:04:05.000678"),  # noqa: DTZ001 # as logged
    "moment of a zone": (dt.datetime(2026, 1, 2, tzinfo=dt.UTC), "2026-01-02T00:00:00 UTC0:00:00"),
    "day": (dt.date(2026, 1, 2), "2026-01-02"),
    "span": (dt.timedelta(days=1), "1 day, 0:00:00"),
    "frozen set": (frozenset([1]), [1]),
    "set": ({1}, [1]),
    "bytes": (b"abc", b"abc"),
    "no bytes": (b"", b""),
    "bytearray": (bytearray(b"abc"), b"abc"),
    "complex": (1j, "1j"),
    "type of a tensor": (torch.float32, "torch.float32"),
    "shape": (torch.Size([1, 2]), [1, 2]),
    "device": (torch.device("cuda:1"), "cuda:1"),
    "version": (torch.__version__, str(torch.__version__)),
    "huge number": (2**100, 2**100),
    "keys that are no text": ({1: "a", None: "b", (2, 3): "c"}, {"1": "a", "None": "b", "[2, 3]": "c"}),
}


@FORMATS
@pytest.mark.parametrize("name", VALUES)
def test_what_training_scripts_store_is_plain(tmp_path, zipped, name):
    """Numbers, texts, dates, paths and collections come through, with no note: nothing is lost."""
    value, plain = VALUES[name]
    assert read(tmp_path / "w.pt", value, zipped) == (plain, ())


@FORMATS
@pytest.mark.parametrize("array", [np.arange(6.0).reshape(2, 3), np.asfortranarray(np.eye(3)), np.zeros((0, 3))])
def test_numpy_arrays_are_arrays(tmp_path, zipped, array):
    """An array of numbers keeps its shape and type, by rows or by columns."""
    found = read(tmp_path / "w.pt", array, zipped)[0]
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


@FORMATS
def test_an_array_of_objects_is_refused(tmp_path, zipped):
    """Objects in an array are a pickle in a pickle."""
    with pytest.raises(RefusedError, match="neither numbers nor text"):
        read(tmp_path / "w.pt", np.array([{"a": 1}, None]), zipped)


def test_no_stand_in_is_what_it_stands_for():
    """Every stand-in is a class of this package or a word, though the libraries are installed."""
    for name in ("munch", "omegaconf", "easydict"):
        pytest.importorskip(name)
    for name, standin in _standins.standins(Counter()).items():
        module = sys.modules.get(name.rpartition(".")[0])
        real = getattr(module, name.rpartition(".")[2], None)
        assert standin is not real, name
        made = standin if isinstance(standin, type) else type(standin)
        assert made.__module__ == _standins.__name__, name


@pytest.mark.parametrize("library", ["munch", "omegaconf", "easydict"])
def test_a_library_that_is_stood_in_for_is_not_imported(tmp_path, monkeypatch, library):
    """Reading a configuration object loads no library of configurations."""
    module = pytest.importorskip(library)
    make = {"munch": "munchify", "omegaconf": "OmegaConf", "easydict": "EasyDict"}[library]
    value = getattr(module, make)
    torch.save({"config": value.create(NESTED) if library == "omegaconf" else value(NESTED)}, tmp_path / "w.pt")
    for name in [name for name in sys.modules if name.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    assert catalog.thing("weights", "torch-zip").read(tmp_path / "w.pt").tree["config"] == NESTED
    assert not [name for name in sys.modules if name.partition(".")[0] == library]
