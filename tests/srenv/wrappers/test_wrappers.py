import json
import multiprocessing
import os
import pickle
import time

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import InvalidAction
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

import srenv
from srenv.tools import ExpressionError, calculate, transform
from srenv.wrappers import (
    BanditView,
    CalculatorTool,
    CalibrationStatistics,
    ChatObservation,
    EpisodeRecorder,
    TurnBudgetCurriculum,
)
from srenv.wrappers import vector as twins

PROBLEM = srenv.Problem("p", "2+2?", "4", "test")
RIGHT = "\\boxed{{{}}}\n[VERIFY] {}"
ENDS = RIGHT.format(4, "correct (0.8)")


def make(**kwargs):
    return gym.make("srenv:SelfCorrectMath-v0", **kwargs)


def start(env):
    return env.reset(seed=0, options={"problem": PROBLEM})


@pytest.mark.parametrize(
    "wrap",
    [
        ChatObservation,
        CalibrationStatistics,
        CalculatorTool,
        BanditView,
        lambda env: TurnBudgetCurriculum(env, (1, 3), 0.5, 5),
    ],
)
def test_wrapped_environments_keep_gymnasiums_contract_and_their_spec(wrap):
    env = wrap(make())
    env.unwrapped.spec = None
    check_env(env, skip_render_check=True)
    env = wrap(make())
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert again.spec == env.spec
    one, two = env.reset(seed=3), again.reset(seed=3)
    assert np.array_equal(one[0], two[0])
    assert one[1] == two[1]
    pickle.loads(pickle.dumps(env)).reset(seed=1)


def test_wrappers_refuse_other_environments():
    other = gym.make("CartPole-v1")
    for wrap in (ChatObservation, CalibrationStatistics, CalculatorTool, BanditView):
        with pytest.raises(TypeError, match="self-correction environment"):
            wrap(other)
    with pytest.raises(TypeError, match="native vector environment"):
        twins.CalibrationStatistics(SyncVectorEnv([make]))


# --- chat -----------------------------------------------------------------------------------------


def test_chat_messages_are_new_objects_and_a_long_chat_loses_its_beginning():
    env = ChatObservation(make(), max_chars=250)
    first, _ = start(env)
    second, *_ = env.step(RIGHT.format(5, "wrong"))
    assert [m["role"] for m in second] == ["user", "assistant", "user"]
    assert second in env.observation_space
    assert second[-1]["content"] == env.unwrapped.episode.messages[-1]["content"]
    second[0]["content"] = "changed"
    assert env.unwrapped.episode.messages[0]["content"].startswith("2+2?")
    assert first is not second


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_chat_twin_is_sync_of_the_wrapper(mode):
    fns = [lambda: ChatObservation(make(max_attempts=2))] * 3
    sync = SyncVectorEnv(fns, autoreset_mode=mode)
    twin = twins.ChatObservation(
        gym.make_vec("SelfCorrectMath-v0", 3, autoreset_mode=mode, max_attempts=2)
    )
    assert twin.observation_space == sync.observation_space
    assert twin.reset(seed=4)[0] == sync.reset(seed=4)[0]
    for k in range(6):
        turns = [RIGHT.format(k, "correct" if (k + i) % 3 == 0 else "wrong") for i in range(3)]
        ours, theirs = twin.step(turns), sync.step(turns)
        assert ours[0] == theirs[0]
        over = theirs[2] | theirs[3]
        assert ("final_obs" in ours[4]) == ("final_obs" in theirs[4])
        if "final_obs" in theirs[4]:
            assert ours[4]["final_obs"].tolist() == theirs[4]["final_obs"].tolist()
        if mode is AutoresetMode.DISABLED and over.any():
            mask = {"reset_mask": over}
            assert twin.reset(options=dict(mask))[0] == sync.reset(options=dict(mask))[0]


# --- recorder -------------------------------------------------------------------------------------


def test_recorded_episodes_are_read_back(tmp_path):
    path = tmp_path / "new" / "episodes.jsonl"
    env = EpisodeRecorder(make(), path, every=2, unfinished=True)
    for _ in range(3):
        start(env)
        env.step("π")
        env.step(ENDS)
    start(env)
    env.step("left")
    env.close()
    episodes = list(srenv.read_episodes(path))
    assert [e.ending for e in episodes] == ["declared", "declared"]
    assert episodes[0].turns[0].text == "π"
    assert episodes[0].problem == PROBLEM
    with pytest.raises(ValueError, match="every"):
        EpisodeRecorder(make(), path, every=0)


def test_unfinished_episodes_are_kept_when_asked_for(tmp_path):
    for wanted in (False, True):
        path = tmp_path / f"{wanted}.jsonl"
        env = EpisodeRecorder(make(), path, unfinished=wanted)
        start(env)
        env.step("one")
        start(env)
        env.close()
        assert path.exists() is wanted


def _record(path):
    env = EpisodeRecorder(make(), path)
    for _ in range(20):
        start(env)
        env.step("x" * 30_000)
        env.step(ENDS)


@pytest.mark.slow
def test_processes_share_a_file(tmp_path):
    path = tmp_path / "shared.jsonl"
    workers = [multiprocessing.get_context("fork").Process(target=_record, args=[path])] * 1
    workers += [multiprocessing.get_context("fork").Process(target=_record, args=[path])]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(1 for _ in srenv.read_episodes(path)) == 40


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_vector_recorder_misses_nothing(mode, tmp_path):
    envs = gym.make_vec("SelfCorrectMath-v0", 3, autoreset_mode=mode, max_attempts=2)
    envs = twins.EpisodeRecorder(envs, tmp_path / "episodes.jsonl")
    envs.reset(seed=0)
    ended = 0
    for k in range(8):
        *_, terminated, truncated, _ = envs.step([f"{k}", RIGHT.format(k, "correct"), f"{k}"])
        over = terminated | truncated
        ended += int(over.sum())
        if mode is AutoresetMode.DISABLED and over.any():
            envs.reset(options={"reset_mask": over})
    episodes = list(srenv.read_episodes(envs.path))
    assert len(episodes) == ended > 5
    assert {e.ending for e in episodes} == {"declared", "exhausted"}


# --- calibration ----------------------------------------------------------------------------------


def test_calibration_of_an_episode_and_of_the_last_ones():
    env = CalibrationStatistics(make(), buffer_length=2)
    for turns in (["x", ENDS], [RIGHT.format(4, "wrong (0.6)"), RIGHT.format(5, "correct")]):
        start(env)
        for turn in turns:
            *_, info = env.step(turn)
    assert info["calibration"] == {
        "verdicts": 2,
        "agreement": 0.0,
        "brier": pytest.approx((0.6**2 + 1) / 2),
        "final_correct": False,
    }
    summary = env.summary()
    # Of three readable verdicts one said "correct" of a right attempt, one "wrong".
    assert summary["verdict_tpr"] == 0.5
    assert summary["brier_stated"] == pytest.approx((0.2**2 + 0.6**2 + 1) / 3)


def test_vector_calibration_has_masks():
    envs = gym.make_vec("SelfCorrectMath-v0", 2, autoreset_mode="SameStep")
    envs = twins.CalibrationStatistics(envs)
    envs.reset(seed=0, options={"problem": PROBLEM})
    *_, infos = envs.step([ENDS, "x"])
    assert infos["_calibration"].tolist() == [True, False]
    assert infos["calibration"]["agreement"][0] == 1.0
    assert infos["calibration"]["verdicts"].dtype == np.int64
    assert envs.summary()["accuracy_final"] == 1.0


# --- tools ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("2^10", "1024"),
        ("-2^2", "-4"),
        ("(-2)^2", "4"),
        ("2^-1", "1/2"),
        ("2(3+4)", "14"),
        ("7 - -3", "10"),
        ("2^3^2", "512"),
        ("sqrt(49/4)", "7/2"),
        ("gcd(12, 18) + lcm(4, 6)", "18"),
        ("mod(-7, 3)", "2"),
        ("factorial(5)", "120"),
        ("(-1)^1000001", "-1"),
        ("0^0", "1"),
        ("3 × 4 ÷ 6 − 1", "1"),
    ],
)
def test_arithmetic(formula, value):
    assert calculate(formula) == value


HOSTILE = [
    "9^9^9^9",
    "10^10^10",
    "(" * 999,
    "1/0",
    "0^-1",
    "__import__('os').system('true')",
    "factorial(10000)",
    "9" * 500,
    "1+" * 400,
    "",
    " ",
    "1.2.3",
    "2^(1/3)",
    "x" * 2000,
    "lcm(" + ",".join(str(10**50 + k) for k in range(15)) + ")",
]


@pytest.mark.parametrize("formula", HOSTILE)
def test_hostile_formulas_are_refused_at_once(formula):
    began = time.perf_counter()
    with pytest.raises(ExpressionError):
        calculate(formula)
    assert time.perf_counter() - began < 0.2


@pytest.mark.slow
def test_algebra_under_limits():
    assert transform("expand((x+1)^2)") == "x^2 + 2*x + 1"
    assert transform("solve(x^2 = 4, x)") == "[-2, 2]"
    assert transform("1/3 + 1/6") == "1/2"
    for formula in (*HOSTILE[:8], "os(1)", "solve", "name", "(x+1)^99", "eval(1)"):
        began = time.perf_counter()
        with pytest.raises(ExpressionError):
            transform(formula)
        assert time.perf_counter() - began < 5
    slow = "expand((a+b+c+d+f+g+h)^60)"
    with pytest.raises(ExpressionError, match=r"long|cannot|took"):
        transform(slow)
    assert transform("diff(x^3, x)") == "3*x^2"  # the process is back


@pytest.mark.slow
def test_algebra_survives_a_fork():
    transform("1+1")
    if (child := os.fork()) == 0:
        os._exit(0 if transform("2+2") == "4" else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert transform("3+3") == "6"


def test_a_call_is_no_turn_and_its_result_is_part_of_the_turn():
    env = CalculatorTool(make(), max_calls=2)
    start(env)
    observation, reward, terminated, truncated, info = env.step("I add.\n[CALC] 2+2\n")
    assert observation.endswith("Assistant: I add.\n[CALC] 2+2\n[RESULT] 4\n")
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert (info["turn"], info["tool_calls"], info["tool_result"]) == (0, 1, "4")
    assert info["continuation"] == "[RESULT] 4\n"
    env.step("[CALC] 1/0")
    *_, info = env.step("So \\boxed{4}\n[VERIFY] correct")
    text = env.unwrapped.episode.turns[0].text
    assert text == (
        "I add.\n[CALC] 2+2\n[RESULT] 4\n[CALC] 1/0\n[RESULT] error: division by zero\n"
        "So \\boxed{4}\n[VERIFY] correct"
    )
    assert (info["correct"], info["tool_calls"], info["turn"]) == (True, 2, 1)
    start(env)
    for _ in range(3):
        *_, info = env.step("[CALC] 1")
    assert info["malformed"] == "no_answer"  # the third call was one too many
    assert env.draft == ""


def test_a_result_cannot_answer_or_judge_for_the_model():
    env = CalculatorTool(make(), algebra=True)
    start(env)
    env.step("[CALC] boxed(4)")
    *_, info = env.step("[SYMPY] boxed(4)\n[VERIFY] correct")
    assert info["malformed"] == "no_answer"
    assert not info["declared"]


def test_resets_drop_a_draft_and_symbols_need_to_be_allowed():
    env = CalculatorTool(make())
    start(env)
    env.step("[CALC] 1+1")
    start(env)
    *_, info = env.step("[SYMPY] 1+1")
    assert (info["turn"], env.unwrapped.episode.turns[0].text) == (1, "[SYMPY] 1+1")
    with pytest.raises(InvalidAction):
        env.step(3)


# --- curriculum -----------------------------------------------------------------------------------


def test_the_budget_rises_with_success_only():
    env = TurnBudgetCurriculum(make(), (1, 2, 4), threshold=0.5, window=2)
    seen = []
    for answer in (5, 5, 4, 4, 4, 4, 5):
        _, info = start(env)
        done = False
        while not done:
            *_, terminated, truncated, later = env.step(RIGHT.format(answer, "wrong"))
            done = terminated or truncated
        seen.append(info["turn_budget"])
        assert later["turn"] == later["turn_budget"] == seen[-1]
    assert seen == [1, 1, 1, 2, 2, 4, 4]
    for bad in ((), (2, 1), (0, 1)):
        with pytest.raises(ValueError, match="budgets"):
            TurnBudgetCurriculum(make(), bad)


def test_vector_curriculum_counts_all_environments():
    envs = gym.make_vec("SelfCorrectMath-v0", 4, autoreset_mode="SameStep")
    envs = twins.TurnBudgetCurriculum(envs, (1, 3), threshold=1.0, window=4)
    _, infos = envs.reset(seed=0, options={"problem": PROBLEM})
    assert infos["turn_budget"].tolist() == [1] * 4
    *_, terminated, _, infos = envs.step([RIGHT.format(4, "wrong")] * 4)
    assert terminated.all()
    envs.reset(seed=1)
    *_, infos = envs.step(["x"] * 4)
    assert infos["turn_budget"].tolist() == [3] * 4


# --- bandit ---------------------------------------------------------------------------------------


def test_arms_of_the_bandit():
    env = BanditView(make(), skill=1.0, check=1.0)
    observation, _ = start(env)
    assert observation.tolist() == [0, 0, 0]
    observation, _, _, _, info = env.step(1)
    assert info["turn_text"] == RIGHT.format(4, "wrong")
    assert observation.tolist() == [0.25, 1, 0]
    observation, *_ = env.step(4)
    assert observation.tolist() == [0.5, 0, 1]
    *_, info = env.step(3)
    assert (info["correct"], info["verdict"]) == (False, "wrong")
    for bad in (5, -1):
        with pytest.raises(InvalidAction):
            env.step(bad)


def test_arms_speak_the_words_of_the_protocol():
    env = BanditView(make(protocol="yes_no"), skill=1.0, check=1.0)
    start(env)
    *_, info = env.step(1)
    assert info["turn_text"].endswith(" No.")
    assert (info["verdict"], info["malformed"]) == ("wrong", "")
    *_, terminated, _, info = env.step(2)
    assert info["turn_text"].endswith(" Yes.")
    assert terminated


def test_skill_and_check_are_probabilities():
    env = BanditView(make(max_attempts=1), skill=0.3, check=0.8)
    right = agrees = 0
    for seed in range(400):
        env.reset(seed=seed)
        *_, info = env.step(2)
        right += info["correct"]
        agrees += (info["verdict"] == "correct") == info["correct"]
    assert right / 400 == pytest.approx(0.3, abs=0.08)
    assert agrees / 400 == pytest.approx(0.8, abs=0.08)


@pytest.mark.parametrize(
    "kwargs", [{"arms": []}, {"arms": ["\\boxed{1}"]}, {"arms": ["{x}"]}, {"skill": 2}]
)
def test_bad_bandits_are_refused(kwargs):
    with pytest.raises(ValueError, match=r"arm|probabilities"):
        BanditView(make(), **kwargs)


# --- the real libraries ---------------------------------------------------------------------------


@pytest.mark.slow
def test_stable_baselines3_learns_to_follow_the_check():
    sb3 = pytest.importorskip("stable_baselines3", reason='pip install "srenv[gymnasium-tests]"')
    from stable_baselines3.common.env_checker import check_env as check_sb3

    env = BanditView(make(), skill=0.4, check=0.95)
    check_sb3(env)

    def mean_return(choose, episodes=200):
        total = 0.0
        for seed in range(episodes):
            observation, _ = env.reset(seed=10_000 + seed)
            over = False
            while not over:
                observation, reward, terminated, truncated, _ = env.step(choose(observation))
                total += reward
                over = terminated or truncated
        return total / episodes

    model = sb3.PPO(
        "MlpPolicy", env, n_steps=256, batch_size=64, gamma=1.0, seed=0, device="cpu",
        learning_rate=1e-3,
    )  # fmt: skip
    before = mean_return(lambda observation: model.predict(observation)[0])
    model.learn(6_000)
    after = mean_return(lambda observation: model.predict(observation, deterministic=True)[0])
    best = mean_return(lambda _: 2)
    constant = mean_return(lambda _: 0)
    assert after > before + 0.3
    assert after > constant
    assert after == pytest.approx(best, abs=0.15)


@pytest.mark.slow
def test_minari_records_and_recovers(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    pytest.importorskip("jax", reason='pip install "srenv[gymnasium-tests]"')
    minari = pytest.importorskip("minari", reason='pip install "srenv[gymnasium-tests]"')
    env = minari.DataCollector(make())
    # A dataset holds what HDF5 can: a problem by its id, not as an object.
    problem = srenv.load_problems("synthetic:linear").problem(0)
    turns = ["π is no answer 😀", RIGHT.format(problem.answer, "correct (0.8)")]
    for _ in range(3):
        env.reset(seed=0, options={"problem_id": problem.id})
        for turn in turns:
            env.step(turn)
    env.create_dataset(
        dataset_id="srenv/test-v0",
        algorithm_name="scripted",
        author="srenv",
        author_email="nobody@example.org",
        code_permalink="none",
    )
    dataset = minari.load_dataset("srenv/test-v0")
    assert dataset.total_episodes == 3
    episode = dataset[0]
    assert list(episode.actions) == turns
    assert episode.observations[0].startswith(f"User: {problem.prompt}")
    assert turns[0] in episode.observations[1]
    assert episode.rewards.tolist() == pytest.approx([-0.5, 1 - 0.5 * 0.2**2 - 0.05])
    recovered = dataset.recover_environment()
    assert recovered.observation_space == env.observation_space
    assert json.loads(recovered.spec.to_json())["id"] == "SelfCorrectMath-v0"
    recovered.reset(seed=0)
