"""The documentation site: a strict build, its links, names, figures, search and diagrams."""

import json
import os
import subprocess
import sys
import zlib
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urljoin

import pytest

from tests.support.browser import opened_page, served
from tests.support.python import ROOT

pytest.importorskip("mkdocs", reason='needs the site: pip install -e ".[docs]"')


PATIENCE = 120_000
"""Milliseconds to wait for the browser, on a machine that is busy."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    result = subprocess.run(build, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return folder


class Page(HTMLParser):
    """The links and anchors of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.anchors = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.anchors |= {attributes.get("id"), attributes.get("name")}
        self.links += [attributes[name] for name in ("href", "src") if attributes.get(name)]


@pytest.fixture(scope="module")
def pages(site):
    return {
        f"/{path.relative_to(site).as_posix()}": Page(path.read_text(encoding="utf-8"))
        for path in site.rglob("*.html")
        if path.name != "404.html"
    }


def test_every_link_leads_to_a_page_and_an_anchor(site, pages):
    for address, page in pages.items():
        for link in page.links:
            target, anchor = urldefrag(urljoin(address, link))
            if not target.startswith("/"):
                continue
            file = unquote(f"{target}index.html" if target.endswith("/") else target)
            assert (site / file[1:]).is_file(), f"{address}: {link}"
            if anchor and file in pages:
                assert unquote(anchor) in pages[file].anchors, f"{address}: {link}"


def test_the_reference_has_every_public_name(site):
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import reference
    finally:
        sys.path.pop(0)
    inventory = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    names = {line.split(" ")[0] for line in zlib.decompress(inventory).decode().splitlines()}
    missing = [name for name in reference.public_names() if name not in names]
    assert not missing
    assert len(names) > 1000


def test_figures_are_those_that_the_code_draws(site):
    for path in (ROOT / "docs" / "images").glob("*.svg"):
        drawn = (site / "images" / path.name).read_text(encoding="utf-8")
        assert path.read_text(encoding="utf-8") == drawn, "run python docs/figures.py"


def test_the_search_index_has_pages_and_names(site):
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    locations = {entry["location"] for entry in index["docs"]}
    assert {"start/", "rewards/", "reference/srenv.envs/#srenv.envs.env"} <= locations


needs_mermaid = pytest.mark.skipif(
    not (ROOT / "docs" / "assets" / "mermaid.min.js").exists(),
    reason="needs docs/assets/mermaid.min.js, which .ci/docs fetches: pages ask a CDN without it",
)


@needs_mermaid
def test_a_browser_searches_the_site(site, tmp_path):
    with served(site) as address, opened_page(tmp_path) as page:
        page.set_default_timeout(PATIENCE)
        page.goto(f"{address}/")
        page.get_by_placeholder("Search").click()
        # The page searches at key strokes, once its index is loaded.
        ready = page.locator(".md-search-result__meta", has_text="Type to start searching")
        ready.wait_for(state="attached")
        page.get_by_placeholder("Search").press_sequentially("rewards that can be gamed")
        results = page.locator('.md-search-result__link[href*="#rewards-that-can-be-gamed"]')
        results.first.wait_for(state="attached")


@needs_mermaid
def test_a_browser_draws_every_diagram(site, pages, tmp_path):
    diagrams = [
        (address, block)
        for address in pages
        for block in (site / address[1:]).read_text(encoding="utf-8").split('class="mermaid"')[1:]
    ]
    assert len(diagrams) > 5
    with served(site) as address, opened_page(tmp_path) as page:
        page.set_default_timeout(PATIENCE)
        for place in sorted({place for place, _ in diagrams}):
            page.goto(f"{address}{place}")
            drawn = page.locator("div.mermaid")
            drawn.first.wait_for(state="attached")
            count = sum(place == other for other, _ in diagrams)
            page.wait_for_function(
                "n => document.querySelectorAll('div.mermaid').length === n", arg=count
            )
            texts = page.evaluate(PARSE)
            assert texts == [], f"{place}: {texts}"


PARSE = """async () => {
  const response = await fetch(location.href);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const errors = [];
  for (const block of page.querySelectorAll("pre.mermaid")) {
    try { await mermaid.parse(block.textContent); } catch (error) { errors.push(String(error)); }
  }
  return errors;
}"""
"""Returns the errors of mermaid's parser in the source of the page."""
