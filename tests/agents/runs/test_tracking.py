"""Tracked runs, read back from the files of each backend."""

import json

import pytest
import wandb

from agents.runs.tracking import Tracker


def log_records(data):
    """Records of a LevelDB log, the format of .wandb files: 32 KiB blocks of framed pieces."""
    position, piece = 7, b""  # W&B's own header comes first
    while position + 7 <= len(data):
        length, kind = (
            int.from_bytes(data[position + 4 : position + 6], "little"),
            data[position + 6],
        )
        if kind == 0:  # padding at the end of a block
            position = (position // 32768 + 1) * 32768
            continue
        piece += data[position + 7 : position + 7 + length]
        position += 7 + length
        if 32768 - position % 32768 < 7:
            position = (position // 32768 + 1) * 32768
        if kind in (1, 4):  # a whole record, or the last piece of one
            yield piece
            piece = b""


def read_offline_run(folder):
    """All history rows, the configuration and the file names of an offline W&B run."""
    from wandb.proto import wandb_internal_pb2

    rows, config, files, ids = [], {}, [], set()
    for path in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        for data in log_records(path.read_bytes()):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            kind = record.WhichOneof("record_type")
            if kind == "history":
                items = record.history.item
                rows.append(
                    {"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in items}
                )
            elif kind in ("config", "run"):
                update = record.config if kind == "config" else record.run.config
                config |= {i.key: json.loads(i.value_json) for i in update.update}
                if kind == "run":
                    ids.add(record.run.run_id)
            elif kind == "files":
                files += [f.path for f in record.files.files]
    return rows, config, files, ids


@pytest.fixture
def picture(tmp_path):
    import matplotlib.pyplot as plt

    figure, _ = plt.subplots(figsize=(1, 1))
    figure.savefig(tmp_path / "picture.png")
    plt.close(figure)
    return tmp_path / "picture.png"


def test_a_resumed_offline_wandb_run_is_one_run(tmp_path, picture, monkeypatch):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    folder = tmp_path / "run"
    for resumed in (False, True):
        tracker = Tracker("wandb", folder, "name", {"pg": {"steps": 3}, "seed": 0})
        tracker.log("warmup" if not resumed else "policy_gradient", {"loss": 0.5}, step=1)
        tracker.table("policy_gradient/episodes", ["problem"], [["Solve"]])
        tracker.figure("figures/summary", picture)
        tracker.finish()
    wandb.teardown()  # W&B's own process writes the last rows before it ends, not before `finish`
    rows, config, files, ids = read_offline_run(folder)
    assert len(list(folder.glob("wandb/offline-run-*"))) == 2
    assert ids == {(folder / "run_id").read_text()}  # one run, resumed
    steps = [row["_step"] for row in rows]
    assert steps == list(range(len(steps)))  # `wandb sync` appends the second part to the first
    assert config["pg.steps"] == 3
    assert config["git_revision"]
    assert any(row.get("warmup/loss") == 0.5 and row["warmup/step"] == 1 for row in rows)
    assert any(row.get("policy_gradient/loss") == 0.5 for row in rows)
    assert any("policy_gradient/episodes" in key for row in rows for key in row)
    assert any(path.endswith(".table.json") for path in files)
    assert any(path.endswith(".png") for path in files)


def test_the_rows_of_a_wandb_run_are_counted_on_and_replaced_whole(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    path, before = tmp_path / "wandb_rows", tmp_path / "before"
    path.write_text("7")  # as it was written before
    before.hardlink_to(path)
    tracker = Tracker("wandb", tmp_path, "name", {})
    tracker.log("warmup", {"loss": 0.5}, step=1)
    tracker.finish()
    assert json.loads(path.read_text()) == 8
    assert before.read_text() == "7"  # a kill in the middle would have left this


def test_a_run_id_that_a_kill_left_empty_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    (tmp_path / "run_id").write_text("")
    Tracker("wandb", tmp_path, "name", {}).finish()
    known = (tmp_path / "run_id").read_text()
    assert known
    Tracker("wandb", tmp_path, "name", {}).finish()
    assert (tmp_path / "run_id").read_text() == known


def test_tensorboard_gets_scalars_and_figures(tmp_path, picture):
    pytest.importorskip("tensorboard")
    tracker = Tracker("tensorboard", tmp_path, "name", {"seed": 0})
    tracker.log("warmup", {"loss": 0.25}, step=2)
    tracker.figure("figures/summary", picture)
    tracker.finish()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    accumulator = EventAccumulator(str(next(tmp_path.glob("tensorboard/srenv"))))
    accumulator.Reload()
    (event,) = accumulator.Scalars("warmup/loss")
    assert (event.value, event.step) == (0.25, 2)
    assert accumulator.Tags()["images"] == ["figures/summary"]


def test_none_writes_nothing(tmp_path):
    tracker = Tracker("none", tmp_path, "name", {})
    tracker.log("warmup", {"loss": 1.0}, 1)
    tracker.table("t", ["a"], [[1]])
    tracker.finish()
    assert list(tmp_path.iterdir()) == []
