"""The table of metrics, in Markdown and in JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from srenv.metrics.measure import Estimate, Metrics
from srenv.records import conforms

COLUMNS: dict[str, tuple[str, float, int]] = {
    "accuracy_t1": ("Acc@t1 %", 100, 1),
    "accuracy_final": ("Final acc %", 100, 1),
    "delta": ("Δ(t1,final)", 100, 1),
    "delta_ic": ("Δ i→c", 100, 1),
    "delta_ci": ("Δ c→i", 100, 1),
    "verdict_tpr": ("TPR %", 100, 1),
    "verdict_tnr": ("TNR %", 100, 1),
    "malformed_rate": ("Malformed %", 100, 1),
    "out_of_form_rate": ("Answer out of form %", 100, 1),
    "brier_token": ("Brier token", 1, 3),
    "brier_stated": ("Brier stated", 1, 3),
    "ece_token": ("ECE token", 1, 3),
    "ece_stated": ("ECE stated", 1, 3),
    "turns": ("Turns", 1, 2),
    "tokens": ("Tokens", 1, 1),
    "n": ("n", 1, 0),
}
"""Metric -> (heading, factor, decimals), in the order of the table."""

OCCASIONAL: dict[str, tuple[str, float, int]] = {
    "truncation_rate": ("Cut off %", 100, 1),
    "failed": ("Failed episodes", 1, 0),
    "samples": ("Samples", 1, 0),
}
"""Lines that are shown if a row has such turns or episodes, below those of `COLUMNS`."""


def table_lines(rows: Mapping[str, Metrics]) -> dict[str, tuple[str, float, int]]:
    """Returns the lines of the table of these rows: metric -> (heading, factor, decimals)."""
    present = {
        name
        for metrics in rows.values()
        for name, estimate in metrics.items()
        if name in OCCASIONAL and estimate.value > 0
    }
    ks = {n for metrics in rows.values() for n in metrics if n.startswith("pass@")} - {"pass@1"}
    passes = sorted(ks, key=lambda name: int(name.removeprefix("pass@")))
    return {
        **COLUMNS,
        **{name: (f"{name} %", 100.0, 1) for name in passes},
        **{name: line for name, line in OCCASIONAL.items() if name in present},
    }


def cell(estimate: Estimate | None, factor: float, decimals: int) -> str:
    """Returns one table cell: the value with its 95% interval, or a dash if it is not defined."""
    if estimate is None or math.isnan(estimate.value):
        return "–"
    value, low, high = (
        f"{factor * x:.{decimals}f}" for x in (estimate.value, estimate.low, estimate.high)
    )
    return value if low == high else f"{value} [{low}, {high}]"


def interval(estimate: Estimate, factor: float = 1.0) -> str:
    """Returns a number with its interval, such as ``6.27 [5.23, 7.3]``."""
    value, low, high = (factor * x for x in (estimate.value, estimate.low, estimate.high))
    return f"{value:.3g} [{low:.3g}, {high:.3g}]"


def markdown_table(rows: Mapping[str, Metrics]) -> str:
    """Returns the table as markdown, one metric per line so that it stays readable."""
    lines = ["| | " + " | ".join(rows) + " |", "|---" * (len(rows) + 1) + "|"]
    for name, (heading, factor, decimals) in table_lines(rows).items():
        cells = [cell(metrics.get(name), factor, decimals) for metrics in rows.values()]
        lines.append(f"| {heading} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def metrics_to_json(metrics: Metrics) -> dict[str, Any]:
    """Returns metrics as plain JSON, with null for undefined values."""
    return {
        name: {
            "value": _number(estimate.value),
            "low": _number(estimate.low),
            "high": _number(estimate.high),
        }
        for name, estimate in metrics.items()
    }


def metrics_from_json(record: Mapping[str, Mapping[str, float | None]]) -> Metrics:
    """Returns the metrics that `metrics_to_json` turned into JSON.

    Raises:
        ValueError: A value is no number.
    """
    if not conforms(record, dict[str, dict[str, float | None]]):
        raise ValueError("metrics are numbers by name: value, low and high")
    return {
        name: Estimate(
            *(math.nan if (x := values.get(key)) is None else x for key in ("value", "low", "high"))
        )
        for name, values in record.items()
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
