"""Fixtures of the tests of agents."""

import pytest


@pytest.fixture(scope="session")
def chat(untrained):
    """The chat format of the untrained model."""
    from tests.support.engines import load_chat

    return load_chat(untrained)
