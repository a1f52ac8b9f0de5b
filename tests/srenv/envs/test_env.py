import json
import os
import subprocess
import sys
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import InvalidAction, ResetNeeded
from gymnasium.utils.env_checker import check_env
from gymnasium.utils.performance import benchmark_step

import srenv
from srenv.envs.env import make_protocol

RIGHT = "\\boxed{{{}}}\n[VERIFY] {}"
# The worked example of SCoRe's paper: the minimum of (x+5)(x+2)/(x+1) over x > 0.
SCORE_EXAMPLE = srenv.Problem(
    id="score-example",
    prompt="Find the minimum of \\frac{(x+5)(x+2)}{x+1} over x > 0.",
    answer="9",
    source="SCoRe",
)


def make(**kwargs):
    return gym.make("SelfCorrectMath-v0", **kwargs)


def play(env, *turns, problem=SCORE_EXAMPLE):
    env.reset(seed=0, options={"problem": problem})
    return [env.step(turn) for turn in turns]


def test_gymnasium_checker_accepts_it_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # The checker means the unwrapped environment, and says so in a warning otherwise.
        check_env(make().unwrapped)


def test_declaring_ends_by_termination_rightly_or_wrongly():
    for answer, correct in (("9", True), ("6", False)):
        ((_, _, terminated, truncated, info),) = play(make(), RIGHT.format(answer, "correct"))
        assert (terminated, truncated) == (True, False)
        assert info["correct"] is correct
        assert info["declared"]


def test_running_out_of_attempts_truncates_and_a_single_attempt_terminates():
    steps = play(make(max_attempts=2), *[RIGHT.format(6, "wrong")] * 2)
    assert [s[2:4] for s in steps] == [(False, False), (False, True)]
    (step,) = play(make(max_attempts=1), RIGHT.format(6, "wrong"))
    assert step[2:4] == (True, False)


def test_a_malformed_turn_is_a_turn_that_declares_nothing():
    steps = play(make(max_attempts=2), "\\boxed{9} I am sure.", "[VERIFY] correct")
    assert [s[4]["malformed"] for s in steps] == ["no_verdict", "no_answer"]
    assert [s[2:4] for s in steps] == [(False, False), (False, True)]
    assert steps[0][4]["correct"]
    assert steps[0][1] == pytest.approx(1.0 - 1.0)  # right answer, missing verdict


def test_scores_worked_example_is_wrong_then_right():
    env = make(reward={"correctness": 1.0, "progress": 10.0})
    first, second = play(env, RIGHT.format(6, "wrong"), RIGHT.format(9, "correct"))
    assert (first[1], second[1]) == (0.0, 11.0)
    metrics = srenv.measure(srenv.Outcomes.of([env.unwrapped.episode]))
    assert metrics["delta_ic"].value == 1.0
    assert metrics["delta_ci"].value == 0.0


@pytest.mark.parametrize("correct", [True, False])
def test_what_follows_an_attempt_is_silent_about_its_correctness(correct):
    env = make()
    observation = play(env, RIGHT.format("9" if correct else "6", "wrong"))[0][0]
    reply = observation.rpartition("User: ")[2]
    assert reply == make_protocol("default").retry
    for word in ("wrong", "incorrect", "right"):
        assert word not in reply.lower()


def test_the_gold_answer_is_never_in_an_observation():
    secret = srenv.Problem("secret", "What is asked?", "314159", "test")
    env = make()
    observation, info = env.reset(options={"problem": secret})
    seen = [observation, str(info)]
    for turn in (
        "\\boxed{1}\n[VERIFY] wrong",
        "nonsense",
        "\\boxed{2}\n[VERIFY] wrong",
        "\\boxed{",
    ):
        observation, _, _, _, info = env.step(turn)
        seen += [observation, str(info)]
    assert not any("314159" in text for text in seen)


def test_same_seed_same_problems_and_choosing_one_does_not_shift_the_rest():
    def ids(env, choose):
        found = []
        for episode in range(4):
            chosen = {"problem": SCORE_EXAMPLE} if choose and episode == 1 else {}
            _, info = env.reset(seed=7 if episode == 0 else None, options=chosen)
            found.append(info["problem_id"])
        return found

    plain, chosen = ids(make(), False), ids(make(), True)
    assert plain == ids(make(), False)
    assert chosen[1] == "score-example"
    assert chosen[:1] + chosen[2:] == plain[:1] + plain[2:]


def test_reset_by_problem_id_and_unknown_options():
    env = make(split="eval")
    problem = srenv.load_problems("synthetic:linear", "eval").problem(5)
    _, info = env.reset(options={"problem_id": problem.id})
    assert info["problem_id"] == problem.id
    with pytest.raises(ValueError, match="unknown reset options"):
        env.reset(options={"problem_idd": "x"})


def test_misuse_is_refused_clearly():
    env = make().unwrapped
    with pytest.raises(ResetNeeded):
        env.step("x")
    play(env, RIGHT.format(9, "correct"))
    with pytest.raises(ResetNeeded, match="reset"):
        env.step("x")
    env.reset()
    with pytest.raises(InvalidAction, match="int"):
        env.step(3)
    with pytest.raises(ValueError, match="max_attempts"):
        make(max_attempts=0)
    with pytest.raises(ValueError, match="unknown protocol"):
        make(protocol="defualt")
    with pytest.raises(ValueError, match="unknown protocol fields"):
        make(protocol={"instructions": "x"})


def test_an_undecided_attempt_is_flagged_and_pays_nothing():
    huge = srenv.Problem("huge", "?", "9^{9^{9^{9}}}", "test")
    env = make()
    (step,) = play(env, "\\boxed{8^{8^{8^{8}}}}\n[VERIFY] wrong", problem=huge)
    assert step[4]["graded"] is False
    assert step[1] == 0.0
    metrics = srenv.measure(srenv.Outcomes.of([env.unwrapped.episode]))
    assert metrics["undecided"].value == 1
    assert metrics["n"].value == 0


def test_a_very_long_turn_is_cut_and_the_observation_stays_in_its_space():
    env = make()
    (step,) = play(env, "x" * 1_000_000)
    assert step[4]["malformed"] == "no_answer"
    assert step[4]["cut"] == 1_000_000 - 32_768
    assert env.observation_space.contains(step[0])


def test_the_verdict_of_a_long_turn_is_where_the_model_wrote_it():
    text = "x" * 100_000 + "\\boxed{9}\n[VERIFY] correct"
    (step,) = play(make(), text)
    assert (step[4]["correct"], step[4]["declared"]) == (True, True)
    assert text[step[4]["verdict_start"] :] == "\n[VERIFY] correct"


@pytest.mark.parametrize("limit", [50, 200_000])
def test_the_limit_of_a_turn_is_an_argument(limit):
    env = make(max_turn_chars=limit)
    text = "x" * 100_000 + "\\boxed{9}\n[VERIFY] correct"
    (step,) = play(env, text)
    turn = env.unwrapped.episode.final
    assert env.action_space.max_length == limit
    assert turn.correct
    assert len(turn.text) == min(limit, len(text))
    assert env.observation_space.contains(step[0])
    assert step[0].endswith(turn.text)


def test_a_vector_environment_has_the_same_limit():
    envs = gym.make_vec("SelfCorrectMath-v0", 2, max_turn_chars=50)
    assert envs.single_action_space.max_length == 50
    envs.reset(options={"problem": SCORE_EXAMPLE})
    *_, infos = envs.step(["\\boxed{9}" + " " * 100 + "\n[VERIFY] correct"] * 2)
    assert infos["cut"].tolist() == [76, 76]


def test_a_limit_below_one_character_is_refused():
    with pytest.raises(ValueError, match="max_turn_chars must be at least 1"):
        make(max_turn_chars=0)


def test_spec_round_trips_through_json_in_a_fresh_process():
    env = make(problems="synthetic:system", reward="per_turn", max_attempts=2)
    code = (
        "import sys, gymnasium as gym\n"
        "env = gym.make(gym.envs.registration.EnvSpec.from_json(sys.stdin.read()))\n"
        "observation, _ = env.reset(seed=3)\n"
        "print(observation)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        input=env.spec.to_json(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert out.stdout.strip() == env.reset(seed=3)[0]


def test_vector_envs_step_it_and_no_import_is_needed():
    envs = gym.make_vec("srenv:SelfCorrectMath-v0", 3, vectorization_mode="sync")
    envs.reset(seed=0)
    _, rewards, *_ = envs.step(("\\boxed{1}\n[VERIFY] wrong",) * 3)
    assert rewards.dtype == np.float64


def test_ansi_shows_the_conversation():
    env = make(render_mode="ansi")
    play(env, RIGHT.format(6, "wrong"))
    assert env.render().count("attempt 1") == 1


def test_import_is_light(tmp_path):
    # Of a package with its bytecode, as pip installs it, wherever the tests run.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    code = (
        "import sys, time, gymnasium\n"
        "start = time.process_time()\n"
        "import srenv\n"
        "cost = time.process_time() - start\n"
        "heavy = [m for m in ('torch', 'sympy', 'datasets', 'transformers') if m in sys.modules]\n"
        "import json; print(json.dumps([cost, heavy]))"
    )
    runs = [
        json.loads(
            subprocess.run(
                [sys.executable, "-c", code], env=environment, capture_output=True, text=True
            ).stdout
        )
        for _ in range(3)
    ]
    assert all(heavy == [] for _, heavy in runs)
    assert min(cost for cost, _ in runs) < 0.1


def test_a_step_costs_microseconds():
    # Not a benchmark: a guard against work that does not belong in a step.
    env = make(disable_env_checker=True)
    env.reset(seed=0)
    assert benchmark_step(env, target_duration=1, seed=0) > 500


def test_changed_rules_count_from_the_next_reset():
    env = gym.make("SelfCorrectMath-v0").unwrapped
    env.reset(seed=0)
    env.max_attempts = 1
    assert env.step("x")[2:4] == (False, False)
    env.reset()
    assert env.step("x")[2:4] == (True, False)
    env.reward = srenv.make_reward("answer_format=3")
    env.reset()
    assert env.step("x")[1] == -3.0
