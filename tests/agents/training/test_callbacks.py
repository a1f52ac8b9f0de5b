"""Callbacks of trainers: the bar, tracking, tokens, speed, warnings, and the held-out curve."""

from types import SimpleNamespace

from agents.training.callbacks import (
    HeldOutCurve,
    LostTurns,
    Throughput,
    TokenCount,
    TrackTraining,
    TrainingBar,
)


class Bar:
    def __init__(self):
        self.positions = []

    def reach(self, completed, note=""):
        self.positions.append((completed, note))


class Tracker:
    def __init__(self):
        self.logs = []

    def log(self, stage, values, step):
        self.logs.append((stage, values, step))


def state(**values):
    return SimpleNamespace(**values)


def test_the_bar_shows_the_latest_metrics():
    bar = Bar()
    callback = TrainingBar(bar)
    callback.on_log(None, None, None, logs={"loss": 0.51234, "grad_norm": 2.0})
    callback.on_step_end(None, state(global_step=3), None)
    callback.on_log(None, None, None, logs={"epoch": 1.0})  # nothing to show
    callback.on_step_end(None, state(global_step=4), None)
    assert bar.positions == [(3, "loss 0.512"), (4, "loss 0.512")]


def test_numbers_are_tracked_under_the_stage():
    tracker = Tracker()
    callback = TrackTraining(tracker, "sft")
    logs = {"loss": 0.5, "note": "text"}
    callback.on_log(None, state(is_world_process_zero=True, global_step=2), None, logs=logs)
    assert tracker.logs == [("sft", {"loss": 0.5}, 2)]


def test_other_processes_track_nothing():
    tracker = Tracker()
    TrackTraining(tracker, "sft").on_log(
        None, state(is_world_process_zero=False, global_step=2), None, logs={"loss": 0.5}
    )
    assert tracker.logs == []


def test_tokens_are_the_totals_of_the_log_history():
    count = TokenCount()
    history = [{"generated_tokens": 10.0}, {"loss": 1.0}, {"generated_tokens": 5.0}]
    count.on_train_end(None, state(log_history=history, num_input_tokens_seen=70), None)
    assert count.spent == {"generated": 15, "trained": 70}


# --- memory, tokens per second, and warnings -----------------------------------------------------


def test_tokens_per_second_are_those_of_playing_and_of_the_rest_of_the_step(monkeypatch):
    clock = iter([0.0, 4.0, 10.0, 12.0])  # two steps, of 4 and of 2 seconds
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    speed = Throughput()
    speed.on_train_begin(None, state(num_input_tokens_seen=1000), None)  # resumed
    first = {"loss": 0.5, "generated_tokens": 60.0, "generation_seconds": 3.0}
    logs = {"loss": 0.4}  # of another pass over the same episodes
    for seen, entry in ((1100, first), (1200, logs)):
        speed.on_step_begin(None, None, None)
        speed.on_step_end(None, None, None)
        speed.on_log(None, state(num_input_tokens_seen=seen), None, logs=entry)
    assert speed.totals["generated_per_second"] == 20.0
    assert speed.totals["trained_per_second"] == round(200 / 3, 1)
    assert logs["trained_tokens_per_second"] == speed.totals["trained_per_second"]
    assert logs["peak_memory_gb"] == speed.totals["peak_memory_gb"] > 0.01


def test_evaluations_have_no_speed():
    speed, logs = Throughput(), {"eval_score": 0.5}
    speed.on_log(None, state(num_input_tokens_seen=5), None, logs=logs)
    assert logs == {"eval_score": 0.5}


def test_lost_turns_are_reported_once_for_each_cause(capsys):
    callback = LostTurns(64)
    for _ in range(5):
        callback.on_log(None, state(global_step=0), None, logs={"truncation_rate": 0.05})
    assert capsys.readouterr().out == ""
    callback = LostTurns(64)
    cut, malformed = {"truncation_rate": 0.3}, {"truncation_rate": 0.0, "malformed_rate": 0.5}
    for step, logs in enumerate([*[cut] * 8, *[malformed] * 8]):
        callback.on_log(None, state(global_step=step), None, logs=logs)
        callback.on_log(None, state(global_step=step), None, logs={"eval_score": 0.5})
    output = " ".join(capsys.readouterr().out.split())
    assert output.count("cut off by the stage's max-new-tokens (now 64)") == 1
    assert output.count("of the turns are malformed") == 1
    assert "step 4: 30%" in output
    assert "step 9: 20% of the turns are malformed" in output


def test_a_single_step_with_lost_turns_is_not_reported(capsys):
    callback = LostTurns(64)
    for step, rate in enumerate([0.4, 0.0, 0.0, 0.0, 0.0, 0.0, 0.4, 0.0, 0.0]):
        callback.on_log(None, state(global_step=step), None, logs={"malformed_rate": rate})
    assert capsys.readouterr().out == ""


def test_the_curve_continues_from_the_history_of_a_resumed_training(tmp_path):
    curve = HeldOutCurve(tmp_path / "figures" / "held_out_pg.png", Tracker())
    history = [{"step": 0, "eval_score": 0.9}]
    curve.on_evaluate(None, state(log_history=history, is_world_process_zero=True), None)
    assert curve.best == {}  # no checkpoint yet
    assert not curve.path.exists()
    history += [{"step": 5, "eval_score": 0.9}, {"step": 9, "loss": 1.0}]
    curve.on_evaluate(None, state(log_history=history, is_world_process_zero=True), None)
    assert curve.best == {"best_step": 0, "best_score": 0.9}  # no better than the start
    history += [{"step": 10, "eval_score": 0.95}]
    curve.on_evaluate(None, state(log_history=history, is_world_process_zero=True), None)
    assert curve.best == {"best_step": 10, "best_score": 0.95}
    assert curve.path.exists()
