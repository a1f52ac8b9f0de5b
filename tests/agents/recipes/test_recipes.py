"""Every recipe, from one end to the other in a few steps, on an untrained model."""

import json

import gymnasium as gym
import pytest

import srenv
from agents.engines import Sampling
from agents.models.chat import ChatFormat
from agents.recipes import rise, score
from agents.recipes.base import BASE, MAJORITY, REVISED
from agents.recipes.rise import RiseConfig
from agents.recipes.score import FirstAttempts, ScoreConfig
from agents.rollouts.dialogue import Dialogue, in_view
from agents.rollouts.play import play
from agents.rollouts.speakers import ModelSpeaker
from agents.training.policy_gradient import PolicyGradientConfig
from agents.training.sft import SftConfig, read_demonstrations
from srenv.commands.compare import CompareConfig, compare
from srenv.episode import read_episodes

FEW = {
    "steps": 2,
    "problems_per_step": 2,
    "group_size": 4,
    "micro_batch": 8,
    "max_new_tokens": 10,
    "scale_roles": False,
    "kl": 0.01,
}
COMMON = {"eval_n": 6, "max_new_tokens": 8, "report_to": "none"}


def short_score(untrained, folder, **changes):
    return ScoreConfig(
        model=untrained,
        output=folder,
        stage1=PolicyGradientConfig(**FEW, first_kl=0.1, adaptive_first_kl=True),
        stage2=PolicyGradientConfig(**FEW),
        **COMMON | changes,
    )


@pytest.mark.slow
def test_score_runs_through_and_its_rows_can_be_compared(untrained, tmp_path):
    metrics = score.train(short_score(untrained, tmp_path / "run", offline=0.5, rounds=2))
    assert list(metrics) == [
        BASE, REVISED, MAJORITY,
        "after stage I_1", "after stage II_1", "after stage I_2", "after stage II_2",
    ]  # fmt: skip
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["result"] == "after stage II_2"
    # Always revise: every episode of the result has two turns, and no verdict is asked for.
    played = list(read_episodes(tmp_path / "run" / "episodes_stage2_2.jsonl"))
    assert [len(e.turns) for e in played] == [2] * 6
    attempts = json.loads((tmp_path / "run" / "offline_attempts_1" / "attempts.json").read_text())
    assert len(attempts) == 1
    gained = compare(CompareConfig(f"{tmp_path / 'run'}:{BASE}", str(tmp_path / "run")))
    assert gained["turns"].value == 1.0


def test_score_holds_every_stage_to_the_base_model(untrained, tmp_path, monkeypatch):
    calls = []

    def learn(model, output, problems, make_env, config, **rest):
        weights = make_env().unwrapped.reward.weights
        calls.append((str(model), weights, config.steps, config.first_kl, str(rest["reference"])))
        return output / "final"

    monkeypatch.setattr("agents.recipes.base.train_policy", learn)
    monkeypatch.setattr(
        score.Score,
        "evaluate",
        lambda self, title, *rest, **named: self.rows.update({title: None}),
    )
    monkeypatch.setattr(score.Score, "majority", lambda *rest: None)
    monkeypatch.setattr(score.Score, "report", lambda self, result: {"result": result})
    config = short_score(untrained, tmp_path / "run", alpha=5.0)
    assert score.train(config) == {"result": "after stage II"}
    first, second = calls
    assert first == (untrained, {"revision": 1.0}, 2, 0.1, untrained)
    assert second[0] == str(tmp_path / "run" / "stage1" / "final")
    assert second[1:] == ({"correctness": 1.0, "progress": 5.0}, 2, 0.0, untrained)


@pytest.mark.parametrize("changes", [{"rounds": 3}, {"rounds": 0}, {"offline": 1.5}])
def test_score_refuses_what_it_cannot_do(untrained, tmp_path, changes):
    with pytest.raises(ValueError, match=r"rounds do not divide|share between"):
        score.train(short_score(untrained, tmp_path, **changes))


def test_a_known_first_attempt_is_played_at_reset():
    problem, other = srenv.load_problems("synthetic:linear").take(2)
    env = FirstAttempts(
        gym.make("srenv:SelfCorrectMath-v0", protocol="intrinsic", max_attempts=2),
        {problem.id: "\\boxed{77}"},
    )
    observation, info = env.reset(options={"problem": problem})
    assert "77" in observation
    assert (info["turn"], info["answer"]) == (1, "77")
    _, _, terminated, truncated, info = env.step(f"\\boxed{{{problem.answer}}}")
    assert terminated or truncated
    assert info["correct"]
    _, info = env.reset(options={"problem": other})
    assert info["turn"] == 0


def short_rise(untrained, folder, **changes):
    return RiseConfig(
        model=untrained,
        output=folder,
        **{
            "sampled": 6,
            "width": 2,
            "turns": 3,
            "sft": SftConfig(epochs=1, batch_size=4),
            **COMMON,
            **changes,
        },
    )


@pytest.mark.slow
def test_rise_runs_through(untrained, tmp_path):
    online = PolicyGradientConfig(**{**FEW, "steps": 1, "kl": 0.0})
    metrics = rise.train(short_rise(untrained, tmp_path / "run", teacher=untrained, online=online))
    assert list(metrics)[3:6] == ["base, m1@t3", "base, last of 3", "base, p1@t3 (oracle)"]
    assert list(metrics)[-3] == "online, m1@t3"
    assert metrics["online, m1@t3"]["turns"].value == 3
    data = read_demonstrations(tmp_path / "run" / "iteration_2_data" / "demonstrations.jsonl")
    # Iteration 2: two turns of the model, one improved; one example per turn that is no copy.
    assert {len(d.episode.turns) for d in data} == {1, 2, 3}
    # An untrained model writes no box: all turns have reward -1.
    assert {round(d.weight, 4) for d in data} <= {12.1825, 1.0, 0.0821}


@pytest.mark.slow
def test_rise_samples_its_turns_at_inference_when_asked_to(untrained, tmp_path, monkeypatch):
    heat = []

    class Spy(ModelSpeaker):
        def __init__(self, engine, sampling):
            heat.append(sampling.temperature)
            super().__init__(engine, sampling)

    monkeypatch.setattr(rise, "ModelSpeaker", Spy)
    rise.train(short_rise(untrained, tmp_path, iterations=1, turn_temperature=0.5))
    assert heat == [0.5, 1.0, 0.5]  # measured, sampled for training, measured


def rise_episode(*answers):
    """An episode as RISE samples it, about a problem whose answer is 1."""
    problem = srenv.Problem("p", "What?", "1", "test")
    (conversation,) = rise.start([problem], "gold", len(answers))
    for answer in answers:
        conversation.step("no idea" if answer is None else f"I say \\boxed{{{answer}}}")
    return conversation.episode


def test_rise_weighs_each_turn_and_learns_it_alone():
    found = rise.examples(rise_episode(None, 2, 1), tau=0.4)
    assert [d.weight for d in found] == pytest.approx([0.0821, 1.0, 12.1825], abs=1e-4)
    assert [len(d.episode.turns) for d in found] == [1, 2, 3]
    assert [sorted(d.targets) for d in found] == [
        [(t, "attempt"), (t, "verdict")] for t in range(3)
    ]
    assert all(d.episode.messages[-1]["role"] == "assistant" for d in found)


def test_rise_leaves_out_copies_and_degenerate_turns():
    assert len(rise.examples(rise_episode(2, 2, 3), 0.4)) == 2
    assert rise.degenerate("so " * 151)
    assert rise.degenerate("x" * 301)
    assert not rise.degenerate("so " * 150 + "x" * 300)


@pytest.mark.parametrize(
    ("rewards", "keep", "learned"),
    [
        ([0, 0], "all", True),
        ([0, 0], "better", False),
        ([0, 0], "best", True),
        ([0, 1], "better", True),
        ([0, -1, 0], "better", True),
        ([0, -1, 0], "best", True),
        ([0, 1, 0], "best", False),
        ([0], "better", True),
        ([0], "success", False),
        ([0, 1], "success", True),
    ],
)
def test_rise_keep_rules(rewards, keep, learned):
    assert rise.kept(rewards, keep) is learned


def test_the_window_shows_the_problem_and_the_latest_attempts():
    episode = rise_episode(2, 3, 4)
    seen = in_view(episode, 1)
    assert [m["role"] for m in seen.messages] == ["user", "assistant"]
    assert [t.answer for t in seen.turns] == ["4"]
    assert seen.messages[0] == episode.messages[0]
    assert in_view(episode, 3) is episode
    assert in_view(episode, None) is episode
    last = rise.examples(episode, 0.4, window=1)[-1]
    assert [t.answer for t in last.episode.turns] == ["3", "4"]
    assert last.targets == {(1, "attempt"), (1, "verdict")}
    assert [m["role"] for m in last.episode.messages] == ["user", "assistant", "user", "assistant"]


def test_the_engine_reads_what_is_in_view(untrained):
    from transformers import AutoTokenizer

    from tests.support import ScriptedEngine

    chat = ChatFormat(AutoTokenizer.from_pretrained(untrained))
    engine = ScriptedEngine(chat, [["\\boxed{2}", "\\boxed{3}", "\\boxed{4}", "\\boxed{1}"]])
    problem = srenv.Problem("p", "What?", "1", "test")
    (conversation,) = rise.start([problem], "rise", 4)
    play([Dialogue(conversation, chat, 0, window=1)], ModelSpeaker(engine, Sampling()))
    assert conversation.ended
    assert [t.correct for t in conversation.episode.turns] == [False, False, False, True]
    assert all(t.tokens for t in conversation.episode.turns)
    last = chat.tokenizer.decode(engine.prompts[-1])
    assert "boxed{4}" in last
    assert "boxed{3}" not in last


def test_the_best_of_several_turns_is_played(untrained):
    from transformers import AutoTokenizer

    from tests.support import ScriptedEngine

    chat = ChatFormat(AutoTokenizer.from_pretrained(untrained))
    problem = srenv.Problem("p", "What?", "1", "test")
    (conversation,) = rise.start([problem], "gold", 2)
    conversation.step("\\boxed{5}")
    engine = ScriptedEngine(chat, [["none"], ["\\boxed{2}"], ["\\boxed{1}"]])
    rise.improve(engine, [conversation], Sampling(), width=3, window=1)
    assert [t.answer for t in conversation.episode.turns] == ["5", "1"]
    assert conversation.episode.ending == "oracle"
