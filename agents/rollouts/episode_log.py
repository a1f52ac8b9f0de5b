"""A file of finished episodes, from which an interrupted evaluation resumes."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType

from srenv.episode import Episode


class EpisodeLog:
    """Finished episodes by their keys, each appended to a JSON Lines file as it ends.

    A kill at any moment costs the line that was being written; `done` holds the others.

    Args:
        path: The file. It is read if it is there, and made if not.

    Raises:
        ValueError: A line other than the last is not a record of this class.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.done: dict[int, Episode] = {}
        end = self._read() if path.exists() else 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")
        self._file.truncate(end)

    def add(self, key: int, episode: Episode) -> None:
        """Stores a finished episode."""
        record = {"key": key, "episode": episode.to_json()}
        self._file.write(json.dumps(record).encode() + b"\n")
        self._file.flush()
        self.done[key] = episode

    def __enter__(self) -> EpisodeLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()

    def _read(self) -> int:
        """Reads what is there; returns the length of its whole lines in bytes."""
        end = 0
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    break
                try:
                    record = json.loads(line)
                    self.done[int(record["key"])] = Episode.from_json(record["episode"])
                except (ValueError, KeyError, TypeError, RecursionError) as error:
                    raise ValueError(f"{self.path}, line {number}: {error}") from error
                end += len(line)
        return end
