"""The example of TRL on an OpenEnv server, in examples/openenv_grpo.py."""

import subprocess
import sys

import pytest

pytest.importorskip("openenv", reason="needs the extra openenv")

from tests.support.environments import make_env
from tests.support.openenv import openenv_server
from tests.support.python import ROOT

EXAMPLE = ROOT / "examples" / "openenv_grpo.py"


@pytest.mark.slow
def test_the_example_trains_on_a_server(tmp_path):
    with openenv_server(lambda: make_env(max_attempts=2, protocol="intrinsic")) as url:
        result = subprocess.run(
            [sys.executable, str(EXAMPLE), "--url", url, "--steps", "1"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert result.returncode == 0, result.stderr
    assert "train_runtime" in result.stdout
