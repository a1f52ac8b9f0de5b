"""Callbacks of transformers trainers: a progress bar, tracking, and counts of tokens."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

from agents.runs.progress import Bar
from agents.runs.tracking import Tracker

_METRICS = (
    "loss",
    "mean_token_accuracy",
    "accuracy_t1",
    "accuracy_final",
    "verdict_tpr",
    "verdict_tnr",
)


class TrainingBar(TrainerCallback):
    """Shows the steps of a transformers trainer in a bar, with its latest metrics."""

    def __init__(self, bar: Bar) -> None:
        self.bar = bar
        self.note = ""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Stores the metrics to show."""
        metrics = {key: logs[key] for key in _METRICS if key in (logs or {})}
        self.note = " ".join(f"{key} {value:.3g}" for key, value in metrics.items()) or self.note

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Advances the bar."""
        self.bar.reach(state.global_step, self.note)


class TrackTraining(TrainerCallback):
    """Forwards the logs of a transformers trainer to a tracker, under the stage's name."""

    def __init__(self, tracker: Tracker, stage: str) -> None:
        self.tracker, self.stage = tracker, stage

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Forwards the numbers among `logs`."""
        if state.is_world_process_zero:
            numbers = {k: v for k, v in (logs or {}).items() if isinstance(v, int | float)}
            self.tracker.log(self.stage, numbers, state.global_step)


class TokenCount(TrainerCallback):
    """Counts the tokens that a transformers trainer generated and trained on, with resumptions.

    Attributes:
        spent: ``generated``: tokens sampled for training; ``trained``: tokens of the sequences
            that were trained on, with their context, once per pass over them.
    """

    def __init__(self) -> None:
        self.spent = {"generated": 0, "trained": 0}

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Reads the totals from the trainer's log history, which survives checkpoints."""
        generated = sum(entry.get("generated_tokens", 0) for entry in state.log_history)
        self.spent = {"generated": round(generated), "trained": int(state.num_input_tokens_seen)}
