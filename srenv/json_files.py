"""JSON and JSON Lines files, written atomically: a file appears complete or not at all."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def write_json(path: str | Path, record: Any) -> Path:
    """Writes a JSON value, and returns the path.

    Args:
        path: The file, which is replaced if it exists; its folder is made.
        record: The value.
    """
    return _write(path, [json.dumps(record, indent=2, ensure_ascii=False)])


def write_jsonl(path: str | Path, records: Iterable[Mapping[str, Any]]) -> Path:
    """Writes one record per line, and returns the path.

    Args:
        path: The file, which is replaced if it exists; its folder is made.
        records: Records of JSON values.
    """
    return _write(path, (json.dumps(record, ensure_ascii=False) for record in records))


def to_json(config: Any) -> dict[str, Any]:
    """Returns a dataclass as plain JSON values; what JSON does not know becomes text."""
    record: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config), default=str))
    return record


def _write(path: str | Path, lines: Iterable[str]) -> Path:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8") as file:
        for line in lines:
            file.write(line + "\n")
    return partial.replace(path)
