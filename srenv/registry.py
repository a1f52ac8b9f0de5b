"""Names into objects: registered tables, ``module:attribute``, and helpful refusals."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Returns a message that refuses `name`, with the nearest known names and all of them."""
    names = sorted(known)
    nearest = difflib.get_close_matches(name, names, n=3)
    hint = f" Did you mean {' or '.join(map(repr, nearest))}?" if nearest else ""
    listed = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    return f"unknown {kind} {name!r}.{hint} Known: {listed or 'none'}."


def lookup(kind: str, name: str, table: Mapping[str, T]) -> T:
    """Returns `table[name]`.

    Raises:
        ValueError: The name is not there; the message names what is.
    """
    if name not in table:
        raise ValueError(unknown(kind, name, table))
    return table[name]


def resolve(kind: str, name: str, table: dict[str, T | str]) -> T:
    """Returns `table[name]`, importing it the first time if the table gives a path for it.

    The entry is imported, never the name, so names may come from data.

    Raises:
        ValueError: The name is not there; the message names what is.
    """
    entry = table.get(name)
    if entry is None:
        entry = lookup(kind, name, table)
    if isinstance(entry, str):
        entry = table[name] = lookup_or_import(kind, entry, {})
    return entry  # type: ignore[return-value]


def lookup_or_import(kind: str, name: str, table: Mapping[str, T]) -> T | Any:
    """Returns `table[name]`, or the object that ``module:attribute`` names.

    For names from Python and the command line; those from data are for `lookup` and `resolve`.

    Raises:
        ValueError: It is neither.
    """
    module_name, colon, attribute = name.partition(":")
    if name in table or not colon:
        return lookup(kind, name, table)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not module_name.startswith(error.name):
            raise  # the module is there; something that it imports is not
        message = f"{unknown(kind, module_name, table)} No module {module_name!r} either."
        raise ValueError(message) from error
    if not hasattr(module, attribute):
        raise ValueError(f"{kind} {name!r}: module {module_name!r} has no {attribute!r}")
    return getattr(module, attribute)


def config_of(name: str, function: Callable[..., object]) -> type[Any]:
    """Returns the dataclass that configures a command or a recipe: the hint of its first parameter.

    Args:
        name: What the error message calls the function, such as "recipe 'score'".
        function: The function.

    Raises:
        ValueError: Its first parameter is not annotated with a dataclass.
    """
    config = next(iter(typing.get_type_hints(function).values()), None)
    if not isinstance(config, type) or not dataclasses.is_dataclass(config):
        raise ValueError(f"{name} must be a function of one annotated dataclass")
    return config
