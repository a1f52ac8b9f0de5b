"""The figure of `methods.py`: what every method gains, turn by turn and token by token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from agents.recipes.base import BASE, MAJORITY
from agents.runs.figures import accuracy_per_turn, reliability
from srenv.episode import read_episodes
from srenv.metrics import Metrics, Outcomes, Reading


def plot(
    path: Path,
    data: Mapping[str, Outcomes],
    metrics: Mapping[str, Metrics],
    files: Mapping[str, Sequence[Reading]],
) -> None:
    """Delta by method, accuracy against turns, reliability, and accuracy against tokens."""
    answering = {title: row for title, row in data.items() if title not in (BASE, MAJORITY)}
    palette = plt.get_cmap("tab10" if len(answering) <= 10 else "tab20")
    with plt.rc_context({"axes.prop_cycle": plt.cycler(color=palette.colors)}):
        figure, axes = plt.subplots(2, 2, figsize=(12, 9.5), layout="constrained")
        _deltas(axes[0, 0], {title: metrics[title] for title in answering})
        accuracy_per_turn(axes[0, 1], answering)
        reliability(axes[1, 0], answering)
        _tokens(axes[1, 1], files)
        _share_legend(figure, axes.flat)
        figure.savefig(path, dpi=120)
    plt.close(figure)


def _share_legend(figure: Figure, panels: Iterable[Axes]) -> None:
    """One legend below the panels, whose colors agree, so that none hides a curve."""
    shown = {}
    for axes in panels:
        shown.update(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        if (legend := axes.get_legend()) is not None:
            legend.remove()
    figure.legend(shown.values(), shown.keys(), loc="outside lower center", ncols=3, fontsize=9)


def _deltas(axes: Axes, metrics: Mapping[str, Metrics]) -> None:
    estimates = [values["delta"] for values in metrics.values()]
    middle = [100 * e.value for e in estimates]
    reach = [
        [100 * (e.value - e.low) for e in estimates],
        [100 * (e.high - e.value) for e in estimates],
    ]
    colors = [f"C{index}" for index in range(len(middle))]
    axes.barh(list(metrics), middle, xerr=reach, color=colors, capsize=3)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.invert_yaxis()
    axes.set(xlabel="points", title="Δ(t1, final)")


def _tokens(axes: Axes, files: Mapping[str, Sequence[Reading]]) -> None:
    """Parallel use: a vote over 1, 2, ... attempts of the base. Sequential use: after each turn."""
    axes.plot(*parallel(files[MAJORITY]), color="gray", linestyle="--", label="base, maj@1, 2, …")
    answering = (title for title in files if title not in (BASE, MAJORITY))
    for index, title in enumerate(answering):
        axes.plot(
            *sequential(files[title]), marker="o", markersize=4, color=f"C{index}", label=title
        )
    axes.set(
        xscale="log",
        ylim=(0, 1),
        xlabel="generated tokens per problem",
        ylabel="accuracy",
        title="Accuracy against tokens",
    )
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)


def parallel(rows: Sequence[Reading]) -> tuple[list[float], list[float]]:
    """(tokens, accuracy) of votes over the first 1, 2, ... of the attempts at each problem."""
    groups = [
        list(group)
        for row in rows
        for _, group in groupby(read_episodes(row.episodes), lambda e: e.problem.id)
    ]
    most = min(map(len, groups))
    points = [Outcomes.of_votes([group[:k] for group in groups]) for k in range(1, most + 1)]
    return [float(p.tokens.mean()) for p in points], [float(p.final.mean()) for p in points]


def sequential(rows: Sequence[Reading]) -> tuple[list[float], list[float]]:
    """(tokens, accuracy) of the answer after each turn, as the row reads it."""
    accuracy = Outcomes.pooled([row.outcomes() for row in rows]).by_turn.mean(axis=0)
    written = [
        [turn.tokens or 0 for turn in episode.turns]
        for row in rows
        for episode in read_episodes(row.episodes)
    ]
    tokens = [float(np.mean([sum(t[: j + 1]) for t in written])) for j in range(len(accuracy))]
    return tokens, accuracy.tolist()
