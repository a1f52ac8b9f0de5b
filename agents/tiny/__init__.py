"""The bundled small model: a folder that transformers loads as any other."""

from pathlib import Path

TINY = "tiny"
"""Name of the bundled model wherever a model is asked for."""


def model_path(model: str | Path) -> str:
    """Folder or hub id to load for `model`; the name ``"tiny"`` means the bundled one."""
    return str(Path(__file__).parent / "weights") if model == TINY else str(model)
