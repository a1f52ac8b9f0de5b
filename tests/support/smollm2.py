"""The real model of the tests, if its packages are installed."""

import pytest


def real_smollm2() -> str:
    """Returns the folder of SmolLM2-135M-Instruct; skips the test if its packages are missing."""
    from agents.models.paths import model_path

    try:
        return model_path("smollm2")
    except ImportError as error:
        pytest.skip(str(error))
