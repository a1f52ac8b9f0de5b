"""Presets: options of a recipe for a size of model, as files that ``--config`` also reads.

A preset is ``NAME/RECIPE.yaml`` next to this file. Comments in it say where the values come from.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from srenv.registry import unknown

FOLDER = Path(__file__).parent


def preset_names(recipe: str) -> list[str]:
    """Returns the names of the presets of a recipe."""
    return sorted(path.parent.name for path in FOLDER.glob(f"*/{recipe}.yaml"))


def preset_file(recipe: str, name: str) -> Path:
    """Returns the file of a preset.

    Raises:
        ValueError: The recipe has no such preset.
    """
    names = preset_names(recipe)
    if name not in names:
        raise ValueError(unknown(f"preset of {recipe}", name, names))
    return FOLDER / name / f"{recipe}.yaml"


def expand_preset(recipe: str, arguments: Sequence[str]) -> list[str]:
    """Returns a recipe's arguments with ``--preset NAME`` replaced by ``--config FILE``.

    Raises:
        ValueError: The recipe has no such preset, or ``--config`` is there as well.
        SystemExit: The option is there without a name.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--preset")
    options, others = parser.parse_known_args(arguments)
    if options.preset is None:
        return list(arguments)
    if any(argument.partition("=")[0] == "--config" for argument in others):
        raise ValueError("--preset and --config both give the options: name one of them")
    return ["--config", str(preset_file(recipe, options.preset)), *others]
