"""MkDocs hooks: pages that are not in docs/, and links that lead out of it.

What the pages link to in the repository becomes part of the site. Python modules lead to the API
reference; Markdown and images are taken over, and other files and folders shown, under `source/`.
"""

from __future__ import annotations

import ast
import json
import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent))

import figures
import reference

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"(\]\()([^)#\s]+)(#[^)\s]*)?(?=\))")
FENCE = re.compile(r"^(```|~~~).*?^\1[`~]*$|`[^`\n]+`", re.DOTALL | re.MULTILINE)
SOURCE = "source"
MERMAID = "assets/mermaid.min.js"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Lists the pages of the reference in the navigation, and brings mermaid if it was fetched."""
    if (ROOT / "docs" / MERMAID).exists():
        config.extra_javascript.append(MERMAID)
    names = [name for name in reference.pages() if name != "README"]
    listed: list[Any] = ["reference/README.md", *({n: f"reference/{n}.md"} for n in names)]
    config.nav = [{"Reference": listed} if item == "Reference" else item for item in config.nav]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the reference, the figures, and what the pages link to outside docs/."""
    for name, text in reference.pages().items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    for name, svg in figures.draw().items():
        replaced = files.get_file_from_path(f"images/{name}.svg")
        if replaced:
            files.remove(replaced)
        files.append(File.generated(config, f"images/{name}.svg", content=svg))
    listed = set(re.findall(rf"{SOURCE}/[^'\"]+", json.dumps(config.nav)))
    queue = [ROOT / "docs" / file.src_uri for file in files.documentation_pages()]
    queue += [ROOT / uri.removeprefix(f"{SOURCE}/") for uri in listed]
    seen: set[str] = set()
    while queue:
        path = queue.pop()
        uri = site_uri(path)
        if uri in seen or not path.exists():
            continue
        seen.add(uri)
        if uri.startswith(f"{SOURCE}/"):
            file = source_file(path, uri, config)
            if uri not in listed:
                file.inclusion = InclusionLevel.NOT_IN_NAV
            files.append(file)
        if path.is_dir():
            queue += [item for item in path.iterdir() if not item.name.startswith((".", "_"))]
        elif path.suffix == ".md":
            queue += [path.parent / target for _, target, _ in links(path.read_text("utf-8"))]
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Points links at the pages of the site."""
    uri = page.file.src_uri
    inside = uri.removeprefix(f"{SOURCE}/") if uri.startswith(f"{SOURCE}/") else f"docs/{uri}"
    folder = (ROOT / inside).parent

    def rewritten(match: re.Match[str]) -> str:
        start, target, anchor = match.groups()
        if is_external(target):
            return match[0]
        path = folder / target
        return f"{start}{posixpath.relpath(site_uri(path), posixpath.dirname(uri))}" + (
            anchor or module_anchor(path)
        )

    return outside_code(markdown, lambda text: LINK.sub(rewritten, text))


def site_uri(path: Path) -> str:
    """Returns the page or file of the site that shows a file of the repository."""
    place = Path(posixpath.normpath(path.as_posix())).relative_to(ROOT)
    if place.parts[0] == "docs" and place.suffix != ".py":
        page = place.relative_to("docs")
        return (page / "README.md" if path.is_dir() else page).as_posix()
    module = module_of(place)
    if module in reference.modules():
        return f"reference/{reference.modules()[module].page}.md"
    if place.suffix in (".md", ".png", ".svg", ".csv"):
        return f"{SOURCE}/{place.as_posix()}"
    return f"{SOURCE}/{place.as_posix()}.md"


def module_of(place: Path) -> str:
    """Returns the name that a file would be imported by."""
    return ".".join(place.with_suffix("").parts).removesuffix(".__init__")


def module_anchor(path: Path) -> str:
    """Returns the anchor of a module in its page of the reference; empty for other files."""
    place = Path(posixpath.normpath(path.as_posix())).relative_to(ROOT)
    module = module_of(place)
    return f"#{module}" if path.suffix == ".py" and module in reference.modules() else ""


def source_file(path: Path, uri: str, config: MkDocsConfig) -> File:
    """Returns the file of the site for a file or folder of the repository outside docs/."""
    place = Path(posixpath.normpath(path.as_posix())).relative_to(ROOT).as_posix()
    if path.is_dir():
        items = sorted(item for item in path.iterdir() if not item.name.startswith((".", "_")))
        rows = [f"- [{item.name}]({path.name}/{item.name})" for item in items]
        return File.generated(config, uri, content="\n".join([f"# {place}", "", *rows, ""]))
    if path.suffix in (".md", ".png", ".svg", ".csv"):
        return File.generated(config, uri, abs_src_path=str(path))
    if path.suffix == ".ipynb":
        return File.generated(config, uri, content=notebook(path))
    text = path.read_text("utf-8")
    about = (ast.get_docstring(ast.parse(text)) or "") if path.suffix == ".py" else ""
    summary = about.partition("\n\n")[0]
    language = {".py": "python", ".jsonl": "json"}.get(path.suffix, path.suffix[1:])
    content = f"# {place}\n\n{summary}\n\n````{language}\n{text}````\n"
    return File.generated(config, uri, content=content)


def notebook(path: Path) -> str:
    """Returns the cells of a notebook as Markdown."""
    parts = []
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    return "\n\n".join(parts) + "\n"


def links(markdown: str) -> list[tuple[str, str, str]]:
    """Returns the relative links of a page, code left out."""
    return [link for link in LINK.findall(FENCE.sub("", markdown)) if not is_external(link[1])]


def is_external(target: str) -> bool:
    """Returns whether a link leads to another site or to a place in the same page."""
    return target.startswith(("http:", "https:", "mailto:", "#"))


def outside_code(markdown: str, change: Any) -> str:
    """Changes the parts of a page that are no code."""
    parts, end = [], 0
    for match in FENCE.finditer(markdown):
        parts += [change(markdown[end : match.start()]), match[0]]
        end = match.end()
    return "".join([*parts, change(markdown[end:])])
