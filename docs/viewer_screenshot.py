"""Takes the pictures of docs/inspect.md: `python docs/viewer_screenshot.py RUN`.

RUN is a folder that `srenv view` takes. Needs `srenv[inspect]`, `playwright` and `chromium`.
"""

from __future__ import annotations

import argparse
import functools
import shutil
import tempfile
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import Page, ViewportSize, sync_playwright

from srenv.commands.view import ViewConfig, view

FOLDER = Path(__file__).parent / "images"
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
SIZE: ViewportSize = {"width": 1250, "height": 560}


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, format: str, *arguments: object) -> None:
        """Drops the message."""


def take(page: Page, address: str, log: str) -> None:
    """Takes the table of a log, and the first conversation that corrects itself."""
    page.goto(f"{address}/#/tasks/{log}")
    corrected = page.get_by_text("I → C").first
    corrected.wait_for(timeout=60_000)
    page.wait_for_timeout(2000)
    page.screenshot(path=FOLDER / "viewer_table.png")
    corrected.click()
    page.get_by_text("[VERIFY] wrong").nth(1).wait_for(timeout=60_000)
    page.set_viewport_size({**SIZE, "height": 820})  # the correction as well
    page.wait_for_timeout(2000)
    page.screenshot(path=FOLDER / "viewer_conversation.png")


def main() -> None:
    """Bundles a run, opens it, and writes the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--log", help="name of the log, such as 01_base.eval; the last by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        site = Path(folder) / "site"
        view(ViewConfig(arguments.run, bundle=site, logs=Path(folder) / "logs"))
        log = arguments.log or max(path.name for path in (site / "logs").glob("*.eval"))
        handler = functools.partial(Quiet, directory=str(site))
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        context = driver.chromium.launch_persistent_context(
            Path(folder) / "profile",
            executable_path=shutil.which("chromium"),
            args=ARGUMENTS,
            viewport=SIZE,
        )
        take(context.new_page(), f"http://127.0.0.1:{server.server_port}", log)
        context.close()
        server.shutdown()


if __name__ == "__main__":
    main()
