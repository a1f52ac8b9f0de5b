"""The example of `vf-eval` on a model that it serves, in examples/verifiers_eval.py."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("verifiers.v1", reason="needs the extra verifiers")

from tests.support.python import ROOT


@pytest.mark.slow
def test_the_example_evaluates_the_bundled_model(tmp_path):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    result = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "verifiers_eval.py"), "--problems", "1"],
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert '"correct_final"' in result.stdout
    assert list(tmp_path.glob("outputs/*/traces.jsonl"))
