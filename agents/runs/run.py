"""A run's folder: its configuration, its stages, and how it resumes after a kill."""

from __future__ import annotations

import importlib.util
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agents.runs.processes import is_main
from agents.runs.progress import console
from srenv.json_files import to_json, write_json
from srenv.records import read_json


class Stage:
    """A stage of a run, done once.

    It is done when its ``done.json`` exists. That file is written last and whole, so a kill at any
    moment leaves a stage either done or to be done again (from its trainer's checkpoints)::

        stage = run.stage("warmup")
        if stage.todo:
            stage.finish(model=str(fine_tune(...)))
        model = stage.result["model"]

    Of several processes the main one does the work and the others wait for its result, unless the
    work is done `everywhere`, as training is.

    Attributes:
        folder: The stage's own folder.
        todo: Whether this process has work to do.
    """

    def __init__(self, folder: Path, everywhere: bool) -> None:
        self.folder = folder
        self._done = folder / "done.json"
        self._start = time.monotonic()
        self.todo = (is_main() or everywhere) and not self._done.exists()
        if self.todo and is_main():
            folder.mkdir(parents=True, exist_ok=True)
        elif is_main():
            console.print(f"[green]done before:[/] {folder.name}")

    def finish(self, **result: Any) -> None:
        """Stores the result, plain JSON values; ``generated`` and ``trained`` count tokens."""
        if is_main():
            seconds = round(time.monotonic() - self._start, 1)
            write_json(self._done, {**result, "seconds": seconds})
        self.todo = False

    @property
    def result(self) -> dict[str, Any]:
        """The stored result; other processes than the main one wait for it.

        Raises:
            RuntimeError: The stage has not been finished.
            ValueError: The file holds no result.
        """
        if self.todo:
            raise RuntimeError(f"stage {self.folder.name} was left before it was finished")
        while not self._done.exists():  # the launcher ends this process if the main one fails
            time.sleep(0.2)
        stored: dict[str, Any] = read_json(self._done, dict[str, Any])
        return stored


class Run:
    """One run of a recipe, in one folder.

    Args:
        directory: The run's folder.
        config: The recipe's configuration, a dataclass.
        resume: Resume the run in the folder.

    Raises:
        FileExistsError: The folder holds a run, and `resume` is not set.
        ValueError: The folder holds a run with another configuration.
    """

    def __init__(self, directory: Path, config: Any, resume: bool) -> None:
        self.directory = directory
        self.config = to_json(config)
        self._stages: dict[str, Stage] = {}
        path = directory / "config.json"
        if is_main():
            check_folder(directory, config, resume)
            if not path.exists():
                write_json(path, self.config)

    def stage(self, name: str, everywhere: bool = False) -> Stage:
        """Returns the stage of this name; with `everywhere`, all processes work on it."""
        self._stages[name] = Stage(self.directory / name, everywhere)
        return self._stages[name]

    @property
    def spent(self) -> dict[str, int]:
        """Tokens generated for training and tokens trained on, over all stages so far."""
        results = [stage.result for stage in self._stages.values()]
        return {
            kind: sum(int(result.get(kind, 0)) for result in results)
            for kind in ("generated", "trained")
        }

    @property
    def resources(self) -> dict[str, dict[str, float]]:
        """Seconds of every stage so far, and memory and tokens per second of those that train."""
        names = ("seconds", "peak_memory_gb", "generated_per_second", "trained_per_second")
        return {
            name: {key: stage.result[key] for key in names if key in stage.result}
            for name, stage in self._stages.items()
        }


def check_folder(directory: Path, config: Any, resume: bool) -> None:
    """Refuses a folder that holds another run than the one that is meant; writes nothing.

    Args:
        directory: The run's folder, which need not exist.
        config: The configuration of the run that is meant, a dataclass.
        resume: Whether it resumes the run in the folder.

    Raises:
        FileExistsError: The folder holds a run, and `resume` is not set.
        ValueError: The folder holds a run with another configuration.
    """
    path = directory / "config.json"
    if not path.exists():
        return
    if not resume:
        raise FileExistsError(
            f"{directory} holds a run already: add --resume to resume it, or name "
            "another folder with --output"
        )
    before = read_json(path, dict[str, Any])
    changed = [name for name in changed_options(before, to_json(config)) if name != "resume"]
    if changed:
        raise ValueError(
            f"{path} was made with other settings for {', '.join(changed)}: repeat them, or "
            "name another folder with --output"
        )


def show_view_command(folder: Path) -> None:
    """Prints how to look at the episodes in a run's folder."""
    text = f"look at the episodes: srenv view {shlex.quote(str(folder))}"
    if importlib.util.find_spec("inspect_ai") is None:
        text += " (needs srenv[inspect] in an environment of its own: docs/inspect.md)"
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def changed_options(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Returns the names of options that differ, those of a stage as ``pg.steps``.

    An option that is newer than the run has a default that does what the run did.
    """
    names = []
    for name, value in now.items():
        old = before.get(name, value)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            names += [f"{name}.{inner}" for inner in changed_options(old, value)]
        elif old != value:
            names.append(name)
    return names
