"""`--figures DIR` writes every figure as a file of its own."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from plates import models, parsed, words

from leakaudit import audits
from leakaudit.errors import InputError
from leakaudit.render import _drawings
from leakaudit.render._drawings import apart, intervals
from leakaudit.render._drawings.drawing import Drawing


@pytest.fixture
def two(tmp_path: Path) -> list[str]:
    """Two audits, written."""
    paths = []
    for i, audit in enumerate(models(2).audits):
        audits.save(audit, tmp_path / f"{i}.json")
        paths.append(f"{i}.json")
    return paths


def test_every_figure_is_written_twice_over(leakaudit_here, two: list[str], tmp_path: Path) -> None:
    """Each figure is there as SVG and as PNG, the captions beside them, and stderr says so."""
    done = leakaudit_here("report", *two, "--figures", "drawn")
    assert done.returncode == 0, done.stderr
    made = _drawings.every(models(2))
    files = {f"{one.name}.{ending}" for one in made for ending in ("svg", "png")} | {"captions.txt"}
    assert {path.name for path in (tmp_path / "drawn").iterdir()} == files
    assert f"{len(made)} figures in drawn" in done.stderr
    assert all(one.name in done.stderr for one in made)
    captions = (tmp_path / "drawn" / "captions.txt").read_text(encoding="utf-8")
    assert all(f"{one.name}: {one.title}\n{one.caption}\n" in captions for one in made)


def test_the_same_audits_give_the_same_bytes(leakaudit_here, two: list[str], tmp_path: Path) -> None:
    """Written twice, no file differs by a byte."""
    for folder in ("first", "second"):
        assert leakaudit_here("report", *two, "--figures", folder).returncode == 0
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes(), path.name


@pytest.mark.parametrize("name", ["two", "hostile"])
def test_svg_stands_alone(gallery: dict[str, tuple[Drawing, ...]], name: str) -> None:
    """The file names its space, its paper, its ink and its font, and has nothing that only a page gives."""
    for one in gallery[name]:
        text = apart.svg(one)
        parsed(one)
        assert text.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
        assert '="currentColor"' not in text
        assert ' class="' not in text
        assert f'fill="{apart.PAPER}"/>' in text
        assert apart.FONTS in text
        assert apart.INK in text


def test_letters_that_no_xml_holds_are_replaced() -> None:
    """A figure with a letter that XML forbids is XML all the same."""
    (one,) = intervals.draw(models(2))
    wrong = type(one.svg)(str(one.svg).replace(">vanilla<", ">van\ufffeilla\x0b<"))
    assert wrong != one.svg
    made = Drawing(one.name, one.kind, one.private, one.title, one.caption, wrong)
    assert "van\ufffdilla\ufffd" in words(parsed(made))


def test_png_shows_words_in_ink_on_white() -> None:
    """The picture is twice as large as the figure, opens, has white paper, and changes where a word is left out."""
    (one,) = intervals.draw(models(2))
    text = apart.svg(one)
    with_words = Image.open(io.BytesIO(apart.png(text))).convert("RGB")
    without = Image.open(io.BytesIO(apart.png(text.replace(">vanilla<", "><")))).convert("RGB")
    wide, high = (float(parsed(one).get(side, "0")) for side in ("width", "height"))
    assert with_words.size == (apart.ZOOM * wide, apart.ZOOM * high)
    pixels, fewer = np.asarray(with_words).astype(int), np.asarray(without).astype(int)
    assert (pixels[0] == 255).all()
    assert pixels.min() < 60
    differ = np.argwhere((pixels != fewer).any(axis=2))
    assert len(differ) > 50
    height, width = np.ptp(differ, axis=0)
    assert 8 < height < 40
    assert 40 < width < 160


def test_a_place_that_cannot_be_written_is_refused_first(leakaudit_here, two: list[str], tmp_path: Path) -> None:
    """A file in the place of the folder is named in one line before any audit is read."""
    (tmp_path / "taken").write_text("", encoding="utf-8")
    done = leakaudit_here("report", "nowhere.json", "--figures", "taken")
    assert done.returncode == 2
    assert "taken" in done.stderr
    assert "not a folder" in done.stderr
    assert "nowhere" not in done.stderr
    assert leakaudit_here("report", *two, "--figures", "taken/further").returncode == 2


def test_what_draws_png_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without resvg-py one line says what to install; with it nothing is loaded until something is drawn."""
    apart.check(tmp_path)
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(InputError, match="python -m pip install resvg-py"):
        apart.check(tmp_path)
    with pytest.raises(InputError, match="python -m pip install resvg-py"):
        apart.png("<svg/>")


def test_figures_are_part_of_every_audits_end(leakaudit_here) -> None:
    """`attack`, `report` and `reconstruct` have the flag."""
    for command in ("attack", "report", "reconstruct"):
        assert "--figures" in leakaudit_here(command, "--help").stdout
