"""The console command ``srenv``. It lives in the core; what needs torch says what to install."""

from __future__ import annotations

import importlib.util
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

USAGE = """usage: srenv COMMAND [options]

commands:
  train RECIPE           train a model to correct itself: self_rewarding, score, rise,
                         process; what these are measured against: prompting, star, pair_sft,
                         plain_rl, external_verifier; or module:function, a recipe of your own
  compare RUN RUN        what one run has gained on another, with paired intervals
  evaluate               measure how well a model corrects itself
  doctor                 versions, devices, threads, and a check of the weight sync
  play                   take the model's place, in the terminal
  regrade EPISODES       grade stored episodes again, and report every changed verdict
  verify GOLD ANSWER     grade one answer; --explain shows how it was read and decided
  validate SOURCE        prove that a problem source accepts its gold answers and refuses others

`srenv COMMAND --help` lists the options of a command.
"""


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line."""
    arguments = sys.argv[1:] if arguments is None else arguments
    command = arguments[0] if arguments else ""
    try:
        if command == "train":
            _train(arguments[1:])
        elif command == "evaluate":
            _evaluate(arguments[1:])
        elif command == "compare":
            from srenv.commands.compare import CompareConfig, compare

            _call(compare, CompareConfig, "srenv compare", arguments[1:])
        elif command == "doctor":
            _prepare()
            from agents.doctor import DoctorConfig, doctor

            _call(doctor, DoctorConfig, "srenv doctor", arguments[1:])
        elif command == "play":
            from srenv.commands.play import PlayConfig, play

            _call(play, PlayConfig, "srenv play", arguments[1:])
        elif command == "regrade":
            _regrade(arguments[1:])
        elif command == "verify":
            from srenv.commands.verify import VerifyConfig, verify

            _call(verify, VerifyConfig, "srenv verify", arguments[1:])
        elif command == "validate":
            _validate(arguments[1:])
        elif command in ("", "-h", "--help"):
            print(USAGE, end="")
        else:
            sys.exit(f"srenv: unknown command {command!r}\n{USAGE}")
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        if os.environ.get("SRENV_TRACEBACK"):
            raise
        sys.exit(f"srenv: {error}\n(set SRENV_TRACEBACK=1 to see where this came from)")


def _train(arguments: list[str]) -> None:
    _prepare()
    from agents.recipes import RECIPES, find_recipe

    recipe = arguments[0] if arguments else ""
    if not recipe or recipe.startswith("-"):
        sys.exit(f"srenv: 'srenv train' needs a recipe: {', '.join(RECIPES)}, or module:function")
    train, config = find_recipe(recipe)
    _call(train, config, f"srenv train {recipe}", arguments[1:], trains=True)


def _evaluate(arguments: list[str]) -> None:
    _prepare()
    from agents.evaluate import EvaluateConfig, evaluate

    _call(evaluate, EvaluateConfig, "srenv evaluate", arguments)


def _regrade(arguments: list[str]) -> None:
    from srenv.commands.regrade import RegradeConfig, regrade

    _call(regrade, RegradeConfig, "srenv regrade", arguments)


def _validate(arguments: list[str]) -> None:
    from srenv.commands.validate import ValidateConfig, validate

    _call(validate, ValidateConfig, "srenv validate", arguments)


def _call(
    function: Callable[[Any], object],
    config: type[Any],
    program: str,
    arguments: list[str],
    trains: bool = False,
) -> None:
    import tyro

    settings = tyro.cli(config, prog=program, args=arguments)
    # A model that is only asked by name, behind a server, leaves torch without work here.
    if hasattr(settings, "model") and (trains or not getattr(settings, "base_url", None)):
        _choose_threads(settings.model)
    function(settings)


def _choose_threads(model: str) -> None:
    import torch

    from agents.models.threads import choose_threads
    from agents.runs.progress import console

    if not torch.cuda.is_available():
        console.print(f"threads: {choose_threads(model)}", highlight=False)


def _prepare() -> None:
    """Checks that the training extra is there, and quietens its libraries before they load."""
    missing = [name for name in ("torch", "transformers", "trl") if not _installed(name)]
    if missing:
        sys.exit(
            f"srenv: this command needs {', '.join(missing)}; install the training extra:\n"
            '    pip install "srenv[train]"'
        )
    if not _installed("agents.recipes"):
        sys.exit(
            "srenv: the package 'agents' that Python finds is not srenv's; another distribution "
            "uses the same name. Install srenv in an environment of its own."
        )
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # Our own bars say what is happening; the libraries' bars and notices would bury them.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers")


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


if __name__ == "__main__":
    main()
