"""Progress bars where there is no terminal."""

import agents.runs.progress
from agents.runs.progress import progress_bar


def test_a_log_file_gets_lines_while_the_bar_runs(monkeypatch, capsys):
    clock = iter(range(0, 400, 20))
    monkeypatch.setattr(agents.runs.progress.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(agents.runs.progress, "LOG_EVERY", 30.0)
    with progress_bar("training", 4) as bar:
        for step in range(1, 5):
            bar.reach(step)
    lines = [line for line in capsys.readouterr().out.splitlines() if "training" in line]
    assert ["2/4" in line for line in lines] == [True, False]  # after 40 seconds, and at the end
    assert "4/4" in lines[-1]
