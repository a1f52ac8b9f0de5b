"""RISE: improved turns as weighted demonstrations, and measures over several turns."""

import pytest

import srenv
from agents.engines import Sampling
from agents.recipes import rise
from agents.recipes.rise import RiseConfig
from agents.rollouts.speakers import ModelSpeaker
from agents.training.policy_gradient import PolicyGradientConfig
from agents.training.sft import SftConfig, read_demonstrations
from tests.support import ScriptedEngine
from tests.support.recipes import SHORT

PROBLEM = srenv.Problem("p", "What?", "1", "test")


def short_config(untrained, folder, **changes):
    options = {"sampled": 6, "width": 2, "turns": 3, "sft": SftConfig(epochs=1, batch_size=4)}
    return RiseConfig(model=untrained, output=folder, **options | SHORT | changes)


@pytest.mark.slow
def test_it_runs_through(untrained, tmp_path):
    online = PolicyGradientConfig(
        steps=1, problems_per_step=2, group_size=4, micro_batch=8, max_new_tokens=10,
        scale_roles=False,
    )  # fmt: skip
    rows = rise.train(short_config(untrained, tmp_path / "run", teacher=untrained, online=online))
    assert list(rows)[3:6] == ["base, m1@t3", "base, last of 3", "base, p1@t3 (oracle)"]
    assert list(rows)[-3] == "online, m1@t3"
    assert rows["online, m1@t3"]["turns"].value == 3
    data = read_demonstrations(tmp_path / "run" / "iteration_2_data" / "demonstrations.jsonl")
    # Iteration 2: two turns of the model, one improved; one example per turn that is no copy.
    assert {len(d.episode.turns) for d in data} == {1, 2, 3}
    # An untrained model writes no box: all turns have reward -1.
    assert {round(d.weight, 4) for d in data} <= {12.1825, 1.0, 0.0821}


@pytest.mark.slow
def test_turns_are_sampled_at_inference_if_a_temperature_is_set(untrained, tmp_path, monkeypatch):
    temperatures = []

    class Spy(ModelSpeaker):
        def __init__(self, engine, sampling):
            temperatures.append(sampling.temperature)
            super().__init__(engine, sampling)

    monkeypatch.setattr(rise, "ModelSpeaker", Spy)
    rise.train(short_config(untrained, tmp_path, iterations=1, turn_temperature=0.5))
    assert temperatures == [0.5, 1.0, 0.5]  # measured, sampled for training, measured


@pytest.mark.parametrize("tau", [0.0, -0.4])
def test_a_temperature_of_weights_that_is_none_is_refused_at_once(tmp_path, tau):
    config = RiseConfig(output=tmp_path / "run", tau=tau, **SHORT)
    with pytest.raises(ValueError, match=f"tau .* set it above 0, not to {tau}"):
        rise.train(config)
    assert not config.output.exists()


def episode_of(*answers):
    """An episode as RISE samples it; None is a turn without an answer."""
    (conversation,) = rise.start([PROBLEM], "gold", len(answers))
    for answer in answers:
        conversation.step("no idea" if answer is None else f"I say \\boxed{{{answer}}}")
    return conversation.episode


def test_each_turn_is_an_example_that_learns_it_alone():
    examples = rise.examples(episode_of(None, 2, 1), tau=0.4)
    assert [len(d.episode.turns) for d in examples] == [1, 2, 3]
    assert [sorted(d.targets) for d in examples] == [
        [(t, "attempt"), (t, "verdict")] for t in range(3)
    ]
    assert all(d.episode.messages[-1]["role"] == "assistant" for d in examples)


def test_each_example_is_weighted_by_its_reward():
    examples = rise.examples(episode_of(None, 2, 1), tau=0.4)
    assert [d.weight for d in examples] == pytest.approx([0.0821, 1.0, 12.1825], abs=1e-4)


def test_copies_of_an_attempt_are_left_out():
    assert len(rise.examples(episode_of(2, 2, 3), 0.4)) == 2


@pytest.mark.parametrize(
    ("text", "degenerate"),
    [("so " * 151, True), ("x" * 301, True), ("so " * 150 + "x" * 300, False)],
)
def test_a_turn_is_degenerate_if_a_word_repeats_too_often_or_is_too_long(text, degenerate):
    assert rise.degenerate(text) is degenerate


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
def test_keep_rules(rewards, keep, learned):
    assert rise.kept(rewards, keep) is learned


def test_an_example_shows_the_attempts_in_the_window():
    last = rise.examples(episode_of(2, 3, 4), 0.4, window=1)[-1]
    assert [turn.answer for turn in last.episode.turns] == ["3", "4"]
    assert last.targets == {(1, "attempt"), (1, "verdict")}
    assert [m["role"] for m in last.episode.messages] == ["user", "assistant", "user", "assistant"]


def test_the_best_of_several_turns_is_played(chat):
    (conversation,) = rise.start([PROBLEM], "gold", 2)
    conversation.step("\\boxed{5}")
    engine = ScriptedEngine(chat, [["none"], ["\\boxed{2}"], ["\\boxed{1}"]])
    rise.improve(engine, [conversation], Sampling(), width=3, window=1)
    assert [turn.answer for turn in conversation.episode.turns] == ["5", "1"]
    assert conversation.episode.ending == "oracle"
