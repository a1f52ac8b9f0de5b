"""Tracks a training run as one run of W&B, trackio or TensorBoard.

All stages and every resumption of a run report under one run id, stored in the run's folder. The
backends are accelerate's trackers. W&B works offline unless a key is configured; each resumption
then has a folder of its own with the same run id, and ``wandb sync`` joins them.
"""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from accelerate import PartialState
from accelerate.tracking import GeneralTracker, TensorBoardTracker, TrackioTracker, WandBTracker

from agents.runs.processes import is_main
from srenv.json_files import write_json
from srenv.records import read_json

ReportTo = Literal["wandb", "trackio", "tensorboard", "none"]


class Tracker:
    """Logs the metrics, tables and figures of a run.

    Args:
        kind: The backend.
        directory: The run's folder, for the run id and offline files.
        name: Name of the run.
        config: The resolved configuration.
        project: Project that the run belongs to.
        artifacts: Whether to upload checkpoints.
    """

    def __init__(
        self,
        kind: ReportTo,
        directory: Path,
        name: str,
        config: Mapping[str, Any],
        project: str = "srenv",
        artifacts: bool = False,
    ) -> None:
        self.kind = kind = kind if is_main() else "none"
        self.artifacts = artifacts
        directory.mkdir(parents=True, exist_ok=True)
        self._stages: set[str] = set()
        self._rows = directory / "wandb_rows"
        PartialState()  # tells accelerate's trackers which process is the main one
        self._backend = _make_backend(kind, directory, name, project)
        if self._backend is not None:
            self._backend.start()
            self._backend.store_init_configuration(_flat({**config, "git_revision": revision()}))

    def log(self, stage: str, values: Mapping[str, float], step: int | None = None) -> None:
        """Logs numbers as ``stage/name`` against the stage's own step."""
        if self._backend is None:
            return
        named = {f"{stage}/{key}": value for key, value in values.items()}
        if self.kind == "tensorboard":
            self._backend.log(named, step=step)
            return
        if self.kind == "wandb" and step is not None and stage not in self._stages:
            self._stages.add(stage)
            self._backend.tracker.define_metric(f"{stage}/*", step_metric=f"{stage}/step")
        values = named if step is None else {**named, f"{stage}/step": step}
        self._backend.log(values, **self._place())

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Logs a table (W&B)."""
        if isinstance(self._backend, WandBTracker):
            self._backend.log_table(
                name, columns=list(columns), data=[list(row) for row in rows], **self._place()
            )

    def figure(self, name: str, path: Path) -> None:
        """Logs a picture file."""
        if isinstance(self._backend, WandBTracker):
            self._backend.log_images({name: [str(path)]}, **self._place())
        elif isinstance(self._backend, TensorBoardTracker):
            from matplotlib.image import imread

            self._backend.log_images({name: imread(path)[None, ..., :3]}, dataformats="NHWC")

    def _place(self) -> dict[str, Any]:
        """Returns where the next row of a W&B run goes: below those of before a resumption.

        Offline, W&B would number the rows of a resumed run from 0 again.
        """
        if not isinstance(self._backend, WandBTracker):
            return {}
        before: int = read_json(self._rows, int) if self._rows.exists() else 0
        row = max(before, self._backend.tracker.step)
        write_json(self._rows, row + 1)
        return {"step": row, "commit": True}

    def checkpoint(self, name: str, directory: Path) -> None:
        """Uploads a model folder as an artifact, if artifacts are on (W&B)."""
        if self.artifacts and isinstance(self._backend, WandBTracker):
            self._backend.tracker.log_artifact(str(directory), name=name, type="model")

    def finish(self) -> None:
        """Closes the run."""
        if self._backend is not None:
            self._backend.finish()


def revision() -> str:
    """Returns the git revision of the working directory, or ``"unknown"``."""
    try:
        process = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return process.stdout.strip()


def _make_backend(
    kind: ReportTo, directory: Path, name: str, project: str
) -> GeneralTracker | None:
    if kind == "none":
        return None
    if kind == "tensorboard":
        return TensorBoardTracker(project, logging_dir=directory / "tensorboard")
    if kind == "trackio":
        return TrackioTracker(project, name=name, resume="allow")
    return WandBTracker(
        project,
        id=_run_id(directory),
        name=name,
        dir=str(directory),
        resume="allow",
        mode=_wandb_mode(),
    )


def _run_id(directory: Path) -> str:
    path = directory / "run_id"
    known = path.read_text().strip() if path.exists() else ""
    if not known:  # also after a kill that left the file empty, before the run began
        path.write_text(known := uuid.uuid4().hex[:12])
    return known


def _wandb_mode() -> Literal["online", "offline", "disabled", "shared"] | None:
    """Returns W&B's mode: offline without a key; None leaves it to WANDB_MODE and W&B."""
    import wandb

    os.environ.setdefault("WANDB_SILENT", "true")
    if "WANDB_MODE" in os.environ or wandb.login(prompt=False, verify=False):
        return None
    return "offline"


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            scalar = value is None or isinstance(value, bool | int | float | str)
            flat[f"{prefix}{key}"] = value if scalar else str(value)
    return flat
