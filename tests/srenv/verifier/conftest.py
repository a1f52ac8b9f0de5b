"""Fixtures of the verifier's tests."""

from __future__ import annotations

import pytest

from srenv.verifier.symbolic import pool


@pytest.fixture
def workers() -> pool.Pool:
    """A pool that has one worker running."""
    assert pool.ask_worker("x+1", "1+x") == (True, "symbolic")
    return pool.shared
