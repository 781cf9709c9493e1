"""
An address: where weights lie, as a ledger or a person says it.

`https://HOST/FILE`, `hf://ORG/REPO/FILE@REVISION` (https://huggingface.co/docs/hub/en/repositories), `file:///FILE`, a
path, or a library's model. Addresses that can be changed on their way, or lead out of where they point to, are refused.
"""

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from leakaudit.errors import InputError

HUB = re.compile(r"hf://(?P<repository>\w([\w.-]{0,94}\w)?/\w([\w.-]{0,94}\w)?)/[^@/][^@]*(@[^@/]\S*)?", re.ASCII)
"""A file of a repository; names as huggingface_hub's `validate_repo_id` wants them."""
ADDRESSES = ("hf://", "https://", "http://")
"""How an address begins that is typed in place of a name."""
PLACES = "https://..., hf://ORG/REPO/FILE@REVISION, file:///..., a path beside the ledger, timm:NAME, torchvision:NAME"


class Hub(NamedTuple):
    """A file of a Hugging Face repository."""

    repository: str
    file: str
    revision: str
    """Commit, tag or branch; empty where none is said."""


def hub(text: str) -> Hub:
    """Repository, file and revision of what lies at `hf://`, once it is checked."""
    path, _, revision = text.removeprefix("hf://").partition("@")
    organisation, repository, file = path.split("/", 2)
    return Hub(f"{organisation}/{repository}", file, revision)


def check(text: str, where: str) -> None:
    """
    Refuse what can be no address.

    Raises:
        InputError: no file can lie there; `where` begins the message.
    """
    scheme = text.partition("://")[0] if "://" in text else ""
    if not text or not text.isprintable():
        raise InputError(f"{where}: weights = ... expected: {PLACES}")
    if scheme == "http":
        raise InputError(f"{where}: weights: http:// can be changed on its way; https:// expected")
    if scheme not in ("", "https", "hf", "file"):
        raise InputError(f"{where}: weights: no way to fetch {scheme[:20]}://. There are: {PLACES}")
    try:
        parts = urlsplit(text)
    except ValueError as error:  # an address of IPv6 without its bracket
        raise InputError(f"{where}: weights: no address ({error}). There are: {PLACES}") from error
    if scheme == "https" and (not parts.hostname or "@" in parts.netloc):
        raise InputError(f"{where}: weights: https://HOST/FILE expected, without a password in it")
    if scheme == "file" and parts.netloc not in ("", "localhost"):
        raise InputError(f"{where}: weights: file:///FOLDER/FILE expected")
    if scheme == "hf":
        _check_hub(text, where)


def _check_hub(text: str, where: str) -> None:
    typed = HUB.fullmatch(text)
    if not typed:
        raise InputError(f"{where}: weights: hf://ORG/REPO/FILE or hf://ORG/REPO/FILE@REVISION expected")
    if re.search(r"--|\.\.|\.git$", typed["repository"]):
        raise InputError(f"{where}: weights: no repository of Hugging Face can be called {typed['repository']}")
    if ".." in hub(text).file.split("/"):
        raise InputError(f"{where}: weights: hf://ORG/REPO/FILE expected, without '..'")
