"""The sandbox of the tests, if this machine has one."""

import os
from collections.abc import Callable
from typing import TypeVar

import pytest

from srenv.sandbox import Runner, SandboxUnavailable, default_runner

R = TypeVar("R", bound=Runner)

REQUIRED = "SRENV_REQUIRE_SANDBOX"
"""Environment variable that makes tests fail where they would skip: `.ci/run` sets it."""


def real_sandbox() -> Runner:
    """Returns the sandbox of this process; skips the test if programs cannot be run safely here."""
    return runner_or_skip(default_runner)


def runner_or_skip(make: Callable[[], R]) -> R:
    """Returns the runner that `make` makes; skips the test if programs cannot be run safely."""
    try:
        return make()
    except SandboxUnavailable as error:
        if os.environ.get(REQUIRED):
            pytest.fail(f"{REQUIRED} is set, and there is no sandbox: {error}")
        pytest.skip(str(error))
