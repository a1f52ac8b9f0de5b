"""Which episodes a name on the command line means: a file, or the rows of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from srenv.metrics.readings import READINGS, Reading
from srenv.records import conforms, read_json

PREFIX = "episodes"
"""What the names of files of episodes begin with in a run's folder."""
EVALUATION = {"episodes": "samples", "episodes_votes": "votes"}
"""How the files of an evaluation are read."""


def find_reading(name: str) -> Reading:
    """Returns the episodes that `name` names: a file, a folder's result, or FOLDER:ROW.

    Raises:
        FileNotFoundError: There is no such file or folder, or it holds no finished run.
        ValueError: The run has no such row.
    """
    path, title = Path(name), ""
    if not path.exists() and ":" in name:
        folder, _, title = name.rpartition(":")
        path = Path(folder)
    if path.is_file():
        return Reading(path)
    if (path / "summary.json").exists():
        return _find_row(path, title)
    if (path / "episodes.jsonl").exists():
        return Reading(path / "episodes.jsonl", "samples")
    if (path / "config.json").exists():
        raise FileNotFoundError(
            f"the run in {path} is not finished: run its command again with --resume, or name one "
            "of its files of episodes"
        )
    raise FileNotFoundError(
        f"{name} is not a file of episodes, and holds neither summary.json (a finished run) nor "
        "episodes.jsonl (an evaluation)"
    )


def find_rows(path: Path) -> dict[str, Reading]:
    """Returns all episodes under a path by title: a file, the rows of a run, or an evaluation.

    A run that is not finished has the rows that it has written so far, by the names of the files.

    Raises:
        FileNotFoundError: There is no such path, or no episodes in it.
        ValueError: The summary of a run is not what was written there.
    """
    if path.is_file():
        return {path.stem: Reading(path)}
    if (path / "summary.json").exists():
        rows = _rows(path)
    else:
        rows = {file.stem: _unfinished(file) for file in sorted(path.glob(f"{PREFIX}*.jsonl"))}
        rows = {title: row for title, row in rows.items() if not title.endswith(".partial")}
    if not rows:
        there = "has no episodes*.jsonl" if path.is_dir() else "is not there"
        raise FileNotFoundError(
            f"no episodes: {path} {there}; give the folder of a run (--output of srenv train or "
            "srenv evaluate) or a file of episodes"
        )
    return rows


def _unfinished(file: Path) -> Reading:
    """Returns how a file of episodes is read that no summary describes."""
    return Reading(file, EVALUATION.get(file.stem, "final"))


def _rows(folder: Path) -> dict[str, Reading]:
    """Returns the rows of a finished run.

    Raises:
        ValueError: They are not a file and a reading for every title.
    """
    path = folder / "summary.json"
    summary: dict[str, Any] = read_json(path, dict[str, Any])
    rows: dict[str, list[str]] = summary.get("episodes", {})
    if not conforms(rows, dict[str, list[str]]):
        raise ValueError(f"{path}: 'episodes' must give a file and a reading for every row")
    readings = {}
    for title, row in rows.items():
        file, reading = (*row, "", "")[:2]
        if reading not in READINGS:
            raise ValueError(f"{folder}: unknown reading {reading!r} of row {title!r}")
        readings[title] = Reading(folder / Path(file).name, reading)
    return readings


def _find_row(folder: Path, title: str) -> Reading:
    """Returns the row of a finished run with this title, or its result if there is no title."""
    rows = _rows(folder)
    title = title or str(read_json(folder / "summary.json", dict[str, Any]).get("result", ""))
    if title not in rows:
        known = "".join(f"\n  {folder}:{row}" for row in rows)
        raise ValueError(f"{folder} has no row {title!r}; it has{known}")
    return rows[title]


def find_settings(folder: Path) -> dict[str, Any]:
    """Returns the options of the run in a folder, as far as it says; those of its end count.

    Raises:
        ValueError: A file of the run does not hold what was written there.
    """
    for name, key in (("metrics.json", "config"), ("config.json", "")):
        if (folder / name).exists():
            record: dict[str, Any] = read_json(folder / name, dict[str, Any])
            settings = record.get(key) if key else record
            if isinstance(settings, dict):
                return settings
    return {}
