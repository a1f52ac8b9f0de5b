"""The sandbox of the tests, if this machine has one."""

import pytest

from srenv.sandbox import Runner, SandboxUnavailable, default_runner


def real_sandbox() -> Runner:
    """Returns the sandbox; skips the test if programs cannot be run safely here."""
    try:
        return default_runner()
    except SandboxUnavailable as error:
        pytest.skip(str(error))
