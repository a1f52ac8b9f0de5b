"""Callbacks of trainers: the bar, tracking, and the count of tokens."""

from types import SimpleNamespace

from agents.training.callbacks import TokenCount, TrackTraining, TrainingBar


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
