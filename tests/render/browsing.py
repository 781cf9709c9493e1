"""Reports opened in the distribution's Chromium, one browser for all tests of a module."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
FORBIDDING = "default-src 'none'; img-src data:"
"""A content policy that lets neither a script nor a style sheet in, not even those that the page brings."""
CUT = (
    "[...document.querySelectorAll('.scroll:not(:has(.grid))')].filter(part => part.scrollWidth > part.clientWidth + 1)"
    ".map(part => part.closest('section').id + ' ' + part.scrollWidth)"
)
"""Tables wider than their place, pictures apart."""
SETTLED = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""Observers of the script have run."""


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser without a network of its own; the test is skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip("no Chromium here")
    with playwright.sync_playwright() as running:
        window = running.chromium.launch(executable_path=str(CHROMIUM), args=list(QUIET))
        yield window
        window.close()


class Tab:
    """One page, with what it said on the console and what it asked the network for."""

    def __init__(self, browser: Any, page: str, *, width: int = 1280, height: int = 800, dark: bool = False) -> None:
        """Open `page`, the text of a report, as a file would be."""
        self.tab = browser.new_page(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light"
        )
        self.said: list[str] = []
        self.asked: list[str] = []
        self.tab.on("console", lambda message: self.said.append(message.text))
        self.tab.on("pageerror", lambda error: self.said.append(str(error)))
        self.tab.on("dialog", lambda dialog: (self.said.append(dialog.message), dialog.dismiss()))
        self.tab.on("request", lambda wanted: self.asked.append(wanted.url))
        self.tab.set_content(page)
        self.tab.evaluate(SETTLED)

    def ask(self, script: str) -> Any:
        """What a script in the page gives."""
        return self.tab.evaluate(script)

    def close(self) -> None:
        """Nothing was said on the console, and nothing was asked of the network."""
        self.tab.close()
        assert self.said == []
        assert [url for url in self.asked if not url.startswith(("about:", "data:"))] == []
