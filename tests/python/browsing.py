"""A real browser on a published site: pages that are watched while they are used, and a host of plain files.

What every visit must hold is asserted when it ends: nothing was asked of another host, the console is silent, no rule of the
content security policy was broken.
"""

import contextlib
import functools
import http.server
import os
import shutil
import threading
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, Playwright

# What a careful host sends with every page.
STRICT = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 360, "height": 740}

# Violations, and what the browser refuses, are kept where the test finds them.
WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""


def chromium() -> Optional[str]:
    """Where the browser is; none when it is not installed."""
    return os.environ.get("ESSAIM_CHROMIUM") or shutil.which("chromium")


def launch(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox", "--disable-gpu"])


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Plain files, with the headers of a careful host when it is one."""

    headers_too: Dict[str, str] = {}
    extensions_map = {
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".geojson": "application/geo+json",
        ".js": "text/javascript",
    }

    def end_headers(self) -> None:
        for name, value in self.headers_too.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def hosted(folder: Path, headers: Optional[Dict[str, str]] = None) -> Iterator[str]:
    """Serves a folder on a port of the system's choice."""
    handler = type("Handler", (Quiet,), {"headers_too": headers or {}})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Visit:
    """A context of the browser whose requests and messages are watched."""

    def __init__(self, browser: Browser, base: str, **options: Any) -> None:
        self.base = base
        self.requested: List[str] = []
        self.messages: List[str] = []
        # Messages that this visit provokes on purpose: parts of their text.
        self.expected: List[str] = []
        options.setdefault("viewport", WIDE)
        self.context: BrowserContext = browser.new_context(**options)
        self.context.set_default_timeout(20_000)
        self.context.on("request", lambda request: self.requested.append(request.url))
        if options.get("java_script_enabled", True):
            self.context.add_init_script(WATCH)

    def __enter__(self) -> "Visit":
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        try:
            if kind is None:
                self.verify()
        finally:
            self.context.close()

    def page(self, path: str = "") -> Page:
        page = self.context.new_page()
        page.on("console", self.heard)
        page.on("pageerror", lambda error: self.messages.append(f"error {error}"))
        page.goto(self.base + path)
        return page

    def heard(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.messages.append(f"{message.type} {message.text} ({message.location.get('url', '')})")

    def verify(self) -> None:
        host = urlsplit(self.base).netloc
        local = ("data:", "blob:")
        strange = [url for url in self.requested if urlsplit(url).netloc != host and not url.startswith(local)]
        assert not strange, f"asked of another host: {strange}"
        loud = [text for text in self.messages if not any(part in text for part in self.expected)]
        assert not loud, f"the console says: {loud}"
        for page in self.context.pages:
            violations = page.evaluate("window.violations ?? []") if self.has_script(page) else []
            assert not violations, f"the policy was broken: {violations}"

    @staticmethod
    def has_script(page: Page) -> bool:
        try:
            return bool(page.evaluate("Array.isArray(window.violations)"))
        except Exception:  # noqa: BLE001 - a page without script cannot be asked
            return False


def tab_to(page: Page, selector: str, most: int = 400, key: str = "Tab") -> None:
    """Presses Tab until what a selector means has the focus; what cannot be reached by keyboard fails."""
    for _ in range(most):
        page.keyboard.press(key)
        if page.evaluate("(selector) => document.activeElement?.matches(selector) ?? false", selector):
            return
    raise AssertionError(f"{most} times {key} do not lead to {selector}")


def until(page: Page, expression: str, argument: Any = None, seconds: float = 20) -> None:
    """Waits until something is true. Playwright's own way to wait evaluates texts in the page, which a strict policy forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression, argument):
        assert time.monotonic() < end, f"{expression} was not true within {seconds} s"
        page.wait_for_timeout(20)


def focused(page: Page, selector: str) -> bool:
    return bool(page.evaluate("(selector) => document.activeElement?.matches(selector) ?? false", selector))


def map_ready(page: Page) -> None:
    """Brings the map into view and waits until it can be used."""
    page.locator("#map").scroll_into_view_if_needed()
    page.locator("[data-map][data-script=ready] .map-canvas canvas").first.wait_for()
