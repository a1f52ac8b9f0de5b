"""Model names as the folders or hub ids to load."""

from __future__ import annotations

from pathlib import Path

TINY = "tiny"
"""Name of the bundled model wherever a model is asked for."""


def model_path(model: str | Path) -> str:
    """Folder or hub id to load for `model`; the name ``"tiny"`` means the bundled one.

    Raises:
        FileNotFoundError: It can only be meant as a folder, and there is none.
    """
    if model == TINY:
        return str(Path(__file__).parents[1] / "tiny" / "weights")
    name = str(model)
    if (name.startswith(("/", ".", "~")) or name.count("/") > 1) and not Path(name).is_dir():
        raise FileNotFoundError(
            f"there is no folder {name}; name one with a transformers model, or a hub id"
        )
    return name
