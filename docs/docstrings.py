"""A Griffe extension: the docstrings of this project in the form that the site renders."""

from __future__ import annotations

from typing import Any

import griffe


class Docstrings(griffe.Extension):
    """Makes sessions of ``Example:`` sections, and plain colons of those that begin a block."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrites the docstring of one object."""
        if obj.docstring:
            text = obj.docstring.value.replace("\nExample:\n", "\nExamples:\n")
            obj.docstring.value = text.replace("::\n", ":\n")
