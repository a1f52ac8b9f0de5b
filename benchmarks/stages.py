"""Stages that several runs have in common, linked and not run again."""

from __future__ import annotations

from pathlib import Path


def link_stage(source: Path, run: Path, stage: str) -> None:
    """Links a finished stage of one run, and its episodes if it has any, into another's folder."""
    for part in (stage, f"episodes_{stage.removeprefix('evaluate_')}.jsonl"):
        done = (source / stage / "done.json").exists() and (source / part).exists()
        if done and not (run / part).exists():
            run.mkdir(parents=True, exist_ok=True)
            (run / part).symlink_to((source / part).resolve())
