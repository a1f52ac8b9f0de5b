"""Shell completion of ``srenv``: tyro's script for all commands, recipes and options.

Completion needs one parser that knows everything, while `srenv.commands.main` imports only the
command that runs. This module builds that parser from the same dataclasses.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Union

from srenv.registry import config_of, lookup_or_import

if TYPE_CHECKING:
    from srenv.commands.main import Command

OPTION = "--tyro-print-completion"
SHELLS = ("bash", "zsh")


def print_completion(commands: Mapping[str, Command], arguments: Sequence[str]) -> None:
    """Prints a script that completes commands, recipes and options, and exits.

    Args:
        commands: The commands to complete, by name.
        arguments: The shell, one of `SHELLS`.

    Raises:
        SystemExit: The script is printed.
        ValueError: The shell is unknown.
    """
    import tyro

    if len(arguments) != 1 or arguments[0] not in SHELLS:
        raise ValueError(f"{OPTION} takes one of {', '.join(SHELLS)}, got {list(arguments)}")

    configs = {
        name: (_config(name, command), command.summary) for name, command in commands.items()
    }
    tyro.cli(_choice(configs), prog="srenv", args=[OPTION, *arguments])


def _config(name: str, command: Command) -> type[Any]:
    if not command.function:
        return _train()
    return config_of(name, lookup_or_import("command", command.function, {}))


def _train() -> type[Any]:
    """Returns a dataclass whose one field is a recipe's configuration."""
    import tyro

    from agents.recipes import SUMMARIES, find_recipe

    recipes = {name: (find_recipe(name)[1], summary) for name, summary in SUMMARIES.items()}
    recipe: Any = Annotated[_choice(recipes), tyro.conf.arg(name="")]
    return dataclasses.make_dataclass("Train", [("recipe", recipe)])


def _choice(configs: Mapping[str, tuple[Any, str]]) -> Any:
    """Returns the union type that tyro reads as one subcommand per name."""
    import tyro

    return Union[  # noqa: UP007 (the members are known at run time)
        tuple(
            Annotated[config, tyro.conf.subcommand(name, description=summary)]
            for name, (config, summary) in configs.items()
        )
    ]
