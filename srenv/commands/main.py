"""The console command ``srenv``: a table of commands, and the function that runs them.

The table is in the core. A command that needs torch says which extra to install.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from srenv.commands import completion, trust
from srenv.registry import config_of, lookup_or_import, unknown

Threads = Literal["none", "local", "always"]
"""When a command chooses the number of CPU threads: never; when the model runs in this process
and not behind a server; always, because this process trains even if a server generates."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the console script.

    Attributes:
        summary: The line of the help.
        function: ``module:function``. The type hint of its first parameter is the dataclass that
            the command's options are made from. The command ``train`` has none: its first argument
            names a recipe, which is such a function.
        arguments: Positional arguments, as the help shows them.
        training_extra: Whether it needs the extra ``train`` (torch, transformers, TRL).
        threads: When it chooses the number of CPU threads.
        config_file: Whether its options may be in a file, which ``--config`` names.
        programs: Whether it may run programs that a model wrote; see `srenv.commands.trust`.
    """

    summary: str
    function: str = ""
    arguments: str = ""
    training_extra: bool = False
    threads: Threads = "none"
    config_file: bool = False
    programs: bool = False


COMMANDS: dict[str, Command] = {
    "train": Command(
        "train a model to correct itself; `srenv train` lists the recipes",
        arguments="RECIPE",
        training_extra=True,
        threads="always",
        config_file=True,
        programs=True,
    ),
    "evaluate": Command(
        "measure how well a model corrects itself",
        "agents.evaluate:evaluate",
        training_extra=True,
        threads="local",
        config_file=True,
        programs=True,
    ),
    "compare": Command(
        "differences between two runs on the same problems, with paired intervals",
        "srenv.commands.compare:compare",
        arguments="RUN RUN",
    ),
    "view": Command(
        "look at episodes in a browser, in Inspect's log viewer",
        "srenv.commands.view:view",
        arguments="RUN",
    ),
    "card": Command(
        "write a page about how well a model knows when it is wrong, and fixes it",
        "srenv.commands.card:card",
        arguments="RUN",
    ),
    "play": Command(
        "solve problems yourself, in the terminal", "srenv.commands.play:play", programs=True
    ),
    "serve": Command(
        "serve the environment to clients of other frameworks; --openenv",
        "srenv.commands.serve:serve",
        programs=True,
    ),
    "regrade": Command(
        "grade stored episodes again and report every changed grade",
        "srenv.commands.regrade:regrade",
        arguments="EPISODES",
        programs=True,
    ),
    "validate": Command(
        "check that a problem source accepts its gold answers and rejects wrong ones",
        "srenv.commands.validate:validate",
        arguments="SOURCE",
        programs=True,
    ),
    "verify": Command(
        "grade one answer; --explain shows how it was read and which rule decided",
        "srenv.commands.verify:verify",
        arguments="GOLD ANSWER",
    ),
    "doctor": Command(
        "print versions, devices and threads, and check the weight sync of every engine",
        "agents.doctor:doctor",
        training_extra=True,
        threads="local",
    ),
}
"""The commands by name, in the order of the help."""

HELP = ("-h", "--help")
TRAINING_LIBRARIES = ("torch", "transformers", "trl")


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line.

    Args:
        arguments: The words after ``srenv``; None takes those of the process.

    Raises:
        SystemExit: With a message, if the command is unknown or fails.
    """
    name, *rest = (sys.argv[1:] if arguments is None else arguments) or [""]
    try:
        if name in ("", *HELP):
            print(usage(), end="")
        elif name == completion.OPTION:
            completion.print_completion(installed_commands(), rest)
        elif name in COMMANDS:
            with plain_warnings():
                run_command(name, rest)
        else:
            sys.exit(f"srenv: {unknown('command', name, COMMANDS)}\n\n{usage()}")
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        if os.environ.get("SRENV_TRACEBACK"):
            raise
        sys.exit(f"srenv: {error}\n(set SRENV_TRACEBACK=1 for the traceback)")


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Prints warnings of `srenv` without the file and line of code that they come from."""
    original = warnings.formatwarning

    def formatted(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        line: str | None = None,
    ) -> str:
        if category.__module__.partition(".")[0] == "srenv":
            return f"srenv: {message}\n"
        return original(message, category, filename, lineno, line)

    warnings.formatwarning = formatted
    try:
        yield
    finally:
        warnings.formatwarning = original


def usage() -> str:
    """Returns the help of ``srenv``."""
    rows = {f"{name} {command.arguments}": command.summary for name, command in COMMANDS.items()}
    return (
        f"usage: srenv COMMAND [options]\n\ncommands:\n{columns(rows)}\n"
        "`srenv COMMAND --help` lists the options of a command.\n"
        f"`srenv {completion.OPTION} bash` prints a completion script, or one for zsh.\n"
    )


def train_usage() -> str:
    """Returns the help of ``srenv train``, which lists the recipes."""
    from agents import recipes

    summaries: Mapping[str, str] = getattr(recipes, "SUMMARIES", {})
    rows = {name: summaries.get(name, "") for name in recipes.RECIPES}
    rows["MODULE:FUNCTION"] = "a recipe of your own: a function of one annotated dataclass"
    return (
        f"usage: srenv train RECIPE [options]\n\nrecipes:\n{columns(rows)}\n"
        "`srenv train RECIPE --preset NAME` has the options for a size of model: smollm2, 0.5b,\n"
        "1.5b, 7b or 7b-lora, for self_rewarding and score.\n"
        "`srenv train RECIPE --help` lists the options of a recipe.\n"
    )


def columns(rows: Mapping[str, str]) -> str:
    """Returns two aligned columns of text, one line a row."""
    width = max(map(len, rows))
    return "".join(f"  {left:<{width}}  {right}".rstrip() + "\n" for left, right in rows.items())


def run_command(name: str, arguments: list[str]) -> None:
    """Runs a command of the table.

    Args:
        name: Its name.
        arguments: The words after the name.
    """
    if name == "train" and (not arguments or arguments[0] in HELP):
        print(train_usage(), end="")
        return
    command, program = COMMANDS[name], f"srenv {name}"
    if command.training_extra:
        require_training_extra()
        quiet_libraries()
    if name != "train":
        function = lookup_or_import("command", command.function, {})
        config = config_of(f"command {name!r}", function)
    else:
        from agents.recipes import find_recipe
        from agents.recipes.presets import expand_preset

        recipe, *arguments = arguments
        function, config = find_recipe(recipe)
        arguments = expand_preset(recipe, arguments)
        program += f" {recipe}"
    bare, notes = False, []
    if command.programs:
        bare, arguments = trust.split_arguments(program, arguments)
        notes.append(trust.HELP)
    options = parse_options(program, config, arguments, command.config_file, notes)
    if wants_threads(command.threads, options):
        choose_threads(options.model)
    with trust.without_sandbox(bare):
        function(options)


def parse_options(
    program: str,
    config: type[Any],
    arguments: Sequence[str],
    config_file: bool,
    notes: Sequence[str] = (),
) -> Any:
    """Returns the options of a command, from its arguments and the file that they may name.

    Args:
        program: What the help calls the command.
        config: The dataclass of the options.
        arguments: The words after the command's name.
        config_file: Whether ``--config`` may name a file with options.
        notes: What the help says in addition, below its description.

    Raises:
        SystemExit: The arguments cannot be parsed, or ask for help.
        ValueError: The file holds something else than these options.
    """
    import tyro

    description, default = [inspect.getdoc(config) or "", *notes], None
    if config_file:
        from srenv.commands.config_file import HELP as FILE_HELP
        from srenv.commands.config_file import read_config, split_arguments

        path, arguments = split_arguments(program, arguments)
        description.append(FILE_HELP)
        default = read_config(path, config) if path else None
    return tyro.cli(
        config,
        prog=program,
        args=arguments,
        description="\n\n".join(description),
        default=default,
    )


def wants_threads(threads: Threads, options: Any) -> bool:
    """Returns whether to choose the number of CPU threads for a command with these options."""
    if threads == "none" or not hasattr(options, "model"):
        return False
    return threads == "always" or not getattr(options, "base_url", None)


def choose_threads(model: str) -> None:
    """Measures and sets the number of CPU threads for a model, unless there is a GPU."""
    import torch

    from agents.models import threads
    from agents.runs.progress import console

    if not torch.cuda.is_available():
        console.print(f"threads: {threads.choose_threads(model)}", highlight=False)


def installed_commands() -> dict[str, Command]:
    """Returns the commands of the table that can run here: all of them, or those of the core."""
    complete = training_extra_installed()
    return {
        name: command
        for name, command in COMMANDS.items()
        if complete or not command.training_extra
    }


def require_training_extra() -> None:
    """Exits with what to install unless the extra ``train`` and our own `agents` are there.

    Raises:
        SystemExit: Something is missing.
    """
    missing = [name for name in TRAINING_LIBRARIES if not installed(name)]
    if missing:
        sys.exit(
            f"srenv: this command needs {', '.join(missing)}; install the training extra:\n"
            '    pip install "srenv[train]"'
        )
    if not training_extra_installed():
        sys.exit(
            "srenv: the package 'agents' that Python finds is not srenv's; another distribution "
            "uses the same name. Install srenv in an environment of its own."
        )


def training_extra_installed() -> bool:
    """Returns whether the extra ``train`` and our own `agents` are there."""
    return all(map(installed, (*TRAINING_LIBRARIES, "agents.recipes")))


def quiet_libraries() -> None:
    """Turns off the progress bars and notices of other libraries; call before importing them."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")


def installed(name: str) -> bool:
    """Returns whether a module can be imported, without importing it."""
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
