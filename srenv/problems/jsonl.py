"""``jsonl:path/to/file.jsonl``: problems from a file, one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from srenv.episode import Problem
from srenv.problems.records import COLUMN_OPTIONS, Columns, problem_of, readable
from srenv.problems.source import ListSource, SourceSpec

MAX_LINE_BYTES = 1_000_000


def jsonl_source(spec: SourceSpec) -> ListSource:
    """Loads a file of problems; both splits serve all of it.

    Lines that cannot be read are skipped with a warning, unless the source says ``strict=1``.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: No line is a problem, or with ``strict=1`` one is not; the message names it.
    """
    path = Path(spec.target)
    if not path.is_file():
        raise FileNotFoundError(
            f"source {spec.text!r}: no file {path}; relative paths start here: {Path.cwd()}"
        )
    columns = Columns.read(spec.read_options(*COLUMN_OPTIONS), spec)
    problems = readable(_problems(path, columns), str(path), columns.strict)
    if not problems:
        raise ValueError(f"{path} is empty; it needs one JSON object a line")
    return ListSource(spec.text, spec.split, problems)


def _problems(path: Path, columns: Columns) -> Iterator[tuple[str, Problem | ValueError]]:
    """Yields the place of every line that is not blank, and its problem or why there is none."""
    for number, line in _lines(path):
        place = f"line {number}"
        where = f"{path}, {place}"
        try:
            row = _parse(line, where, digits=columns.domain != "code")
            row_id = row.get("id", f"{path.stem}/{number}")
            problem = problem_of(row, columns, where, row_id, row.get("source", path.name))
        except ValueError as error:
            yield place, error
        else:
            yield place, problem


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yields number and text of every line that is not blank, of no more than one byte too many."""
    with path.open("rb") as file:
        number = 0
        # The limit holds while reading: a huge line is passed over, not loaded.
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            rest = line
            while len(rest) > MAX_LINE_BYTES and not rest.endswith(b"\n"):
                rest = file.readline(MAX_LINE_BYTES + 1)
            if line.strip():
                yield number, line


def _parse(line: bytes, where: str, digits: bool) -> dict[str, Any]:
    """Parses one line; with `digits`, numbers are texts as they are written."""
    if len(line) > MAX_LINE_BYTES:
        limit = f"{MAX_LINE_BYTES // 1_000_000} MB"
        raise ValueError(f"{where}: longer than {limit}; write one problem a line")
    try:
        number = {"parse_int": str, "parse_float": str} if digits else {}
        row = json.loads(line.decode("utf-8-sig"), **number)  # type: ignore[arg-type]
    except UnicodeDecodeError as error:
        raise ValueError(f"{where}: not UTF-8 ({error.reason}); save it as UTF-8") from error
    except (ValueError, RecursionError) as error:
        message = f"{where}: not JSON ({error}); write one JSON object a line"
        raise ValueError(message) from error
    if not isinstance(row, dict):
        raise ValueError(f"{where}: a JSON {type(row).__name__}, not an object {{...}}")
    return row
