"""A text (a page of an error, a git-lfs pointer, JSON): refused, since it is not the model but a word about it."""

from pathlib import Path
from typing import Never

from leakaudit.errors import RefusedError, spelt

HEAD = 1024
POINTER = "version https://git-lfs.github.com/spec/"
PAGES = ("<!doctype", "<html", "<?xml", "<head")
SAYS = 60
"""Letters of it that are repeated."""


def recognises(head: bytes, path: Path) -> bool:  # noqa: ARG001 # as the others are called
    """Whether it begins with printable text."""
    text = _text(head)
    return bool(text.strip()) and all(letter.isprintable() or letter in "\r\n\t" for letter in text)


def read(path: Path) -> Never:
    """
    What it is instead of a model is said.

    Raises:
        RefusedError: always.
    """
    with path.open("rb") as file:
        text = _text(file.read(HEAD)).lstrip("\ufeff \r\n\t")
    if text.startswith(POINTER):
        raise RefusedError(f"{path}: a git-lfs pointer, not the file itself. Fetch it: git lfs pull")
    if "/annex/objects/" in text:
        raise RefusedError(f"{path}: a git-annex pointer, not the file itself. Fetch it: git annex get")
    if text.lower().startswith(PAGES):
        raise RefusedError(
            f"{path}: a web page, not a model: the download ended at a login or an error. Fetch it again"
        )
    if '"weight_map"' in text:
        raise RefusedError(f"{path}: the index of a model in several files. Join them in one: model.save_pretrained")
    first = spelt(text.splitlines()[0][:SAYS]) if text else ""
    raise RefusedError(f"{path}: a text, not a model; it begins {first!r}")


def _text(head: bytes) -> str:
    """As UTF-8, where a letter may be cut at the end; nothing where it is none."""
    for cut in range(4):
        try:
            return head[: len(head) - cut].decode("utf-8")
        except UnicodeDecodeError:
            continue
    return ""
