"""The main job, small: killed in every stage, resumed, and finished."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from agents.recipes.self_rewarding.recipe import ROWS, SelfRewardingConfig
from agents.runs.run import Run

SMALL = (
    "--eval-n=24",
    "--rejection.problems=120",
    "--sft.epochs=2",
    "--sft.save-every=2",
    "--sft.batch-size=8",
    "--pg.steps=6",
    "--pg.problems-per-step=4",
    "--pg.group-size=4",
    "--pg.micro-batch=16",
    "--pg.save-every=2",
    "--report-to=none",
)
STAGES = (
    "evaluate_base",
    "evaluate_intrinsic",
    "rejection_sampling",
    "warmup",
    "evaluate_warmup",
    "policy_gradient",
    "evaluate_policy_gradient",
    "evaluate_majority",
)


def start(folder, *more):
    command = [
        sys.executable,
        "-m",
        "srenv",
        "train",
        "self_rewarding",
        *SMALL,
        *more,
    ]
    log = (folder.parent / "log.txt").open("a")
    return subprocess.Popen([*command, f"--output={folder}"], stdout=log, stderr=log)


def done(folder):
    """Stages that are done, with the moment they were finished."""
    return {s: p.stat().st_mtime_ns for s in STAGES if (p := folder / s / "done.json").exists()}


def kill_when(process, condition, limit=240):
    deadline = time.monotonic() + limit
    while not condition():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < deadline, "the stage was not reached"
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_sigkill_in_any_stage_and_resume(tmp_path):
    folder = tmp_path / "run"
    moments = {
        "rejection_sampling": lambda: (folder / "rejection_sampling").exists(),
        "warmup": lambda: any((folder / "warmup").glob("checkpoint-*/trainer_state.json")),
        "policy_gradient": lambda: any(
            (folder / "policy_gradient").glob("checkpoint-*/trainer_state.json")
        ),
    }
    finished: dict[str, int] = {}
    for stage, condition in moments.items():
        process = start(folder, "--resume")
        kill_when(process, condition)
        now = done(folder)
        assert stage not in now
        # What was finished before is still there, and was not done again.
        assert finished.items() <= now.items()
        finished = now
    assert start(folder, "--resume").wait() == 0
    now = done(folder)
    assert list(now) == list(STAGES)
    assert finished.items() <= now.items()
    # The trainers went on from their checkpoints instead of starting over.
    state = json.loads(
        next((folder / "policy_gradient").glob("checkpoint-6/trainer_state.json")).read_text()
    )
    assert [entry["step"] for entry in state["log_history"] if "accuracy_t1" in entry] == [
        1, 2, 3, 4, 5, 6,
    ]  # fmt: skip
    summary = json.loads((folder / "summary.json").read_text())
    assert list(summary["rows"]) == list(ROWS)
    assert all(row["n"]["value"] == 24 for row in summary["rows"].values())
    assert (folder / "figures" / "self_correction.png").stat().st_size > 10_000
    from transformers import AutoModelForCausalLM

    AutoModelForCausalLM.from_pretrained(folder / "policy_gradient" / "final")
    log = (tmp_path / "log.txt").read_text()
    for file in ("summary.json", "table.md", "episodes_base.jsonl", "config.json"):
        assert file in log


def test_a_run_is_not_overwritten_and_not_mixed(tmp_path):
    Run(tmp_path, SelfRewardingConfig(seed=1), resume=False)
    with pytest.raises(FileExistsError, match="--resume"):
        Run(tmp_path, SelfRewardingConfig(seed=1), resume=False)
    with pytest.raises(ValueError, match="other settings for seed"):
        Run(tmp_path, SelfRewardingConfig(seed=2), resume=True)
    Run(tmp_path, SelfRewardingConfig(seed=1, resume=True), resume=True)
