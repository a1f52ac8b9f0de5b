"""``--config FILE``: options from a file, JSON as every run writes it or YAML."""

from __future__ import annotations

import argparse
import dataclasses
import json
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import tyro

from srenv.records import conforms
from srenv.registry import unknown

T = TypeVar("T")

HELP = (
    "--config FILE reads these options from a file: the config.json of a run, or YAML with the "
    "same names. Options on the command line go before those of the file."
)
"""What the help of a command with this option says below its description."""


def split_arguments(program: str, arguments: Sequence[str]) -> tuple[Path | None, list[str]]:
    """Returns the file that ``--config`` names, if any, and the other arguments.

    Raises:
        SystemExit: The option is there without a file.
    """
    parser = argparse.ArgumentParser(prog=program, add_help=False, allow_abbrev=False)
    parser.add_argument("--config", type=Path)
    options, others = parser.parse_known_args(arguments)
    return options.config, others


def read_config(path: Path, kind: type[T]) -> T:
    """Reads options from a file. Those that it lacks have their defaults.

    Nothing that the file names is imported here, and YAML makes plain values only.

    Args:
        path: A JSON file, or a YAML file by any other ending.
        kind: The dataclass of the options. One without a default stays required on the command
            line.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It cannot be parsed, an option is unknown, or a value is of another type.
    """
    try:
        values = parse(path)
        required = {
            field.name: tyro.MISSING
            for field in dataclasses.fields(kind)  # type: ignore[arg-type]
            if field.default is field.default_factory is dataclasses.MISSING
        }
        return kind(**{**required, **read_fields(kind, values)})
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def parse(path: Path) -> Any:
    """Returns the plain values of a JSON or a YAML file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is neither.
    """
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"not JSON ({error})") from error
    import yaml

    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"not YAML ({error})") from error


def read_fields(kind: type[Any], values: Any, prefix: str = "") -> dict[str, Any]:
    """Returns the fields of a dataclass that `values` give, each of the type of its hint.

    Args:
        kind: The dataclass.
        values: Values by name; a dash in a name counts as an underscore.
        prefix: What the names of its options begin with, such as ``pg.``.

    Raises:
        ValueError: A name is unknown, or a value is of another type.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{prefix.rstrip('.') or 'it'} must hold options by name, not {values!r}")
    fields = {field.name: field for field in dataclasses.fields(kind)}
    hints = get_type_hints(kind)
    options = {}
    for key, value in values.items():
        name = str(key).replace("-", "_")
        if name not in fields:
            known = [prefix + field for field in fields]
            raise ValueError(unknown("option", prefix + name, known))
        if dataclasses.is_dataclass(hints[name]):
            group = read_fields(hints[name], value, f"{prefix}{name}.")
            options[name] = dataclasses.replace(default_of(fields[name], hints[name]), **group)
        else:
            options[name] = read_value(prefix + name, value, hints[name])
    return options


def default_of(field: dataclasses.Field[Any], kind: Any) -> Any:
    """Returns the default of a field that holds a dataclass of this kind."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return kind() if field.default is dataclasses.MISSING else field.default


def read_value(name: str, value: Any, hint: Any) -> Any:
    """Returns a value as the type that a hint describes: text as a path, a list as a tuple.

    Raises:
        ValueError: It is of another type.
    """
    if get_origin(hint) in (Union, types.UnionType):
        for option in get_args(hint):
            try:
                return read_value(name, value, option)
            except ValueError:
                continue
    elif get_origin(hint) is tuple and isinstance(value, list):
        return tuple(read_value(name, item, get_args(hint)[0]) for item in value)
    elif hint is Path and isinstance(value, str):
        return Path(value)
    elif hint is float and isinstance(value, str):  # YAML 1.1 reads 1e-6 as text
        try:
            return float(value)
        except ValueError:
            pass
    elif conforms(value, hint):
        return float(value) if hint is float else value
    expected = hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")
    raise ValueError(f"option {name} is {value!r}, not {expected}")
