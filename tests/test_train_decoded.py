"""No weight depends on whether decoded images are kept, and they are kept where they are worth it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from trying import TEXT, finish, work

from leakaudit import progress, recipe
from leakaudit.errors import InputError
from leakaudit.images import decoded
from leakaudit.images.decoded import Keeping
from leakaudit.recipe import Recipe

Made = Callable[..., Recipe]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """A recipe for forty files of noise, of which so many bytes are worth being kept."""
    random = np.random.default_rng(0)
    lines = ["path,digit,sex,split"]
    for number in range(40):
        Image.fromarray(random.integers(0, 256, (11, 9, 3), dtype=np.uint8)).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,{number % 2},{'fm'[number // 2 % 2]},{'train' if number < 30 else 'test'}")
    (tmp_path / "table.csv").write_text("\n".join(lines))
    text = TEXT.replace('name = "digits"', f'name = "table"\nfile = "{tmp_path / "table.csv"}"\nsize = 8')
    monkeypatch.setattr(decoded, "LEAST", 1)

    def plan(**train: Any) -> Recipe:
        overrides = {"train.epochs": 2} | {f"train.{knob}": value for knob, value in train.items()}
        return recipe.read(text.replace("colour", "sex"), "try/table", "try", overrides)

    return plan


def kept(folder: Path) -> list[Path]:
    """What was kept in the store."""
    return sorted(folder.rglob("images.npy"))


def test_weights_are_the_same_bits_with_and_without_and_a_second_run_keeps_no_more(made: Made, tmp_path: Path) -> None:
    """Two splits are kept; another seed and another method write no third."""
    with_, records = finish(work(made(), tmp_path / "a"))
    assert [record.done for record in records if isinstance(record, Keeping)] == [0, 30, 0, 10]
    files = kept(tmp_path / "a")
    assert len(files) == 2
    assert all(path.parent.parent == tmp_path / "a" / "store" / "data" / "decoded" for path in files)
    without, records = finish(work(made(decoded=False), tmp_path / "b"))
    assert not [record for record in records if isinstance(record, Keeping)]
    assert not kept(tmp_path / "b")
    assert with_.card.tensors == without.card.tensors
    assert with_.folder.name == without.folder.name
    _, records = finish(work(made(), tmp_path / "a", seed=1))
    assert not [record for record in records if isinstance(record, Keeping)]
    assert kept(tmp_path / "a") == files


def test_whoever_watches_no_bar_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """What a record tells is on stderr, once; with --quiet nothing is."""

    def records() -> Iterator[Keeping]:
        yield Keeping(0, 2, "words", "decoding 2 images once")
        yield Keeping(2, 2, "words")

    def silent() -> Any:
        yield from records()
        return 3

    assert progress.watch(silent(), "train", "bar") == 3
    assert capsys.readouterr() == ("", "leakaudit: decoding 2 images once\n")
    assert progress.watch(silent(), "train", "quiet") == 3
    assert capsys.readouterr() == ("", "")


def test_mixed_precision_is_refused_where_a_processor_has_none(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, before anything is written."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
    with pytest.raises(InputError, match="amp = true needs CUDA, or a processor with bfloat16"):
        finish(work(made(amp=True), tmp_path))
    assert not (tmp_path / "store").exists()


def test_mixed_precision_on_a_cpu_goes_on_with_the_same_bits(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It learns in another arithmetic, and a run taken up again ends as one in one go."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    whole, _ = finish(work(made(amp=True), tmp_path / "a"))
    plain, _ = finish(work(made(), tmp_path / "b"))
    assert whole.card.tensors != plain.card.tensors
    begun = work(made(amp=True), tmp_path / "c")
    while getattr(next(begun), "loss", None) is None:
        pass
    begun.close()
    again, _ = finish(work(made(amp=True), tmp_path / "c", resume=True))
    assert again.card.tensors == whole.card.tensors
