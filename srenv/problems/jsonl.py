"""``jsonl:path/to/file.jsonl``: problems from a file, one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from srenv.episode import Problem
from srenv.problems.records import COLUMN_OPTIONS, Columns, problem_of
from srenv.problems.source import ListSource, SourceSpec

MAX_LINE_BYTES = 1_000_000


def jsonl_source(spec: SourceSpec) -> ListSource:
    """Loads a file of problems; both splits serve all of it.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file holds anything but problems; the message names the line.
    """
    path = Path(spec.target)
    if not path.is_file():
        raise FileNotFoundError(
            f"source {spec.text!r}: no file {path}; relative paths start here: {Path.cwd()}"
        )
    columns = Columns.read(spec.read_options(*COLUMN_OPTIONS), spec)
    first_line: dict[str, int] = {}
    problems: list[Problem] = []
    for number, row in _rows(path):
        where = f"{path}, line {number}"
        problem_id = row.get("id", f"{path.stem}/{number}")
        problem = problem_of(row, columns, where, problem_id, row.get("source", path.name))
        if problem.id in first_line:
            message = f"id {problem.id!r} is in line {first_line[problem.id]} already"
            raise ValueError(f"{where}: {message}; ids must be distinct")
        first_line[problem.id] = number
        problems.append(problem)
    if not problems:
        raise ValueError(f"{path} is empty; it needs one JSON object a line")
    return ListSource(spec.text, spec.split, problems)


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields the line number and the object of every line that is not blank."""
    with path.open("rb") as file:
        number = 0
        # The limit holds while reading: a huge file without newlines is refused, not loaded.
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(line) > MAX_LINE_BYTES:
                raise ValueError(
                    f"{path}, line {number}: longer than {MAX_LINE_BYTES // 1_000_000} MB; "
                    "write one problem a line"
                )
            if line.strip():
                yield number, _parse(line, f"{path}, line {number}")


def _parse(line: bytes, where: str) -> dict[str, Any]:
    """Parses one line; numbers keep the digits that they are written with."""
    try:
        row = json.loads(line.decode("utf-8-sig"), parse_int=str, parse_float=str)
    except UnicodeDecodeError as error:
        raise ValueError(f"{where}: not UTF-8 ({error.reason}); save it as UTF-8") from error
    except (ValueError, RecursionError) as error:
        message = f"{where}: not JSON ({error}); write one JSON object a line"
        raise ValueError(message) from error
    if not isinstance(row, dict):
        raise ValueError(f"{where}: a JSON {type(row).__name__}, not an object {{...}}")
    return row
