"""Images that are no squares enter a published model as its library shows them: sides in ratio, the middle cut out."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from test_extract import encoder
from torchvision.transforms import InterpolationMode
from torchvision.transforms._presets import ImageClassification

from leakaudit import entrance, subject
from leakaudit.dataset import Dataset, Pixels, Selected, keeping
from leakaudit.images.files import Files
from leakaudit.numerics.normalising import Normalise
from leakaudit.preprocessing import IMAGENET, covering
from leakaudit.subject import Terms

SIZES = {
    "several sizes": [(60, 41), (37, 61), (44, 44), (29, 57), (58, 43), (31, 30)],
    "one size": [(61, 40)] * 4,
    "one flat size": [(40, 61)] * 4,
    "squares": [(44, 44)] * 4,
    "squares of several sizes": [(44, 44), (31, 31), (57, 57)],
    "smaller ones": [(20, 31), (13, 13), (50, 9)],
}
NORMAL = {"mean": IMAGENET["mean"], "std": IMAGENET["std"]}
TOLERANCE = 1.01 / 255 / 0.224
"""One of 255 in normalised units: Pillow and torch may round a pixel otherwise."""


def put(folder: Path, sizes: list[tuple[int, int]], suffix: str = "png") -> list[str]:
    """Pictures of these heights and widths, that change over a few pixels."""
    rng = np.random.default_rng(0)
    paths = [folder / f"{number}.{suffix}" for number in range(len(sizes))]
    for path, (height, width) in zip(paths, sizes, strict=True):
        coarse = Image.fromarray(rng.integers(0, 256, (9, 7, 3), dtype=np.uint8))
        coarse.resize((width, height), Image.Resampling.BICUBIC).save(path)
    return list(map(str, paths))


def entered(images: Any, resize: tuple[int, int], size: tuple[int, int]) -> torch.Tensor:
    """The images of a source as they enter a network."""
    kept = keeping(images, resize, size)
    x = torch.from_numpy(kept.batch(np.arange(len(images))))
    return Normalise(*NORMAL.values(), (3, *size), resize=resize, ratio=True)(x)


def shown(theirs: Any, paths: list[str]) -> torch.Tensor:
    """What a library's own transform makes of the files."""
    return torch.stack([theirs(Image.open(path).convert("RGB")) for path in paths])


def source(paths: list[str], size: int | None) -> Files:
    """The files, of a square of `size` where one is asked for."""
    return Files.open(paths, range(1, len(paths) + 1), "t.csv", size)


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize(("resize", "size"), [(29, 24), (30, 24), (29, 29), (27, 24)])
def test_images_enter_as_torchvision_shows_them(tmp_path: Path, kind: str, resize: int, size: int) -> None:
    """To one of 255, whatever sides the files have and whether these are of one size or of several."""
    paths = put(tmp_path, SIZES[kind])
    theirs = ImageClassification(crop_size=size, resize_size=resize, interpolation=InterpolationMode.BILINEAR)
    found = entered(source(paths, resize), (resize, resize), (size, size))
    torch.testing.assert_close(found, shown(theirs, paths), atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize(("size", "share"), [((24, 24), 0.875), ((24, 24), 1.0), ((24, 18), 0.9), ((18, 24), 0.95)])
def test_images_enter_as_timm_shows_them(tmp_path: Path, kind: str, size: tuple[int, int], share: float) -> None:
    """As by timm's own transform for evaluation, of inputs that are no squares, too."""
    paths = put(tmp_path, SIZES[kind])
    theirs = timm.data.create_transform((3, *size), crop_pct=share, interpolation="bilinear", **NORMAL)
    resize = (int(size[0] / share), int(size[1] / share))
    side = resize[0] if resize[0] == resize[1] else None
    found = entered(source(paths, side), resize, size)
    torch.testing.assert_close(found, shown(theirs, paths), atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("sides", [(61, 40), (40, 61), (44, 44)])
def test_arrays_enter_as_files_do(tmp_path: Path, sides: tuple[int, int]) -> None:
    """What lies in memory is brought there by the device, a sample of it as well."""
    paths = put(tmp_path, [sides] * 3)
    pixels = np.stack([np.asarray(Image.open(path)).transpose(2, 0, 1) for path in paths])
    wanted = entered(source(paths, 29), (29, 29), (24, 24))
    for images in (
        Pixels(pixels),
        Selected(Pixels(pixels), np.arange(3), 29),
        Selected(source(paths, 29), np.arange(3)),
    ):
        torch.testing.assert_close(entered(images, (29, 29), (24, 24)), wanted, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("sizes", [[(400, 300), (260, 330)], [(256, 256)] * 2])
def test_a_large_jpeg_is_decoded_whole(tmp_path: Path, sizes: list[tuple[int, int]]) -> None:
    """Scaled down by halves while it is decoded, as elsewhere, it would be another image than libraries show."""
    paths = put(tmp_path, sizes, "jpg")
    theirs = shown(ImageClassification(crop_size=24, resize_size=29), paths)
    torch.testing.assert_close(entered(source(paths, 29), (29, 29), (24, 24)), theirs, atol=TOLERANCE, rtol=0)


def test_the_covering_size_is_the_smallest_in_ratio() -> None:
    """The longer side is cut down to a whole number, as torchvision has it."""
    assert covering((436, 300), (256, 256)) == (372, 256)
    assert covering((300, 436), (235, 235)) == (235, 341)
    assert covering((10, 10), (7, 7)) == (7, 7)


def table(folder: Path, sizes: list[tuple[int, int]]) -> str:
    """A table of pictures with a private label and a target."""
    paths = put(folder, sizes)
    lines = [f"{path},{'ab'[row % 2]},{'xy'[row // 2 % 2]}" for row, path in enumerate(paths)]
    (folder / "t.csv").write_text("\n".join(["path,kind,shape", *lines]) + "\n")
    return str(folder / "t.csv")


def found(folder: Path, sizes: list[tuple[int, int]], **said: Any) -> subject.Subject:
    """A published model, without its weights, on the pictures."""
    terms = Terms(store=folder, root=folder, data=table(folder, sizes), **said)
    return subject.find("torchvision:resnet18:pretrained=false", terms)


@pytest.mark.parametrize("rows", [None, 4])
def test_a_published_model_is_shown_the_middle_of_images_in_ratio(tmp_path: Path, rows: int | None) -> None:
    """Of a table of several sizes, and of a sample of its rows, on the whole way from the command line."""
    sizes = SIZES["several sizes"]
    made = found(tmp_path, sizes, rows=rows)
    source, data = made.encoder, made.dataset
    assert source is not None
    assert data is not None
    assert (source.resize, source.ratio, source.distorted) == ((256, 256), True, False)
    assert entrance.check(source, data) == ()
    x = torch.from_numpy(data.images.batch(np.arange(len(data))))
    ours = Normalise(source.mean, source.std, source.shape, resize=source.resize, ratio=source.ratio)(x)
    paths = [str(tmp_path / f"{row}.png") for row in range(len(sizes))]
    theirs = shown(ImageClassification(crop_size=224), paths)
    gap = (ours[:, None] - theirs[None]).abs().amax(dim=(2, 3, 4)).amin(dim=1)
    assert gap.max() < TOLERANCE


@pytest.mark.parametrize(("file", "how"), [("a.npz", ""), ("a.npz", ",size=50")])
def test_arrays_keep_the_ratio_of_their_sides(tmp_path: Path, file: str, how: str) -> None:
    """Whatever square is asked for by name: they lie in memory as they are, and what is done to them is said."""
    images = np.random.default_rng(0).integers(0, 255, (4, 61, 40, 3), dtype=np.uint8)
    np.savez(tmp_path / file, images=images, kind=np.array([0, 1, 0, 1]), split=np.array(["test"] * 4))
    terms = Terms(store=tmp_path, root=tmp_path, data=f"arrays:file={tmp_path / file}{how}")
    made = subject.find("torchvision:resnet18:pretrained=false", terms)
    assert made.encoder is not None
    assert made.dataset is not None
    assert (made.encoder.ratio, made.encoder.distorted) == (True, False)
    words = "images of 61x40 are resized to 390x256, and their middle 224x224 is read"
    assert entrance.check(made.encoder, made.dataset) == (words,)
    x = torch.from_numpy(made.dataset.images.batch(np.arange(4)))
    ours = Normalise(made.encoder.mean, made.encoder.std, (3, 224, 224), resize=(256, 256), ratio=True)(x)
    theirs = torch.stack([ImageClassification(crop_size=224)(Image.fromarray(image)) for image in images])
    torch.testing.assert_close(ours, theirs, atol=TOLERANCE, rtol=0)


def test_a_square_that_was_asked_for_by_name_stays_one_and_is_told(tmp_path: Path) -> None:
    """Files that a knob brings to another size than the library's are squares before anything is cut out of them."""
    data = f"table:file={table(tmp_path, SIZES['several sizes'])},size=40"
    terms = Terms(store=tmp_path, root=tmp_path, data=data)
    made = subject.find("torchvision:resnet18:pretrained=false", terms)
    assert made.encoder is not None
    assert made.dataset is not None
    assert made.encoder.distorted
    words = "images of 40x40 are resized to 256x256, and their middle 224x224 is read"
    assert entrance.check(made.encoder, made.dataset) == (words,)


@pytest.mark.parametrize(("kind", "torn"), [("several sizes", True), ("one size", True), ("squares", False)])
def test_a_size_alone_reads_the_whole_image(tmp_path: Path, kind: str, torn: bool) -> None:  # noqa: FBT001 (a case)
    """And where images are not in its ratio, that is known."""
    source = found(tmp_path, SIZES[kind], size="32").encoder
    assert source is not None
    assert (source.shape, source.ratio, source.distorted) == ((3, 32, 32), False, torn)


def test_what_the_device_cuts_out_is_said() -> None:
    """Of arrays, whose size is known."""
    data = Dataset("d", "test", Pixels(np.zeros((2, 3, 12, 9), np.uint8)), {}, np.zeros(2, np.uint64), (0.5,), (0.5,))
    source = replace(encoder(data), shape=(3, 4, 4), resize=(6, 6), ratio=True)
    assert entrance.check(source, data) == ("images of 12x9 are resized to 8x6, and their middle 4x4 is read",)
