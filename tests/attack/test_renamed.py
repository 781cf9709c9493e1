"""Rows whose images a model was trained on are no attack rows, whatever they are called."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from trying import finish, plan, work

from leakaudit import auditor, checkpoint
from leakaudit.attack import Exhibits
from leakaudit.dataset import identify
from leakaudit.plan import prepare
from leakaudit.subject import Terms, find


def test_rows_of_trained_images_under_other_names_are_left_out_and_counted(embed: Any, attacked: Any) -> None:
    """By content as by identity, each once, and they serve for the memorisation gap; nothing alike, nothing said."""
    made = replace(embed(400, leak=1), contents=identify("pixels", np.arange(400)))
    words = "180 rows hold images that the model was trained on under another name: left out"
    found = attacked(made, exhibits=Exhibits(trained=made.ids[:60], contents=made.contents[40:240]))
    assert found.only.rows.rows == 160
    assert found.only.rows.trained == 240
    assert found.only.memorisation is not None
    assert words in found.audit.provenance["notes"]
    same = attacked(made, exhibits=Exhibits(trained=made.ids[:240], contents=made.contents[:240]))
    assert same.only.rows.trained == 240
    assert not [note for note in same.audit.provenance["notes"] if "another name" in note]
    unknown = attacked(replace(made, contents=None), exhibits=Exhibits(trained=made.ids[:60], contents=made.contents))
    assert unknown.only.rows.trained == 60


def test_other_images_of_equal_names_are_attacked_and_counted(embed: Any, attacked: Any) -> None:
    """Of a user's own data names tell nothing where contents are known; of a named set they do, as without contents."""
    made = replace(embed(400, leak=1), contents=identify("pixels", np.arange(400)))
    known = Exhibits(trained=made.ids, contents=identify("others", np.arange(400)))
    for data in ("table:file=b.csv", "folders:folder=b", "arrays:file=b.npz", "huggingface:folder=b"):
        own = replace(made, origin=replace(made.origin, data=data))
        assert not own.among(known.trained, known.contents).any()
        assert own.among(known.trained, made.contents[:7]).sum() == 7
        assert own.among(known.trained, None).all()
        assert replace(own, contents=None).among(known.trained, known.contents).all()
    found = attacked(own, exhibits=known)
    assert (found.only.rows.rows, found.only.rows.trained) == (400, 0)
    words = "400 rows bear names of images that the model was trained on, but hold other contents: attacked as unseen"
    assert words in found.audit.provenance["notes"]
    for data in ("digits", "biased-mnist:rho=0.99", "utkface", ""):
        assert replace(made, origin=replace(made.origin, data=data)).among(known.trained, known.contents).all()


def faces(folder: Path, seeds: range, name: str) -> str:
    """A table of random pictures, the same for the same seed, numbered from 0, with a digit and a colour."""
    folder.mkdir()
    for place, seed in enumerate(seeds):
        noise = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{name}{place}.bmp")
    rows = [f"{name}{place}.bmp,{seed % 3},{seed % 2}" for place, seed in enumerate(seeds)]
    (folder / "faces.csv").write_text("\n".join(["path,digit,colour", *rows]))
    return str(folder / "faces.csv")


def test_a_checkpoint_knows_what_its_images_were_made_of(tmp_path: Path, leakaudit_here: Any) -> None:
    """Trained on a table, asked about another that holds a part of its images under new names: the audit says so."""
    here, there = faces(tmp_path / "a", range(90), "a"), faces(tmp_path / "b", range(60, 260), "b")
    knobs = {"dataset__name": "table", "dataset__file": here, "dataset__held_out": 0.1, "train__epochs": 1}
    made, _ = finish(work(plan(**knobs, method__name="vanilla", train__batch_size=16), tmp_path))
    assert made.contents is not None
    assert len(made.contents) == len(made.trained) == made.card.provenance["rows"]
    terms = Terms(store=tmp_path / "store", root=tmp_path, data=there)
    run = auditor.rows(find(str(made.folder), terms), terms)
    try:
        while True:
            next(run)
    except StopIteration as end:
        found = end.value
    known = found.among(made.trained, made.contents)
    assert known[:30].sum() > 15
    assert not known[30:].any()
    said = leakaudit_here(
        "attack", made.folder, "--private", "colour", "--data", there, "--store", tmp_path / "store",
        "--attacker", "linear", "-q", "--format", "html",
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert f"{known.sum()} rows hold images that the model was trained on under another name" in said.stdout
    others = faces(tmp_path / "c", range(1000, 1090), "a")
    again = leakaudit_here(
        "attack", made.folder, "--private", "colour", "--data", others, "--store", tmp_path / "store",
        "--attacker", "linear", "-q", "--format", "html",
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    words = f"{len(made.trained)} rows bear names of images that the model was trained on, but hold other contents"
    assert f"{words}: attacked as unseen" in again.stdout
    older = checkpoint.save(tmp_path / "older", replace(made.card, contents=""), made.weights, made.trained)
    assert older.contents is None


def test_files_that_changed_in_place_are_trained_on_anew(tmp_path: Path) -> None:
    """Of equal size and under their old names they are other training data; touched alone they are the same."""
    table = faces(tmp_path / "a", range(90), "a")
    what = plan(dataset__name="table", dataset__file=table, dataset__held_out=0.1, method__name="vanilla")
    first = prepare(what, tmp_path, 0, "cpu", None)
    files = sorted((tmp_path / "a").glob("*.bmp"))
    for file in files:
        file.touch()
    assert prepare(what, tmp_path, 0, "cpu", None).key == first.key
    files[0].write_bytes(files[1].read_bytes())
    files[2].write_bytes(files[1].read_bytes())
    again = prepare(what, tmp_path, 0, "cpu", None)
    assert (again.fingerprint, len(again.key)) == (first.fingerprint, len(first.key))
    assert again.key != first.key
