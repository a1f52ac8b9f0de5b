"""The native vector environment: actions, subsets, reset options, attributes."""

import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.vector import AutoresetMode

import srenv

RIGHT = "\\boxed{{{}}}\n[VERIFY] {}"


def vector(num_envs=4, mode=AutoresetMode.DISABLED, **kwargs):
    envs = gym.make_vec("SelfCorrectMath-v0", num_envs, autoreset_mode=mode, **kwargs)
    envs.reset(seed=0)
    return envs


def test_malformed_actions_are_refused_before_any_turn_is_played():
    envs = vector()
    before = envs.unwrapped.call("conversation")
    for bad, message in [
        ("abcd", "bare str"),
        (["a"], "4 environments"),
        (["a", "b", "c", 4], "int at 3"),
    ]:
        with pytest.raises(InvalidAction, match=message):
            envs.step(bad)
    assert all(not conversation.episode.turns for conversation in before)


def test_actions_are_any_sequence_of_strings():
    envs = vector()
    turn = RIGHT.format(1, "wrong")
    for good in ([turn] * 4, np.array([turn] * 4), np.array([turn] * 4, object), iter([turn] * 4)):
        envs.step(good)


def test_a_step_grades_all_answers_in_one_call(monkeypatch):
    calls = []

    def counting(problems, answers):
        calls.append(len(answers))
        return srenv.problems.grade_batch(problems, answers)

    monkeypatch.setattr("srenv.envs.vector.grade_batch", counting)
    envs = vector(8, problems="synthetic:system")
    envs.step([RIGHT.format("(1, 2)", "wrong")] * 8)
    assert calls == [8]


def test_stepping_a_subset_leaves_the_others_alone():
    envs, whole = vector().unwrapped, vector().unwrapped
    turn = RIGHT.format(1, "wrong")
    observations, rewards, terminated, _, infos = envs.step_subset([3, 1], [turn, "nothing"])
    expected = whole.step(["x", "nothing", "x", turn])
    assert observations == (expected[0][3], expected[0][1])
    assert rewards.tolist() == [expected[1][3], expected[1][1]]
    assert infos["malformed"].tolist() == ["", "no_answer"]
    assert terminated.shape == (2,)
    assert [len(c.episode.turns) for c in envs.call("conversation")] == [0, 1, 0, 1]


def test_step_subset_refuses_bad_indices():
    envs = vector().unwrapped
    for bad, error in [([4], IndexError), ([0, 0], ValueError), ([], ValueError)]:
        with pytest.raises(error):
            envs.step_subset(bad, ["x"] * len(bad))


def test_subsets_add_up_to_whole_steps():
    turns = [[RIGHT.format(k, "wrong") for k in range(4)] for _ in range(5)]
    whole = vector(mode=AutoresetMode.SAME_STEP, max_attempts=2)
    parts = vector(mode=AutoresetMode.SAME_STEP, max_attempts=2).unwrapped
    for step in turns:
        expected = whole.step(step)
        for half in ([2, 0], [1, 3]):
            got = parts.step_subset(half, [step[place] for place in half])
            assert got[0] == tuple(expected[0][place] for place in half)
            assert got[1].tolist() == [expected[1][place] for place in half]


def test_reset_options_name_a_problem_per_environment():
    envs = vector()
    source = srenv.load_problems("synthetic:linear")
    ids = [source.problem(k).id for k in range(3)]
    drawn = envs.reset(seed=5)[1]["problem_id"]
    chosen = envs.reset(seed=5, options={"problem_id": [ids[0], None, ids[1], ids[2]]})[1]
    assert chosen["problem_id"].tolist() == [ids[0], drawn[1], ids[1], ids[2]]
    later = envs.reset()[1]["problem_id"].tolist()
    envs.reset(seed=5)
    assert envs.reset()[1]["problem_id"].tolist() == later  # naming a problem shifts nothing


def test_groups_share_a_problem():
    envs = vector()
    drawn = envs.reset(seed=5)[1]["problem_id"]
    groups = envs.reset(seed=5, options={"group_size": 2})[1]["problem_id"].tolist()
    assert groups == [drawn[0], drawn[0], drawn[2], drawn[2]]
    own = srenv.Problem("own", "?", "1", "test")
    problems = envs.reset(options={"problem": [own, None], "group_size": 2})[1]["problem_id"]
    assert problems[:2].tolist() == ["own", "own"]
    assert problems[2] == problems[3] != "own"


def test_bad_reset_options_are_refused():
    envs = vector()
    ids = ["synthetic/1", "synthetic/2", "synthetic/3"]
    for bad in ({"group_size": 3}, {"problem_id": ids}, {"problemid": ids[0]}):
        with pytest.raises(ValueError, match=r"group_size|entries|unknown"):
            envs.reset(options=bad)


def test_disabled_autoreset_needs_a_reset_after_the_end():
    envs = vector(max_attempts=1)
    envs.step(["x"] * 4)
    with pytest.raises(ResetNeeded, match="reset_mask"):
        envs.step(["x"] * 4)


def test_a_mask_resets_the_environments_that_it_names():
    envs = vector(max_attempts=1)
    envs.step(["x"] * 4)
    mask = np.array([True, False, True, False])
    options = {"reset_mask": mask}
    _, infos = envs.reset(options=options)
    assert infos["_problem_id"].tolist() == mask.tolist()
    assert "reset_mask" in options
    assert envs.unwrapped.step_subset([0, 2], ["x", "y"])[2].all()


def test_bad_masks_are_refused():
    envs = vector()
    for bad, error in [([True] * 4, TypeError), (np.zeros(4, bool), ValueError)]:
        with pytest.raises(error):
            envs.reset(options={"reset_mask": bad})


def test_attributes_of_the_environments():
    envs = vector().unwrapped
    assert envs.get_attr("max_attempts") == (4, 4, 4, 4)
    envs.set_attr("max_attempts", [1, 2, 3, 4])
    with pytest.raises(ValueError, match="4 environments"):
        envs.set_attr("max_attempts", [1])
    envs.reset(seed=0)
    assert envs.step(["x"] * 4)[2].tolist() == [True, False, False, False]
    assert len(envs.call("conversation")) == 4
    assert [episode.turns[0].text for episode in envs.get_attr("episode")] == ["x"] * 4
    assert len({id(rng) for rng in envs.np_random}) == 4


def test_copies_by_pickle_continue_the_episodes():
    envs = vector(2, mode=AutoresetMode.NEXT_STEP, render_mode="ansi")
    envs.step(["x", "y"])
    assert ["attempt 1" in frame for frame in envs.render()] == [True, True]
    twin = pickle.loads(pickle.dumps(envs))
    assert twin.step(["a", "b"])[0] == envs.step(["a", "b"])[0]
    assert twin.reset()[0] == envs.reset()[0]
