"""Callbacks of transformers trainers: progress, tracking, tokens, speed, memory, warnings."""

from __future__ import annotations

import sys
import time
from collections import deque
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from transformers import TrainerCallback

from agents.rollouts.evaluation import lost_turns
from agents.runs.figures import plot_held_out
from agents.runs.progress import Bar, console
from agents.runs.tracking import Tracker
from agents.training.settings import best_step, held_out_scores

_METRICS = (
    "loss",
    "mean_token_accuracy",
    "accuracy_t1",
    "accuracy_final",
    "verdict_tpr",
    "verdict_tnr",
    "eval_score",
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


class Throughput(TrainerCallback):
    """Adds memory and tokens per second to a trainer's logs; other callbacks see them after it.

    Attributes:
        totals: ``peak_memory_gb``; ``generated_per_second`` and ``trained_per_second``: means over
            the training of this process, each over the time that was spent on it.
    """

    def __init__(self) -> None:
        self.totals: dict[str, float] = {}
        self._generated = self._generation_seconds = self._step_seconds = 0.0
        self._step_start = 0.0
        self._seen_before = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Starts counting; tokens of before a resumption are not counted."""
        self._seen_before = state.num_input_tokens_seen
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Starts the clock of a step, in which a policy's episodes are played, too."""
        self._step_start = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stops the clock, before evaluations and checkpoints."""
        self._step_seconds += time.perf_counter() - self._step_start

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Adds ``peak_memory_gb`` and ``trained_tokens_per_second`` to the log of a step."""
        if not logs or "loss" not in logs:
            return
        self._generated += logs.get("generated_tokens", 0.0)
        self._generation_seconds += logs.get("generation_seconds", 0.0)
        trained = state.num_input_tokens_seen - self._seen_before
        seconds = self._step_seconds - self._generation_seconds
        self.totals["peak_memory_gb"] = logs["peak_memory_gb"] = round(peak_memory() / 1e9, 3)
        if self._generation_seconds:
            rate = self._generated / self._generation_seconds
            self.totals["generated_per_second"] = round(rate, 1)
        if trained and seconds > 0:
            logs["trained_tokens_per_second"] = round(trained / seconds, 1)
            self.totals["trained_per_second"] = round(trained / seconds, 1)


def peak_memory() -> int:
    """Returns the greatest memory that this process has held, in bytes: the GPU's if there is one.

    That of a GPU is counted from the start of the training, that of the machine from the start of
    the process.
    """
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    if sys.platform == "win32":
        import psutil  # accelerate requires it

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class LostTurns(TrainerCallback):
    """Warns, once for each cause, when more than a tenth of the turns are cut off or malformed.

    One step says little, and the first ones may still learn the format: it is the mean of the last
    `STEPS` that counts.

    Args:
        max_new_tokens: The limit on the length of a turn.
    """

    STEPS = 5

    def __init__(self, max_new_tokens: int) -> None:
        self.option = f"the stage's max-new-tokens (now {max_new_tokens})"
        self._causes: set[str] = set()
        self._steps: deque[dict[str, float]] = deque(maxlen=self.STEPS)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Looks at the rates of the last steps."""
        names = ("truncation_rate", "malformed_rate")
        if not logs or logs.keys().isdisjoint(names):
            return
        self._steps.append({name: logs.get(name, 0.0) for name in names})
        if len(self._steps) < self.STEPS:
            return
        means = {name: fmean(step[name] for step in self._steps) for name in names}
        for message in lost_turns(means, self.option):
            cause = message.partition("%")[2]
            if cause not in self._causes:
                self._causes.add(cause)
                console.print(f"step {state.global_step}: {message}", style="yellow", markup=False)


class HeldOutCurve(TrainerCallback):
    """Draws the scores of a trainer's evaluations, and keeps the best of them.

    Args:
        path: The picture; it is drawn again after every evaluation.
        tracker: Gets the picture at the end of the training.

    Attributes:
        best: ``best_step`` and ``best_score`` of the evaluations so far; step 0 is the start.
    """

    def __init__(self, path: Path, tracker: Tracker) -> None:
        self.path, self.tracker = path, tracker
        self.best: dict[str, float] = {}

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Draws all evaluations so far, those of before a resumption included."""
        scores = held_out_scores(state.log_history)
        if len(scores) < 2:  # the start of the training
            return
        best = best_step(scores)
        self.best = {"best_step": best, "best_score": scores[best]}
        if state.is_world_process_zero:
            plot_held_out(self.path, scores, best)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Tracks the picture."""
        if self.best and state.is_world_process_zero:
            self.tracker.figure(f"figures/{self.path.stem}", self.path)
