"""Draws the figures that explain rewards and credit: `python docs/figures.py`.

Every number comes from the code that trains: conversations are played under the real rules, and
`agents.training.credit` forms the advantages. The site draws the figures again at every build.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np

from agents.training.credit import make_estimator, reward_array
from srenv.conversation import Conversation, Rules
from srenv.episode import Problem, Turn
from srenv.protocol import Protocol
from srenv.rewards import make_reward

matplotlib.use("Agg")  # figures go to files; no display is needed

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

matplotlib.rcParams.update({"svg.hashsalt": "srenv", "svg.fonttype": "none", "font.size": 9})

FOLDER = Path(__file__).parent / "images"
PROBLEM = Problem("1", "What is 2*3?", "6", "figure")
RIGHT, WRONG = "\\boxed{6}", "\\boxed{5}"
ACCEPT, REJECT = "[VERIFY] correct", "[VERIFY] wrong"
EPISODES = {
    "right, accepted": [(RIGHT, ACCEPT)],
    "wrong, rejected;\nright, accepted": [(WRONG, REJECT), (RIGHT, ACCEPT)],
    "wrong, accepted": [(WRONG, ACCEPT)],
    "right, rejected;\nwrong, accepted": [(RIGHT, REJECT), (WRONG, ACCEPT)],
}
COLORS = {"attempt": "#3f51b5", "verdict": "#ff9800"}


def draw() -> dict[str, str]:
    """Returns the figures as SVG by name."""
    figures = {"rewards": rewards(), "credit": credit(), "calibration": calibration()}
    return {name: svg(figure) for name, figure in figures.items()}


def svg(figure: Figure) -> str:
    """Returns a figure as SVG, equal for equal figures."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None}, bbox_inches="tight")
    plt.close(figure)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def played(turns: Sequence[tuple[str, str]], preset: str) -> list[tuple[float, float]]:
    """Returns the rewards of attempt and verdict by turn, of one episode under one preset."""
    reward = make_reward(preset)
    conversation = Conversation(PROBLEM, Rules(Protocol(), max_attempts=2, reward=reward))
    parts = []
    for attempt, verdict in turns:
        turn: Turn = conversation.step(f"{attempt}\n{verdict}")
        by_segment = reward.by_segment(turn.rewards)
        parts.append((by_segment["attempt"], by_segment["verdict"]))
    return parts


def rewards(presets: Sequence[str] = ("default", "per_turn", "pag", "rlcr")) -> Figure:
    """Draws what each turn of four episodes is worth under several presets."""
    figure, grid = plt.subplots(
        len(presets), len(EPISODES), figsize=(9, 7), sharex=True, sharey="row"
    )
    for row, preset in zip(grid, presets, strict=True):
        for axes, (title, turns) in zip(row, EPISODES.items(), strict=True):
            parts = played(turns, preset)
            for offset, (segment, color) in zip((-0.2, 0.2), COLORS.items(), strict=True):
                values = [part[segment == "verdict"] for part in parts]
                places = np.arange(1, len(parts) + 1) + offset
                bars = axes.bar(places, values, 0.36, color=color, label=segment)
                axes.bar_label(bars, fmt="%+.3g", fontsize=7, padding=1)
            axes.axhline(0, color="black", linewidth=0.6)
            axes.set_xlabel(f"sum {np.sum(parts):+.2f}", labelpad=2)
            axes.set_xlim(0.4, 2.6)
            axes.set_xticks([1, 2], ["turn 1", "turn 2"])
            axes.margins(y=0.25)
            axes.spines[["top", "right"]].set_visible(False)
            if preset == presets[0]:
                axes.set_title(title, fontsize=9)
        row[0].set_ylabel(preset, fontweight="bold")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=2, frameon=False)
    figure.tight_layout(rect=(0, 0.04, 1, 1))
    return figure


def credit() -> Figure:
    """Draws the rewards of a group of episodes, and the advantages that two discounts make."""
    episodes = [played(turns, "default") for turns in EPISODES.values()]
    array, turns = reward_array(episodes)
    group = np.zeros(len(episodes), dtype=np.int64)
    panels = {"rewards": array}
    for discount in (0.0, 1.0):
        estimator = make_estimator("rloo", discount)
        panels[f"advantages, --pg.turn-discount {discount:g}"] = estimator(array, turns, group)
    figure, row = plt.subplots(1, len(panels), figsize=(10, 3.2), sharey=True)
    for axes, (title, values) in zip(row, panels.items(), strict=True):
        shown = np.where(np.repeat(turns[..., None], 2, axis=2), values, np.nan)
        matrix(axes, shown.reshape(len(episodes), -1), title)
    names = [name.replace("\n", " ") for name in EPISODES]
    row[0].set_yticks(range(len(episodes)), names)
    figure.tight_layout()
    return figure


def matrix(axes: Axes, values: np.ndarray, title: str) -> None:
    """Draws a matrix (episodes, segments) with its numbers; NaN stays empty."""
    axes.imshow(values, cmap="RdYlGn", vmin=-1.2, vmax=1.2, aspect="auto", alpha=0.6)
    for (i, j), value in np.ndenumerate(values):
        if not np.isnan(value):
            axes.text(j, i, f"{value + 0.0:+.2f}", ha="center", va="center")
    segments = [f"{segment} {turn}" for turn in (1, 2) for segment in COLORS]
    axes.set_xticks(range(len(segments)), segments, rotation=30, ha="right")
    axes.set_title(title, fontsize=9)


def calibration() -> Figure:
    """Draws the expected verdict reward against the stated probability."""
    figure, axes = plt.subplots(figsize=(5.5, 3.2))
    stated = np.linspace(0, 1, 101)
    for truth in (0.2, 0.5, 0.8):
        values = [truth * brier(True, q) + (1 - truth) * brier(False, q) for q in stated]
        (line,) = axes.plot(stated, values, label=f"right {truth:.0%} of the time")
        axes.plot(truth, max(values), "o", color=line.get_color())
    axes.set(xlabel="stated probability of being right", ylabel="expected reward (brier)")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    return figure


def brier(right: bool, stated: float) -> float:
    """Returns the verdict's reward for an attempt that is right or wrong."""
    accepts = stated >= 0.5
    verdict = ACCEPT if accepts else REJECT
    text = f"{RIGHT if right else WRONG}\n{verdict} ({stated if accepts else 1 - stated:.2f})"
    reward = make_reward("brier=1")
    return Conversation(PROBLEM, Rules(Protocol(), 2, reward)).step(text).reward


def main() -> None:
    """Writes the figures."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in draw().items():
        (FOLDER / f"{name}.svg").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
