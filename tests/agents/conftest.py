"""Fixtures of the tests of agents."""

import gc

import pytest


@pytest.fixture(scope="session", autouse=True)
def imports_frozen():
    """Leaves what imports create out of garbage collections, of which a trainer makes several."""
    import agents.training.dpo
    import agents.training.policy_gradient
    import agents.training.sft  # noqa: F401

    gc.freeze()


@pytest.fixture(scope="session")
def chat(untrained):
    """The chat format of the untrained model."""
    from tests.support.engines import load_chat

    return load_chat(untrained)
