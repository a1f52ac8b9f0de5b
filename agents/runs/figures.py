"""The figures of a run: accuracy per turn, reliability of confidence, scores during training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np

from srenv import metrics
from srenv.metrics import Outcomes

matplotlib.use("Agg")  # figures go to files; no display is needed

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator


def plot_summary(path: Path, rows: Mapping[str, Outcomes]) -> Path:
    """Draws accuracy per turn and a reliability diagram, one line per row, and saves them."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2))
    accuracy_per_turn(left, rows)
    reliability(right, rows)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path


def plot_held_out(path: Path, scores: Mapping[int, float], best: int) -> Path:
    """Draws the scores of evaluations during training by step, marks the best, and saves them."""
    figure, axes = plt.subplots(figsize=(6, 4.2))
    axes.plot(list(scores), list(scores.values()), marker="o")
    axes.plot(best, scores[best], marker="*", markersize=14, color="C1", label=f"best: step {best}")
    axes.set(xlabel="optimizer step", ylabel="score", title="Held-out problems during training")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    plt.close(figure)
    return path


def accuracy_per_turn(axes: Axes, rows: Mapping[str, Outcomes]) -> None:
    """Draws accuracy after each turn, one line per row."""
    longest = max((row.by_turn.shape[1] for row in rows.values()), default=1)
    for index, (name, row) in enumerate(rows.items()):
        accuracy = row.by_turn.mean(axis=0)
        # A shorter run keeps its last answer.
        accuracy = np.pad(accuracy, (0, longest - len(accuracy)), mode="edge")
        axes.plot(range(1, longest + 1), accuracy, marker="o", color=f"C{index}", label=name)
    axes.set(
        xlabel="attempts allowed", ylabel="accuracy", ylim=(0, 1), title="Accuracy per attempt"
    )
    axes.set_xticks(range(1, longest + 1))
    axes.grid(alpha=0.3)
    if rows:
        axes.legend(loc="lower right", fontsize=8)


def reliability(axes: Axes, rows: Mapping[str, Outcomes]) -> None:
    """Draws how often verdicts of a confidence are right; rows without verdicts are left out."""
    axes.plot([0, 1], [0, 1], color="gray", linestyle="--", linewidth=1, label="calibrated")
    for index, (name, row) in enumerate(rows.items()):
        curve = metrics.reliability(row.token, row.truth)
        if not len(curve.share):
            continue
        x, y, sizes = curve.confidence, curve.accuracy, 20 + 180 * curve.share
        axes.plot(x, y, linewidth=1, color=f"C{index}", label=name)
        axes.scatter(x, y, s=sizes, color=f"C{index}", alpha=0.6)
    axes.set(
        xlabel="confidence that the attempt is right (verdict token)",
        ylabel="share that is right",
        xlim=(-0.03, 1.03),
        ylim=(-0.03, 1.03),
        title="Reliability of the verdict",
    )
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", fontsize=8)
