"""The bundled small model: a folder that transformers loads as any other."""

from pathlib import Path

TINY = str(Path(__file__).parent / "weights")
"""Folder of the bundled model."""
