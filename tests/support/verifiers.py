"""Runs the commands of verifiers against a chat server of this process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.python import ROOT


def answer(messages):
    """A wrong attempt, rejected; the next one is another, accepted."""
    attempt = sum(message["role"] == "assistant" for message in messages)
    return f"\\boxed{{{attempt}}}\n[VERIFY] " + ("correct (0.9)" if attempt else "wrong")


def run_command(name, *arguments, folder):
    """Runs a console script of this interpreter's environment in a folder; returns its output."""
    scripts = Path(sys.executable).parent
    if not (scripts / name).exists():
        pytest.skip(f"verifiers installs no command {name} here")
    paths = {"PATH": f"{scripts}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [str(scripts / name), *arguments],
        cwd=folder,
        env={**os.environ, **paths},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr
