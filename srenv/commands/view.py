"""``srenv view RUN``: episodes in Inspect's log viewer, or as a static site."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from srenv.commands.readings import find_rows, find_settings


@dataclass(frozen=True)
class ViewConfig:
    """Look at episodes in a browser, in Inspect's log viewer (srenv[inspect])."""

    episodes: Annotated[Path, tyro.conf.Positional]
    """The folder of a run or of an evaluation, or a file of episodes."""
    bundle: Path | None = None
    """Folder for a static site with the viewer and the logs, to be shared; no viewer is opened."""
    logs: Path | None = None
    """Folder for the logs, by default inspect/ next to the episodes."""
    port: int = 7575
    """Port of the viewer on this machine."""
    markdown: bool = False
    """Render what models wrote as Markdown and math; by default every character is shown as it
    is. For models that you trust."""


def view(config: ViewConfig) -> None:
    """Writes a log per row and opens the viewer, which runs until Ctrl-C, or bundles a site.

    Raises:
        FileNotFoundError: There are no episodes.
        FileExistsError: The folder for the site is not empty.
        ImportError: Inspect is not installed.
    """
    console = Console()
    if config.bundle and config.bundle.exists() and any(config.bundle.iterdir()):
        raise FileExistsError(f"{config.bundle} is not empty: name a new folder for --bundle")
    folder = write_logs(config)
    console.print(f"wrote logs of Inspect to {folder}", highlight=False, soft_wrap=True)
    if config.bundle:
        from inspect_ai.log import bundle_log_dir

        # An absolute path: Inspect uploads to a name that begins with "hf/".
        bundle_log_dir(str(folder), str(config.bundle.resolve()), overwrite=True)
        console.print(
            f"wrote a static site to {config.bundle}; see it with: "
            f"python -m http.server --directory {config.bundle}",
            highlight=False,
            soft_wrap=True,
        )
        return
    from inspect_ai import view as open_viewer

    open_viewer(str(folder), port=config.port)


def write_logs(config: ViewConfig) -> Path:
    """Writes a log for every row of a run and returns their folder.

    Raises:
        FileNotFoundError: There are no episodes.
        ImportError: Inspect is not installed.
    """
    rows = find_rows(config.episodes)
    run = config.episodes if config.episodes.is_dir() else config.episodes.parent
    try:
        from srenv.inspect.logs import write_log
    except ImportError as error:
        message = (
            'srenv view needs Inspect, in an environment of its own: pip install "srenv[inspect]" '
            f"(docs/inspect.md; {error})"
        )
        raise ImportError(message) from error
    settings = find_settings(run)
    folder = config.logs or run / "inspect"
    for number, (title, reading) in enumerate(rows.items(), start=1):
        write_log(folder, title, reading, settings, number=number, trust=config.markdown)
    return folder
