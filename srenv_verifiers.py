"""The environment by the name that verifiers imports: ``vf-eval srenv-verifiers``.

`verifiers` finds environments as top-level modules. With its API v1 it takes the taskset and the
environment that `__all__` names; with the older one (before 0.4) it calls `load_environment`.
"""

from __future__ import annotations

from typing import Any

__all__ = ["SelfCorrectEnv", "SelfCorrectTaskset", "load_environment"]  # noqa: F822


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from srenv.integrations import verifiers

    return getattr(verifiers, name)


def load_environment(**options: Any) -> Any:
    """Returns the environment of the older API.

    Args:
        **options: Those of `srenv.integrations.verifiers_legacy.load_environment`.
    """
    from srenv.integrations import verifiers_legacy

    return verifiers_legacy.load_environment(**options)
