"""Records from files: values checked against the type hints of the dataclass they are for."""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


def make_record(kind: type[T], values: Any) -> T:
    """Builds a dataclass from values that were read from a file.

    Raises:
        ValueError: A field is missing, unknown, or of another type than its hint says.
    """
    name = kind.__name__.lower()
    if not isinstance(values, dict):
        raise ValueError(f"a {name} is an object, not {_name(values)}")
    hints = _hints(cast(Hashable, kind))
    for field, value in values.items():
        if field in hints and not conforms(value, hints[field]):
            raise ValueError(f"field {field!r} of a {name} is {_name(value)}: {str(value)[:60]!r}")
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(str(error)) from error


def read_json(path: Path, hint: Any) -> Any:
    """Reads a JSON file whose value is of the type that a hint describes.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds another type, or no JSON.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON ({error})") from error
    if not conforms(value, hint):
        raise ValueError(f"{path} does not hold what was written there: {str(value)[:60]!r}")
    return value


def read_jsonl(path: Path, make: Callable[[Any], T]) -> Iterator[T]:
    """Reads a JSON Lines file.

    Args:
        path: The file.
        make: Makes a record of the value of a line.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is no JSON, or not such a record; the message names file and line.
    """
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                record = make(json.loads(line))
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise ValueError(f"{path}, line {number}: {error}") from error
            yield record


def conforms(value: Any, hint: Any) -> bool:
    """Returns whether a JSON value is of the type that a hint describes."""
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin is Literal:
        return isinstance(value, str) and value in args
    if origin in (Union, types.UnionType):
        return any(conforms(value, option) for option in args)
    if origin is list:
        return isinstance(value, list) and all(conforms(item, args[0]) for item in value)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, dict) and all(
            conforms(key, args[0]) and conforms(item, args[1]) for key, item in value.items()
        )
    if hint in (int, float):  # JSON has one kind of number, and true is none
        return isinstance(value, (int, hint)) and not isinstance(value, bool)
    return isinstance(value, hint)


@cache
def _hints(kind: Hashable) -> dict[str, Any]:
    return get_type_hints(kind)


def _name(value: Any) -> str:
    return "null" if value is None else type(value).__name__
