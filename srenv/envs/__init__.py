"""Registers the environments with Gymnasium."""

from __future__ import annotations

from gymnasium.envs.registration import register, registry

from srenv.envs.catalogue import ENVIRONMENTS

__all__ = ["ENVIRONMENTS", "register_environments"]


def register_environments() -> None:
    """Registers what is not registered yet: ``srenv:ID`` may import the package a second time."""
    for name, entry in ENVIRONMENTS.items():
        if name not in registry:
            arguments = {"problems": entry.problems, "protocol": entry.protocol}
            register(
                id=name,
                entry_point=entry.entry_point,
                vector_entry_point=entry.vector_entry_point,
                kwargs={name: value for name, value in arguments.items() if value},
            )
