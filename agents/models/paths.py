"""Resolves names of models to folders or hub ids."""

from __future__ import annotations

from pathlib import Path

TINY = "tiny"
"""Name of the bundled model, wherever an option takes a model."""


def model_path(model: str | Path) -> str:
    """Returns the folder or hub id to load for `model`; ``"tiny"`` means the bundled one.

    Raises:
        FileNotFoundError: `model` looks like a path, and there is no such folder.
    """
    if model == TINY:
        return str(Path(__file__).parents[1] / "tiny" / "weights")
    name = str(model)
    if (name.startswith(("/", ".", "~")) or name.count("/") > 1) and not Path(name).is_dir():
        raise FileNotFoundError(
            f"there is no folder {name}; name one with a transformers model, or a hub id"
        )
    return name
