"""Sandbox for programs that a model wrote.

The program and its tests run in different processes, each isolated; see ``docs/sandbox.md``.
"""

from __future__ import annotations

from srenv.sandbox.jobs import (
    Cases,
    Execution,
    FunctionTests,
    Job,
    Limits,
    Outcome,
    Reason,
    Runner,
    SandboxUnavailable,
    Tests,
)

__all__ = [
    "Cases",
    "Execution",
    "FunctionTests",
    "Job",
    "Limits",
    "Outcome",
    "Reason",
    "Runner",
    "SandboxUnavailable",
    "Tests",
    "default_runner",
    "use_runner",
]

_chosen: list[Runner] = []


def default_runner() -> Runner:
    """Returns what runs programs: what `use_runner` chose, or bubblewrap.

    Raises:
        SandboxUnavailable: Nothing was chosen, and bubblewrap cannot run here.
    """
    if _chosen:
        return _chosen[-1]
    from srenv.sandbox.bubblewrap import shared_runner

    return shared_runner()


def use_runner(runner: Runner | None) -> None:
    """Makes `runner` run all programs of this process from now on; None goes back to bubblewrap."""
    _chosen.clear()
    if runner is not None:
        _chosen.append(runner)
