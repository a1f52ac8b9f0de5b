"""What a run leaves behind: the summary, the table, the figure, and the tracked metrics."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from agents.runs.figures import plot_summary
from agents.runs.processes import is_main
from agents.runs.progress import console
from agents.runs.run import Run, show_view_command
from agents.runs.tables import print_table, second_model_lines
from agents.runs.tracking import Tracker
from srenv.json_files import write_json
from srenv.metrics import Metrics, measure
from srenv.metrics.readings import Reading
from srenv.metrics.tables import markdown_table, metrics_to_json


def write_results(
    run: Run,
    tracker: Tracker,
    rows: Mapping[str, Reading],
    result: str,
    plotted: Collection[str],
    second_models: Mapping[str, Mapping[str, float]],
) -> dict[str, Metrics]:
    """Writes a run's results into its folder, tracks them, and shows the table.

    Args:
        run: The run.
        tracker: Where it is tracked.
        rows: The rows of the table, in its order.
        result: Title of the row that the method ends with.
        plotted: Titles of the rows in the figure.
        second_models: See `Recipe`.

    Returns:
        The metrics of every row.
    """
    data = {title: row.outcomes() for title, row in rows.items()}
    metrics = {title: measure(row) for title, row in data.items()}
    if not is_main():
        return metrics
    folder = run.directory
    summary = {
        "config": run.config,
        "result": result,
        "spent": run.spent,
        "resources": run.resources,
        "second_models": second_models,
        "episodes": {t: [r.episodes.name, r.reading] for t, r in rows.items()},
        "rows": {title: metrics_to_json(row) for title, row in metrics.items()},
    }
    files = [write_json(folder / "summary.json", summary), folder / "table.md"]
    further = second_model_lines(second_models)
    files[1].write_text("\n".join([markdown_table(metrics), *further]), encoding="utf-8")
    graded = {title: row for title, row in data.items() if len(row.final)}
    shown = {title: row for title, row in graded.items() if title in plotted}
    files.append(plot_summary(folder / "figures" / "self_correction.png", shown))
    curves = sorted(folder.glob("figures/held_out_*.png"))
    for title, values in metrics.items():
        stage = "evaluation/" + title.replace(" ", "_").replace(",", "")
        tracker.log(stage, {name: estimate.value for name, estimate in values.items()})
    tracker.figure("figures/self_correction", files[-1])
    print_table(console, metrics, f"{run.config['model']} on {run.config['problems']}")
    for line in further:
        console.print(line, highlight=False)
    files += [*curves, *sorted(folder.glob("episodes_*.jsonl")), *sorted(folder.glob("*/final"))]
    files += [folder / "config.json", *folder.glob("wandb"), *folder.glob("tensorboard")]
    console.print("wrote " + "\n      ".join(str(file) for file in files), soft_wrap=True)
    show_view_command(folder)
    return metrics
