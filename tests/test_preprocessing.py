"""How images enter: flags are read or refused in one line, and of each part the most important source is heard."""

from dataclasses import replace

import pytest

from leakaudit.errors import InputError
from leakaudit.preprocessing import IMAGENET, Preprocessing, Said, parse, settled

LIBRARY = Said("the library", 3, (224, 224), (256, 256), IMAGENET["mean"], IMAGENET["std"])
LEDGER = Said("the ledger", size=(96, 96), mean=(0.5,))
DATA = Said("the data set", 1, (28, 28), mean=(0.13,), std=(0.31,))


@pytest.mark.parametrize(
    ("size", "mean", "std", "said"),
    [
        ("224", None, None, Said("", size=(224, 224))),
        ("224x160", "0.485,0.456,0.406", None, Said("", size=(224, 160), mean=(0.485, 0.456, 0.406))),
        (" 8X9 ", None, "0.5", Said("", size=(8, 9), std=(0.5,))),
        (None, "imagenet", "ImageNet", Said("", mean=IMAGENET["mean"], std=IMAGENET["std"])),
        (None, "0", "1", Said("", mean=(0.0,), std=(1.0,))),
        (None, None, None, Said("")),
    ],
)
def test_flags_are_read_as_they_are_typed(size: str | None, mean: str | None, std: str | None, said: Said) -> None:
    """A side or height x width; a number for each channel or for all; ImageNet by its name."""
    assert parse(size, mean, std) == said


@pytest.mark.parametrize(
    ("flag", "text", "words"),
    [
        ("size", "big", r"--size 'big': a side, or height x width, in pixels expected: 224, 224x160"),
        ("size", "224x", "--size '224x': a side"),
        ("size", "3x224x224", "--size '3x224x224': a side"),
        ("size", "-1", "--size '-1': a side"),
        ("size", "9" * 5000, "a side, or height x width"),
        ("size", "0", "--size 0: sides of 1 to 4096 pixels expected"),
        ("size", "22400", "--size 22400: sides of 1 to 4096 pixels expected"),
        ("mean", "123.7,116.3,103.5", r"--mean 123\.7: in 0\.\.1 expected, 0\.485 for 123\.7/255"),
        ("std", "58.4", r"--std 58\.4: in 0\.\.1 expected, 0\.229 for 58\.4/255"),
        ("std", "0.2,0", r"--std 0\.2,0: a deviation above 0 expected"),
        ("mean", "-0.5", r"--mean -0\.5: in 0\.\.1 expected"),
        ("mean", "nan", r"--mean nan: in 0\.\.1 expected"),
        ("std", "inf", r"--std inf: in 0\.\.1 expected"),
        ("mean", "0.5;0.5", r"--mean '0\.5;0\.5': a number for each channel, or one for all, expected, or imagenet"),
        ("mean", "", "--mean '': a number for each channel"),
    ],
)
def test_flags_that_say_nothing_are_refused_in_one_line(flag: str, text: str, words: str) -> None:
    """The flag, what it said, and what is expected; numbers of 0..255 are told what they are in 0..1."""
    with pytest.raises(InputError, match=words) as error:
        parse(**{**dict.fromkeys(("size", "mean", "std")), flag: text})
    assert len(str(error.value).splitlines()) == 1


def test_each_part_is_of_the_most_important_source_that_speaks_of_it() -> None:
    """Flags before the ledger, the ledger before the library, the library before the data; the words say whose."""
    assert settled(parse(None, None, "0.25"), LEDGER, LIBRARY, DATA) == Preprocessing(
        (3, 96, 96), (0.5,) * 3, (0.25,) * 3, None, "--std; size and mean: the ledger"
    )
    assert settled(parse(None, None, None), None, LIBRARY, DATA) == Preprocessing(
        (3, 224, 224), IMAGENET["mean"], IMAGENET["std"], (256, 256), "the library"
    )
    assert settled(parse("64", "0.5", "0.5"), LIBRARY).source == "--size, --mean, --std"


def test_a_cut_goes_with_the_size_that_it_belongs_to() -> None:
    """The library's resize is not used with a size of somebody else's; one that cuts nothing is none."""
    assert settled(parse("64", None, None), LIBRARY).resize is None
    assert settled(Said("x", size=(8, 8), resize=(8, 8)), LIBRARY).resize is None
    assert settled(Said("x", size=(8, 8), resize=(9, 9)), LIBRARY).resize == (9, 9)


def test_channels_are_the_weights_own() -> None:
    """One number is every channel's, equal ones are one; others must be as many as there are channels."""
    assert settled(DATA, channels=3).mean == (0.13,) * 3
    assert settled(Said("x", size=(8, 8), mean=(0.5,) * 3, std=(0.5,) * 3), channels=1).shape == (1, 8, 8)
    with pytest.raises(
        InputError, match=r"the library: mean of 3 channels; the network takes 1: give --mean with 1 num"
    ):
        settled(LIBRARY, channels=1)
    with pytest.raises(
        InputError, match=r"--mean 0\.1,0\.2: mean of 2 channels; the network takes 3: give .* 3 numbers"
    ):
        settled(parse(None, "0.1,0.2", None), LIBRARY)


def test_what_nobody_says_is_asked_for() -> None:
    """By the names of the flags."""
    with pytest.raises(InputError, match="nobody says how images enter this network: give --size, --std"):
        settled(parse(None, "0.5", None), None)


def test_words_hold_size_cut_normalisation_and_source() -> None:
    """Equal numbers are said once; no cut, no word of it."""
    words = "3x224x224, the middle of 256x256; mean 0.485,0.456,0.406, std 0.229,0.224,0.225 (the library)"
    assert str(settled(LIBRARY)) == words
    assert str(settled(DATA)) == "1x28x28; mean 0.13, std 0.31 (the data set)"


def test_words_say_whether_sides_keep_their_ratio() -> None:
    """What the middle is cut out of; and where the whole image is read, that its sides lose their ratio, if some do."""
    square, flat = (
        replace(LIBRARY, size=size, resize=resize, ratio=True)
        for size, resize in (((224, 224), (224, 224)), ((224, 160), (256, 192)))
    )
    assert str(settled(square)).startswith("3x224x224, the middle of images whose shorter side is 224; mean")
    assert str(settled(flat)).startswith("3x224x160, the middle of images that cover 256x192; mean")
    whole = replace(settled(parse("64", None, None), square), distorted=True)
    assert str(whole).startswith("3x64x64, the whole image, its sides not kept in ratio; mean")
