"""Resolves names of models to folders or hub ids."""

from __future__ import annotations

import difflib
from pathlib import Path

from agents.models.smollm2 import smollm2_folder

TINY, TINY_PROGRAMS = "tiny", "tiny_programs"
"""Names of the bundled models, of math and of programs, wherever an option takes a model."""

BUNDLED = {TINY: "weights", TINY_PROGRAMS: "weights_programs"}
"""Their folders in `agents/tiny`."""

SMOLLM2 = "smollm2"
"""Name of SmolLM2-135M-Instruct, a small real model; it needs the extra of the same name."""


def model_path(model: str | Path) -> str:
    """Returns the folder or hub id to load for `model`, which may be bundled, or ``"smollm2"``.

    Raises:
        ImportError: The model is smollm2, and its extra is not installed.
        FileNotFoundError: `model` looks like a path, and there is no such folder; or like one of
            these names, misspelled.
    """
    if folder := BUNDLED.get(str(model)):
        return str(Path(__file__).parents[1] / "tiny" / folder)
    if model == SMOLLM2:
        return str(smollm2_folder())
    name = str(model)
    if Path(name).is_dir():
        return name
    if nearest := difflib.get_close_matches(name, [*BUNDLED, SMOLLM2], n=1, cutoff=0.85):
        raise FileNotFoundError(f"there is no model {name!r}. Did you mean {nearest[0]!r}?")
    if name.startswith(("/", ".", "~")) or name.count("/") > 1:
        raise FileNotFoundError(
            f"there is no folder {name}; name one with a transformers model, or a hub id"
        )
    return name
