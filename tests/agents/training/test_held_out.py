"""Evaluation on held-out problems during policy gradient, and the best checkpoint."""

import json
from dataclasses import replace

import gymnasium as gym
import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback

import srenv
from agents.engines import TransformersEngine
from agents.models.chat import ChatOptions
from agents.training import policy_gradient
from agents.training.callbacks import HeldOutCurve
from agents.training.policy_gradient import (
    PolicyGradientConfig,
    SelfCorrectTrainer,
    evaluation_settings,
    grpo_config,
    held_out_metrics,
    train_policy,
)
from tests.support.episodes import made_episode, made_turn

SOURCE = srenv.load_problems("synthetic:linear", "train")
PROBLEMS, HELD_OUT = SOURCE.take(8), SOURCE.take(5, seed=1)
CONFIG = PolicyGradientConfig(
    steps=4,
    problems_per_step=2,
    group_size=4,
    micro_batch=8,
    max_new_tokens=6,
    learning_rate=1e-2,
    save_every=100,
    eval_every=1,
    eval_problems=5,
    # Rewards of an untrained model are all the same; these advantages are not.
    estimator="tests.agents.training.test_policy_gradient:hand_made",
    scale_roles=False,
)


def make_env():
    return gym.make("srenv:SelfCorrectMath-v0", max_attempts=2)


class Scripted(SelfCorrectTrainer):
    """A trainer whose evaluations have scores that are known."""

    scores = (0.1, 0.2, 0.6, 0.3, 0.5)

    def evaluate(self, *args, **kwargs):
        metrics = {"eval_score": self.scores[self.state.global_step]}
        self.model.eval()
        self.log(dict(metrics))
        self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


def weights(folder):
    model = AutoModelForCausalLM.from_pretrained(folder)
    return next(iter(model.parameters())).detach()


class Figures:
    def __init__(self):
        self.paths = []

    def figure(self, name, path):
        self.paths.append((name, path))


@pytest.fixture(scope="module")
def run(untrained, tmp_path_factory):
    """The folder of a training with evaluations, and its callback."""
    folder = tmp_path_factory.mktemp("held_out")
    curve = HeldOutCurve(folder / "held_out_pg.png", Figures())
    train_policy(
        untrained,
        folder,
        PROBLEMS,
        make_env,
        replace(CONFIG, steps=2),
        callbacks=[curve],
        held_out=HELD_OUT,
    )
    return folder, curve


def history(folder):
    """The log of the newest checkpoint."""
    newest = max(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    return json.loads((newest / "trainer_state.json").read_text())["log_history"]


@pytest.mark.slow
def test_held_out_problems_are_played_at_the_start_and_every_few_steps(run):
    folder, _ = run
    points = [entry for entry in history(folder) if "eval_score" in entry]
    assert [entry["step"] for entry in points] == [0, 1, 2]
    assert all({"eval_accuracy_final", "eval_length_mean_by_turn/1"} <= set(p) for p in points)
    steps = [entry for entry in history(folder) if "loss" in entry]
    assert not any(name.startswith("eval_") for entry in steps for name in entry)


@pytest.mark.slow
def test_the_curve_is_drawn_and_tracked(run):
    folder, curve = run
    assert (folder / "held_out_pg.png").stat().st_size > 0
    assert curve.tracker.paths == [("figures/held_out_pg", folder / "held_out_pg.png")]
    assert curve.best["best_step"] in (0, 1, 2)


@pytest.mark.slow
def test_evaluation_does_not_change_what_is_trained(run, untrained, tmp_path):
    folder, _ = run
    config = replace(CONFIG, steps=2, eval_every=0)
    plain = train_policy(untrained, tmp_path, PROBLEMS, make_env, config)
    assert (weights(plain) == weights(folder / "final")).all()


@pytest.fixture
def scripted(untrained, tmp_path, monkeypatch):
    """A training with scripted scores, from the `start` on; returns the weights it ends with."""

    def train(start=0.1, callbacks=(), **changes):
        scores = (start, *Scripted.scores[1:])
        trainer = type("Trainer", (Scripted,), {"scores": scores})
        monkeypatch.setattr(policy_gradient, "SelfCorrectTrainer", trainer)
        config = replace(CONFIG, **changes)
        return weights(
            train_policy(
                untrained,
                tmp_path,
                PROBLEMS,
                make_env,
                config,
                callbacks=list(callbacks),
                held_out=HELD_OUT,
            )
        )

    return train


@pytest.mark.slow
@pytest.mark.parametrize("load_best", [False, True])
def test_the_best_checkpoint_is_kept_and_loaded_on_request(scripted, tmp_path, load_best):
    final = scripted(load_best=load_best)
    assert {path.name for path in tmp_path.glob("checkpoint-*")} == {"checkpoint-2", "checkpoint-4"}
    kept = weights(tmp_path / f"checkpoint-{2 if load_best else 4}")
    other = weights(tmp_path / f"checkpoint-{4 if load_best else 2}")
    assert (final == kept).all()
    assert (kept != other).any()


def test_evaluation_shows_conversations_as_the_options_say(untrained, tmp_path, monkeypatch):
    options = ChatOptions("final", {"enable_thinking": False})
    generate, shown = TransformersEngine.generate, []

    def spy(self, prompts, sampling):
        shown.append(self.chat.options)
        return generate(self, prompts, sampling)

    monkeypatch.setattr(TransformersEngine, "generate", spy)
    trainer = SelfCorrectTrainer(
        untrained,
        PROBLEMS,
        make_env,
        CONFIG,
        grpo_config(CONFIG, tmp_path, seed=0),
        held_out=HELD_OUT,
        options=options,
    )
    trainer.evaluate()
    assert shown
    assert all(each == options for each in shown)


class Killed(TrainerCallback):
    """Ends the process, as it were, after the second checkpoint."""

    def on_save(self, args, state, control, **kwargs):
        if state.global_step == 2:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_the_start_is_kept_if_no_checkpoint_is_better(scripted, untrained, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        scripted(start=0.6, callbacks=[Killed()], load_best=True)
    final = scripted(start=0.6, load_best=True)  # resumed: the start is not evaluated again
    assert (final == weights(untrained)).all()
    assert (final != weights(tmp_path / "checkpoint-2")).any()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "final")
    assert tokenizer.get_vocab() == AutoTokenizer.from_pretrained(untrained).get_vocab()


def test_a_resumed_training_does_not_evaluate_its_start_again(tmp_path):
    assert evaluation_settings(CONFIG, tmp_path)["eval_on_start"]
    (tmp_path / "checkpoint-1").mkdir()
    (tmp_path / "checkpoint-1" / "trainer_state.json").write_text("{}")
    assert not evaluation_settings(CONFIG, tmp_path)["eval_on_start"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"eval_every": -1}, "eval_every >= 0"),
        ({"eval_problems": 0}, "eval_problems >= 1"),
        ({"eval_every": 0, "load_best": True}, "set eval_every to at most 4"),
        ({"eval_every": 5, "load_best": True}, "set eval_every to at most 4"),
    ],
)
def test_options_that_could_not_work_are_refused(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        grpo_config(replace(CONFIG, **changes), tmp_path, seed=0)


def test_without_held_out_problems_there_is_no_evaluation(untrained, tmp_path):
    with pytest.raises(ValueError, match="eval_every needs held-out problems"):
        train_policy(untrained, tmp_path, PROBLEMS, make_env, CONFIG)


def test_an_environment_that_does_not_grade_is_scored_by_its_reward():
    graded = made_episode(made_turn(True, "correct"))
    ungraded = made_episode(made_turn(None))
    ungraded.final.rewards = {"reward": 2.0}
    assert held_out_metrics([graded])["score"] == 1.0
    assert held_out_metrics([ungraded])["score"] == 2.0
