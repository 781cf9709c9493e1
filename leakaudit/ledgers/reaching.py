"""
Reaching: a file on a server, within seconds or not at all, as many bytes as were promised and no page.

HTTP, Range and retries are huggingface_hub's `http_get`, which goes on from what is there and starts anew where a
server answers a Range with the whole file (https://huggingface.co/docs/huggingface_hub/package_reference/file_download).
Proxies are those of the environment; a token goes to Hugging Face's endpoint alone.
"""

import os
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from leakaudit.errors import InputError, RefusedError
from leakaudit.ledgers.address import Hub
from leakaudit.ledgers.ledger import Promise

PATIENCE_SECONDS = 5.0
"""How long a server may take to answer; a machine without a network is told so after this at the latest."""
OFFLINE = ("LEAKAUDIT_OFFLINE", "HF_HUB_OFFLINE")
PAGES = (b"<!doctype html", b"<html", b"<?xml")
UNSATISFIABLE = 416
TRANSPORTS = ("httpx", "httpx2", "httpcore", "httpcore2")
"""Libraries whose exceptions are no OSError: those that huggingface_hub speaks HTTP by."""


class Answer(NamedTuple):
    """What a server says of a file before it is sent."""

    silence: str = ""
    """Why nothing answers; empty where something does."""
    url: str = ""
    """Where redirections lead to; empty where the server does not say."""
    page: bool = False
    bytes: int | None = None


def offline() -> str:
    """The variable that forbids connections; empty where none does."""
    return next((name for name in OFFLINE if os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE")), "")


class Redirections(urllib.request.HTTPRedirectHandler):
    """They are followed by HEAD again, and never from https to http."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """The request to go on with; none from https to http."""
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise UnencryptedError(newurl)
        made = super().redirect_request(req, fp, code, msg, headers, newurl)
        if made is not None:
            made.method = "HEAD"
        return made


class UnencryptedError(ValueError):
    """A redirection from https to somewhere else, which is named."""


def ask(url: str, patience: float = PATIENCE_SECONDS) -> Answer:
    """What lies at `url`, in `patience` seconds at most, looking up names included; nothing of it is fetched."""
    found, opener = [Answer(f"no answer within {patience:g} s")], urllib.request.build_opener(Redirections)

    def head() -> None:
        request = urllib.request.Request(url, method="HEAD")  # noqa: S310 (callers pass http and https alone)
        try:
            with opener.open(request, timeout=patience) as said:
                kind, size = said.headers.get_content_type(), said.headers.get("Content-Length", "")
                found[0] = Answer(
                    "",
                    said.geturl(),
                    kind in ("text/html", "application/xhtml+xml"),
                    int(size) if size.isdigit() else None,
                )
        except UnencryptedError as elsewhere:
            found[0] = Answer(url=str(elsewhere))
        except urllib.error.HTTPError:
            found[0] = Answer()  # a server that refuses to say answers
        except (OSError, ValueError) as error:
            found[0] = Answer(str(getattr(error, "reason", error)))

    asking = threading.Thread(target=head, daemon=True)
    asking.start()
    asking.join(patience)
    return found[0]


class Limited:
    """A file that takes so many bytes and no more, and no page."""

    def __init__(self, file: BinaryIO, limit: int, where: str) -> None:
        """`where` begins the messages."""
        self.file, self.limit, self.where = file, limit, where

    def write(self, data: bytes) -> int:
        """
        Append.

        Raises:
            RefusedError: it is too much, or a page of HTML begins.
        """
        at = self.file.tell()
        if at == 0 and data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(PAGES):
            raise RefusedError(f"{self.where}: {PAGE}")
        if at + len(data) > self.limit:
            raise RefusedError(f"{self.where}: more than the {self.limit:,} bytes that it may have; it was removed")
        return self.file.write(data)

    def tell(self) -> int:
        """Where the next byte goes."""
        return self.file.tell()

    def seek(self, to: int) -> int:
        """Go back."""
        return self.file.seek(to)

    def truncate(self) -> int:
        """Forget what follows."""
        return self.file.truncate()


PAGE = (
    "a web page was sent, not a file: a login, an error, or the page of a shared folder; the address of the file "
    "itself is needed"
)


def download(url: str, part: Path, name: str, promised: int | None, largest: int) -> None:
    """
    Put what lies at `url` into `part`, going on from what is there; `promised` are the bytes it must have.

    Raises:
        InputError: connections are forbidden, nothing answers, or the transfer breaks off; `part` keeps what came.
        RefusedError: it is larger or smaller than promised, a page, or leads away from https.
    """
    where = url if name == url else f"{name}: {url}"
    if why := offline():
        raise InputError(f"{where}: not here yet, and {why} forbids to fetch it")
    said = ask(url)
    if said.silence:
        raise InputError(f"{where}: cannot be reached ({said.silence})")
    if url.startswith("https:") and not (said.url or url).startswith("https:"):
        raise RefusedError(f"{where}: leads to {said.url[:120]!r}, which is not encrypted")
    if said.page:
        raise RefusedError(f"{where}: {PAGE}")
    _fits(said.bytes, promised, largest, where)
    limit = promised if promised is not None else largest
    if part.is_file() and part.stat().st_size > limit:
        part.unlink()
    resumed = part.is_file() and part.stat().st_size > 0
    if not _get(url, part, where, promised or said.bytes, limit) and resumed:
        part.unlink()
        _get(url, part, where, promised or said.bytes, limit)


def _get(url: str, part: Path, where: str, size: int | None, limit: int) -> bool:
    """Whether a request was answered with the file, or the rest of it."""
    from huggingface_hub.errors import HfHubHTTPError
    from huggingface_hub.file_download import http_get

    with part.open("ab") as file:
        there = file.tell()
        try:
            http_get(url, cast("BinaryIO", Limited(file, limit, where)), resume_size=there, expected_size=size)
        except RefusedError:
            part.unlink()
            raise
        except HfHubHTTPError as error:
            status = getattr(error.response, "status_code", 0)
            if status == UNSATISFIABLE and there:
                return False
            raise InputError(f"{where}: the server answers {status}") from error
        except Exception as error:
            if not isinstance(error, OSError) and type(error).__module__.partition(".")[0] not in TRANSPORTS:
                raise
            file.flush()
            found = part.stat().st_size
            if "Consistency check failed" not in str(error):
                kept = f"{found:,} bytes are kept, and the same command goes on from there"
                raise InputError(f"{where}: broke off ({str(error)[:120]}); {kept}") from error
            part.unlink()
            raise RefusedError(f"{where}: {found:,} bytes were sent, {size or 0:,} expected; removed") from error
    return True


def hub(
    file: Hub, name: str, largest: int, promise: Promise | None = None, *, endpoint: str = "", cache: Path | None = None
) -> tuple[Path, str]:
    """
    A file of a Hugging Face repository in its own cache, and the commit it is of.

    Tokens, proxies, endpoint and cache are huggingface_hub's. What names no commit is looked up once.

    Raises:
        InputError: it is not in the cache and cannot be fetched.
        RefusedError: it is larger or smaller than promised.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    where, folder = f"hf://{file.repository}/{file.file}", cache or Path(constants.HF_HUB_CACHE)
    where = where if name.startswith(where) else f"{name}: {where}"
    if (path := cached(file, promise, cache=folder)) is not None:
        return path, _commit(path, file)
    revision = _revision(file, promise)
    if why := offline():
        raise InputError(f"{where}: revision {revision} is not in {folder}, and {why} forbids to fetch it")
    server = endpoint or constants.ENDPOINT
    if why := ask(server).silence:
        raise InputError(f"{where}: {server} cannot be reached ({why})")
    try:
        url = hf_hub_url(file.repository, file.file, revision=revision, endpoint=server)
        said = get_hf_file_metadata(url, timeout=PATIENCE_SECONDS, endpoint=server)
        _fits(said.size, promise.bytes if promise else None, largest, where)
        commit = said.commit_hash or revision
        made = hf_hub_download(file.repository, file.file, revision=commit, cache_dir=folder, endpoint=server)
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise InputError(f"{where}: {' '.join(str(error).split())[:300]}") from error
    return Path(made), _commit(Path(made), file)


def cached(file: Hub, promise: Promise | None = None, *, cache: Path | None = None) -> Path | None:
    """Where Hugging Face's cache has a file; None where it has it not."""
    from huggingface_hub import constants, try_to_load_from_cache

    folder = cache or constants.HF_HUB_CACHE
    found = try_to_load_from_cache(file.repository, file.file, cache_dir=folder, revision=_revision(file, promise))
    return Path(found) if isinstance(found, str) else None


def _revision(file: Hub, promise: Promise | None) -> str:
    return (promise.revision if promise else "") or file.revision or "main"


def _fits(size: int | None, promised: int | None, largest: int, where: str) -> None:
    """
    Refuse what is larger or smaller than promised before it is fetched.

    Raises:
        RefusedError: it is.
    """
    if size and promised is not None and size != promised:
        raise RefusedError(f"{where}: has {size:,} bytes, {promised:,} were promised")
    if size and promised is None and size > largest:
        raise RefusedError(f"{where}: has {size:,} bytes; without a promise {largest:,} at most are fetched")


def _commit(path: Path, file: Hub) -> str:
    """The commit that a path in Hugging Face's cache is of: `.../snapshots/COMMIT/FILE`."""
    return path.parts[-1 - len(Path(file.file).parts)]
