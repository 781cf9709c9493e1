"""What is read from rebuilt images is what the bottleneck holds, and a decoder alone never clears a model."""

import base64
import io
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from leakaudit import audits, gallery, outcomes, reconstruct
from leakaudit.audits import Audit
from leakaudit.catalog import Call
from leakaudit.dataset import Labels, Pixels, identify
from leakaudit.decoders import Decoded
from leakaudit.embeddings import Embeddings, Origin
from leakaudit.errors import InputError
from leakaudit.numerics import pixels
from leakaudit.outcomes import Outcomes
from leakaudit.render import _thumbnails

ROWS = 600
QUICK = Call("convolutional", {"epochs": 2, "width": 4})


def scene(*, shows: float, rows: int = ROWS, seed: int = 0) -> tuple[Embeddings, Pixels]:
    """
    Images with a bar for y and a brightness for v; z holds the bar, and v as a number that is right in a share of rows.

    In the other rows z holds a v drawn at random, so that half of them are right by chance.
    """
    chance = np.random.default_rng(seed)
    y, v = chance.integers(0, 3, rows), chance.integers(0, 2, rows)
    images = chance.integers(0, 30, size=(rows, 3, 8, 8))
    images[np.arange(rows), :, 2 * y] += 120
    images[:, 0] += 100 * v[:, None, None]
    said = np.where(chance.random(rows) < shows, v, chance.integers(0, 2, rows))
    z = np.concatenate([np.eye(3)[y], said[:, None], chance.normal(size=(rows, 2))], axis=1).astype(np.float32)
    subject = Embeddings(
        z=z,
        logits=None,
        columns={"bar": Labels(y, ("a", "b", "c")), "tint": Labels(v, ("plain", "red"))},
        ids=identify("scene", np.arange(rows)),
        origin=Origin("scene", "checkpoint", "0" * 64, "made-up", "test", "f" * 64, layer="head"),
    )
    return subject, Pixels(images.clip(0, 255).astype(np.uint8))


def finish(steps: Generator[Any, None, Any]) -> tuple[list[Any], Any]:
    """All records and the result."""
    seen = []
    while True:
        try:
            seen.append(next(steps))
        except StopIteration as stop:
            return seen, stop.value


def run(subject: Embeddings, images: Pixels, **changes: Any) -> tuple[Audit, dict[str, Outcomes]]:
    """The audit and its per-row outcomes."""
    asked: dict[str, Any] = {
        "private": ("tint",),
        "target": "bar",
        "decoder": QUICK,
        "tolerance": 0.1,
        "seed": 0,
        "device": "cpu",
        "with_images": False,
        **changes,
    }
    result: tuple[Audit, dict[str, Outcomes]] = finish(reconstruct.reconstruct(subject, images, **asked))[1]
    return result


@pytest.fixture(scope="module")
def leaky() -> tuple[Audit, dict[str, Outcomes]]:
    """An audit of a bottleneck that holds all of v, with pictures."""
    return run(*scene(shows=1.0), with_images=True)


def test_what_the_bottleneck_holds_is_read_from_images(leaky: tuple[Audit, dict[str, Outcomes]]) -> None:
    """Where z holds v, the reader names it on rebuilt images as on true ones, and on class means by chance.

    Folds hold each cell to within one row, so that a guess per fold and class is right by chance to within 0.01.
    """
    (part,) = leaky[0].attributes
    found = part.reconstruction
    assert found is not None
    assert found.truth.private_accuracy.value == pytest.approx(1.0)
    assert found.private.private_accuracy.value > 0.99
    assert found.class_mean_private.private_accuracy.value == pytest.approx(0.5, abs=0.01)
    assert found.class_mean_private.excess.value == pytest.approx(0.0, abs=0.02)
    assert (part.verdict, part.figures) == ("LEAK", found.private)
    assert found.psnr.low > found.class_mean[0] > found.mean_image[0]
    assert found.ssim.low > found.class_mean[1]


@pytest.mark.parametrize("shows", [0.3, 0.6])
def test_the_reader_reaches_what_the_bottleneck_says(shows: float) -> None:
    """With v right in a share s beyond chance, E of the reader is s: by data processing no more, and no less."""
    (part,) = run(*scene(shows=shows, rows=900))[0].attributes
    assert part.figures.excess.low - 0.02 < shows < part.figures.excess.high + 0.02


def test_nothing_read_is_inconclusive() -> None:
    """Where z holds nothing of v the verdict is not NOT_FOUND, however many rows there are, and the reason says why."""
    (part,) = run(*scene(shows=0.0, rows=6000, seed=3))[0].attributes
    assert part.figures.upper <= 0.1
    assert part.verdict == "INCONCLUSIVE"
    assert "absence" in part.reason


def test_a_small_leak_is_detected_not_cleared() -> None:
    """Where something small is read for certain, a decoder does not say WITHIN."""
    (part,) = run(*scene(shows=0.1, rows=6000, seed=3), tolerance=0.3)[0].attributes
    assert part.figures.upper <= 0.3
    assert (part.verdict, part.p < 0.05) == ("DETECTED", True)


def test_no_decoder_sees_what_it_rebuilds() -> None:
    """Every row is rebuilt once, by a decoder that was trained on no row of its group."""
    subject, images = scene(shows=1.0, rows=300)
    group = np.arange(300) // 3
    true = pixels.gather(images, gallery.LARGEST)
    number = {row.tobytes(): i for i, row in enumerate(subject.z)}
    rebuilt: list[int] = []

    def decode(z: np.ndarray, x: np.ndarray, unseen: np.ndarray, **_: Any) -> Decoded:
        learnt, asked = ([number[row.tobytes()] for row in part] for part in (z, unseen))
        assert not set(group[learnt]) & set(group[asked])
        np.testing.assert_array_equal(x, true[learnt])
        rebuilt.extend(asked)
        return Decoded(np.repeat(x.mean(axis=0, keepdims=True), len(unseen), axis=0), converged=True)

    cells = target = subject.column("bar").values
    grouped = replace(subject, group=group)
    _, shown = finish(gallery.rebuild(grouped, true, target, cells, decode, seed=0, device="cpu", total=3))
    assert sorted(rebuilt) == list(range(300))
    np.testing.assert_array_equal(shown.made, shown.mean)


def test_pictures_cover_the_target_classes(leaky: tuple[Audit, dict[str, Outcomes]]) -> None:
    """Ten columns in three strips of PNG, every target and private class among them, and truth is the image itself."""
    (part,) = leaky[0].attributes
    assert part.reconstruction is not None
    shown = part.reconstruction.pictures
    assert shown is not None
    assert {label.split(" / ")[0] for label in shown.labels} == {"a", "b", "c"}
    assert {label.split(" / ")[1] for label in shown.labels} == {"plain", "red"}
    assert _thumbnails.genuine(shown)
    assert sum(map(sum, part.crossing)) == part.rows.rows
    strips = {name: np.asarray(Image.open(io.BytesIO(base64.b64decode(png)))) for name, png in shown.rows}
    assert list(strips) == ["truth", "reconstruction", "class mean"]
    assert {strip.shape for strip in strips.values()} == {(8, 80, 3)}
    known = scene(shows=1.0)[1].values.transpose(0, 2, 3, 1)
    for column in range(10):
        tile = strips["truth"][:, 8 * column : 8 * column + 8]
        assert (known == tile).all(axis=(1, 2, 3)).any()


def test_what_no_hyperplane_reads_from_pixels_is_read_too() -> None:
    """An attribute shown by whether two corners are alike is read by a perceptron where a hyperplane reads nothing."""
    chance = np.random.default_rng(0)
    corners = chance.integers(0, 2, size=(ROWS, 2))
    images = chance.integers(0, 20, size=(ROWS, 1, 8, 8))
    images[:, 0, :4, :4] += 200 * corners[:, :1, None]
    images[:, 0, 4:, 4:] += 200 * corners[:, 1:, None]
    labels = Labels((corners[:, 0] ^ corners[:, 1]).astype(np.int64), ("alike", "unlike"))
    subject = replace(scene(shows=1.0)[0], z=corners.astype(np.float32), columns={"corners": labels})
    audit, _ = run(subject, Pixels(images.astype(np.uint8)), private=("corners",), target=None)
    (part,) = audit.attributes
    assert part.reconstruction is not None
    assert part.reconstruction.private.excess.value > 0.9
    assert any("read by mlp" in note for note in part.reconstruction.notes)


def test_no_pictures_unless_asked_for() -> None:
    """Images of people enter the document only on request."""
    (part,) = run(*scene(shows=1.0))[0].attributes
    assert part.reconstruction is not None
    assert part.reconstruction.pictures is None


def test_the_document_comes_back(tmp_path: Path, leaky: tuple[Audit, dict[str, Outcomes]]) -> None:
    """Saved and loaded, the audit is the same, and so are the per-row outcomes beside it."""
    audit, marks = leaky
    audits.save(audit, tmp_path / "a.json")
    outcomes.save(marks, outcomes.path_of(tmp_path / "a.json"))
    assert audits.load(tmp_path / "a.json") == audit
    found = outcomes.load(tmp_path / "a.json")
    assert found is not None
    np.testing.assert_array_equal(found["tint"].hits["nested"], marks["tint"].hits["nested"])
    assert found["tint"].hits["nested"].mean() == pytest.approx(audit.attributes[0].figures.accuracy.value)


def test_it_says_what_an_attack_says_of_subject_and_data(leaky: tuple[Audit, dict[str, Outcomes]]) -> None:
    """Subject, layer and data carry the hashes by which a report puts attack and reconstruction together."""
    audit = leaky[0]
    assert (audit.subject["sha256"], audit.subject["layer"], audit.data["fingerprint"]) == ("0" * 64, "head", "f" * 64)
    assert audit.attributes[0].rows.rows == ROWS
    assert not audit.attributes[0].findings


def test_the_same_seed_gives_the_same_document() -> None:
    """Two runs with one seed agree in every figure."""
    first, second = (run(*scene(shows=0.5), with_images=True)[0] for _ in range(2))
    assert first == second


def test_steps_are_counted() -> None:
    """Each decoder and each attribute is a step, and the last step is the total."""
    subject, images = scene(shows=1.0)
    work = reconstruct.reconstruct(
        subject,
        images,
        private=("tint",),
        target=None,
        decoder=QUICK,
        tolerance=0.1,
        seed=0,
        device="cpu",
        with_images=False,
    )
    steps, _ = finish(work)
    assert [step.done for step in steps] == [1, 2, 3, 4]
    assert {step.total for step in steps} == {gallery.FOLDS + 1}


def test_missing_labels_and_several_attributes() -> None:
    """Rows without a label train the decoder but are not scored; two attributes share the decoder and Holm's p."""
    subject, images = scene(shows=1.0)
    some = subject.column("tint").values.copy()
    some[::7] = -1
    numbers = np.random.default_rng(1).random(ROWS).astype(np.float32)
    columns = {**subject.columns, "some": Labels(some, ("plain", "red")), "age": Labels(numbers)}
    audit, _ = run(replace(subject, columns=columns), images, private=("some", "age"))
    first, second = audit.attributes
    assert (first.rows.rows, first.rows.missing) == (ROWS - len(some[::7]), len(some[::7]))
    assert first.verdict == "LEAK"
    # noise is detected once in twenty times, and never as more than the tolerance
    assert len(second.classes) == 5
    assert second.verdict in ("INCONCLUSIVE", "DETECTED")
    assert second.figures.lower < 0.05 < first.figures.lower
    assert second.p > first.p
    assert audit.verdict == "LEAK"


def test_from_20000_rows_on_one_decoder_serves() -> None:
    """Seven tenths train one decoder and one reader; the others are scored once."""
    cells = np.zeros(20_000, dtype=np.int64)
    fold = gallery._deal(cells, np.arange(20_000), np.random.default_rng(0))
    assert np.bincount(fold + 1).tolist() == [14_000, 6_000]
    assert gallery.count(20_000) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"private": ("tnt",)}, "no label 'tnt'. Did you mean 'tint'"),
        ({"decoder": Call("convolution", {})}, "no decoder 'convolution'. Did you mean 'convolutional'"),
        ({"decoder": Call("convolutional", {"wide": 3})}, "no knob 'wide'. Did you mean 'width'"),
        ({"private": ("bar",)}, "function of"),
        ({"images": Pixels(np.zeros((ROWS, 3, 4, 4), np.uint8))}, "SSIM needs 5 a side"),
        ({"images": Pixels(np.zeros((ROWS - 1, 3, 8, 8), np.uint8))}, "600 rows, but 599 images"),
    ],
)
def test_bad_input_is_said_in_one_line(changes: dict[str, Any], words: str) -> None:
    """What cannot be asked is refused before any decoder is trained, with what there is instead."""
    subject, images = scene(shows=1.0)
    changes = dict(changes)
    with pytest.raises(InputError, match=words) as error:
        run(subject, changes.pop("images", images), **changes)
    assert "\n" not in str(error.value)
