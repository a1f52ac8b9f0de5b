"""A run folder: its configuration, its stages, and going on after a kill."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agents.runs.json_files import to_json, write_json
from agents.runs.processes import is_main
from agents.runs.progress import console


class Run:
    """One run of a recipe, in one folder.

    A stage is done when its ``done.json`` stands; that file is written last and whole, so a kill
    at any moment leaves a stage either done or to be done again (from its trainer's checkpoints).

    Args:
        directory: The run's folder.
        config: The recipe's configuration, a dataclass.
        resume: Go on with the run that stands in the folder.

    Attributes:
        spent: Tokens generated for training and tokens trained on, over all stages so far.

    Raises:
        FileExistsError: The folder holds a run, and `resume` is not set.
        ValueError: The folder holds a run with another configuration.
    """

    def __init__(self, directory: Path, config: Any, resume: bool) -> None:
        self.directory = directory
        self.config = to_json(config)
        self.spent = {"generated": 0, "trained": 0}
        path = directory / "config.json"
        if not is_main():
            return
        if path.exists():
            self._check(path, resume)
        else:
            write_json(path, self.config)

    def stage(
        self, name: str, work: Callable[[Path], dict[str, Any]], everywhere: bool = False
    ) -> dict[str, Any]:
        """Does `work` in the stage's own folder, once; returns its (stored) result.

        Of several processes the main one works and the others wait for it, unless the work is
        done `everywhere`, as training is. The result must be plain JSON; `generated` and `trained`
        in it are added to `spent`.
        """
        folder = self.directory / name
        done = folder / "done.json"
        if not is_main():
            if everywhere and not done.exists():
                work(folder)
            _wait_for(done)
        elif done.exists():
            console.print(f"[green]done before:[/] {name}")
        else:
            folder.mkdir(parents=True, exist_ok=True)
            start = time.monotonic()
            result = work(folder)
            write_json(done, {**result, "seconds": round(time.monotonic() - start, 1)})
        stored: dict[str, Any] = json.loads(done.read_text())
        for kind in self.spent:
            self.spent[kind] += stored.get(kind, 0)
        return stored

    def _check(self, path: Path, resume: bool) -> None:
        if not resume:
            raise FileExistsError(
                f"{self.directory} holds a run already: add --resume to go on with it, or name "
                "another folder with --output"
            )
        before = json.loads(path.read_text())
        # An option that is newer than the run has a default that does what was done before.
        changed = [k for k, v in self.config.items() if before.get(k, v) != v and k != "resume"]
        if changed:
            raise ValueError(
                f"{path} was made with other settings for {', '.join(changed)}: repeat them, or "
                "name another folder with --output"
            )


def _wait_for(done: Path) -> None:
    """Waits for a stage that the main process is at; its launcher ends us if it fails."""
    while not done.exists():
        time.sleep(0.2)
