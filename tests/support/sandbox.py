"""The sandbox of the tests, if this machine has one."""

from collections.abc import Callable
from typing import TypeVar

import pytest

from srenv.sandbox import Runner, SandboxUnavailable, default_runner

R = TypeVar("R", bound=Runner)


def real_sandbox() -> Runner:
    """Returns the sandbox of this process; skips the test if programs cannot be run safely here."""
    return runner_or_skip(default_runner)


def runner_or_skip(make: Callable[[], R]) -> R:
    """Returns the runner that `make` makes; skips the test if programs cannot be run safely."""
    try:
        return make()
    except SandboxUnavailable as error:
        pytest.skip(str(error))
