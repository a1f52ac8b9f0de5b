"""Takes the screenshots of the documentation: `python docs/screenshot.py`, after `mkdocs build`.

It needs Debian's `chromium` and `pip install playwright`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.browser import opened_page, served  # noqa: E402 (the path comes first)


def main() -> None:
    """Writes images/site.png."""
    site = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "site"
    if not (site / "index.html").exists():
        sys.exit(f"{site} is no built site: run mkdocs build")
    with (
        tempfile.TemporaryDirectory() as profile,
        served(site) as address,
        opened_page(Path(profile), width=1280, height=860) as page,
    ):
        page.goto(f"{address}/rewards/", wait_until="networkidle")
        page.screenshot(path=ROOT / "docs" / "images" / "site.png")


if __name__ == "__main__":
    main()
