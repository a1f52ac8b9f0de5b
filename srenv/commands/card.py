"""``srenv card RUN``: a page about how well a model corrects itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from srenv.commands.readings import find_reading, find_settings


@dataclass(frozen=True)
class CardConfig:
    """Write a page that says how well a model knows when it is wrong and fixes it (srenv[card])."""

    episodes: Annotated[str, tyro.conf.Positional]
    """A run's folder, an evaluation's folder, or a file of episodes; FOLDER:ROW names a row."""
    name: str = ""
    """Name of the model on the page, by default as the run calls it."""
    output: Path | None = None
    """Folder for card.md, card.html and card.png, by default that of the episodes."""


def card(config: CardConfig) -> Path:
    """Writes the page as Markdown and as HTML, and its figure; returns the Markdown file.

    Raises:
        FileNotFoundError: There are no episodes.
        ValueError: None of the episodes could be graded.
        ImportError: The extra is not installed.
    """
    reading = find_reading(config.episodes)
    try:
        import markdown_it  # noqa: F401
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(f'srenv card: pip install "srenv[card]" ({error})') from error
    from srenv.card import FIGURE, Card, draw, html, markdown

    folder = reading.episodes.parent
    options = find_settings(folder)
    row = "" if Path(config.episodes).exists() else config.episodes.rpartition(":")[2]
    page = Card(
        model=config.name or Path(str(options.get("model") or "the model")).name,
        row=row,
        outcomes=reading.outcomes(),
        options=options,
    )
    output = config.output or folder
    output.mkdir(parents=True, exist_ok=True)
    figure = draw(output / FIGURE, page.outcomes)
    text = markdown(page)
    paths = [output / "card.md", output / "card.html", figure]
    paths[0].write_text(text, encoding="utf-8")
    title = f"How well {page.model} corrects itself"
    paths[1].write_text(html(text, title, figure.read_bytes()), encoding="utf-8")
    names = "\n      ".join(map(str, paths))
    Console().print(f"wrote {names}", highlight=False, soft_wrap=True, markup=False)
    return paths[0]
