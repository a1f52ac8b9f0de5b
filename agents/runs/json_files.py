"""Writes JSON files atomically, and finds complete checkpoints."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any


def to_json(config: Any) -> dict[str, Any]:
    """Returns a dataclass as plain JSON values."""
    record: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config), default=str))
    return record


def write_json(path: Path, record: Any) -> Path:
    """Writes JSON; the file appears complete or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return partial.replace(path)


def last_checkpoint(folder: Path) -> str | None:
    """Returns the newest complete checkpoint of a transformers trainer in `folder`, or None.

    The trainer writes its state last: a checkpoint without it is incomplete.
    """
    complete = [path.parent for path in folder.glob("checkpoint-*/trainer_state.json")]
    newest = max(complete, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
    return str(newest) if newest else None
