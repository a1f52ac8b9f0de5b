import math
import time

import gymnasium as gym
import pytest

import srenv
from agents.engines import Generation, Sampling, TransformersEngine
from agents.models.roles import ATTEMPT, ENVIRONMENT, VERDICT
from agents.rollouts.environments import environment_factory, with_tool
from agents.rollouts.rollout import rollout
from agents.training.policy_gradient import learnable
from srenv.protocol import PROTOCOLS
from srenv.wrappers import CalculatorTool
from tests.support import ContinuousEngine, ScriptedEngine

PROBLEMS = srenv.load_problems("synthetic:linear", "eval").take(6)
SAMPLED = Sampling(1.0, 1.0, 12)


def make_env():
    return gym.make("srenv:SelfCorrectMath-v0", max_attempts=3)


@pytest.fixture(scope="module")
def engine(untrained):
    return TransformersEngine.load(untrained)


def test_the_ids_that_were_sampled_are_the_ids_that_are_kept(engine):
    seen = []

    class Spy:
        chat = engine.chat

        def generate(self, prompts, sampling):
            generations = engine.generate(prompts, sampling)
            seen.extend(zip(map(list, prompts), generations, strict=True))
            return generations

    for record in rollout(make_env, Spy(), PROBLEMS, SAMPLED):
        context = record.prompt_ids + record.ids
        own = [(p, g) for p, g in seen if p[: len(record.prompt_ids)] == record.prompt_ids]
        assert len(own) == len(record.episode.turns)
        for prompt, generation in own:
            # The record holds what the engine read and wrote, at the same place.
            assert context[: len(prompt)] == prompt
            assert context[len(prompt) : len(prompt) + len(generation.ids)] == generation.ids
        kept = [i for i, t in zip(record.ids, record.turns, strict=True) if t]
        assert kept == [i for _, g in own for i in g.ids]
        assert [x for x, t in zip(record.logprobs, record.turns, strict=True) if t] == [
            x for _, g in own for x in g.logprobs
        ]


def test_roles_turns_and_probabilities_of_a_scripted_episode(engine):
    problem = srenv.Problem("p", "2+2?", "4", "test")
    lines = [["so \\boxed{5}\n2+2=4\n[VERIFY] wrong", "\\boxed{4}\n[VERIFY] correct"]]
    (record,) = rollout(make_env, ScriptedEngine(engine.chat, lines), [problem], SAMPLED)
    assert record.episode.ending == "declared"
    text = {
        (turn, role): engine.chat.tokenizer.decode(
            [
                i
                for i, t, r in zip(record.ids, record.turns, record.roles, strict=True)
                if (t, r) == (turn, role)
            ]
        )
        for turn in (0, 1, 2)
        for role in (ENVIRONMENT, ATTEMPT, VERDICT)
    }
    assert text[1, ATTEMPT] == "so \\boxed{5}"
    assert text[1, VERDICT] == "\n2+2=4\n[VERIFY] wrong<|end|>"
    assert text[2, ATTEMPT] == "\\boxed{4}"
    assert srenv.Protocol().retry in text[0, ENVIRONMENT]
    # One token spells the verdict's word, at log-prob -0.1.
    first, second = record.episode.turns
    assert first.verdict_probability == pytest.approx(0.9048, abs=1e-4)
    assert first.token_confidence == pytest.approx(1 - 0.9048, abs=1e-4)
    assert second.token_confidence == pytest.approx(0.9048, abs=1e-4)
    assert learnable(record) == [int(t > 0) for t in record.turns]


def test_the_probability_of_a_verdict_is_that_of_its_word(engine):
    class Sure(ScriptedEngine):
        """Gives "Yes" a log-prob of -0.5 and the question before it one of -0.1 per byte."""

        def generate(self, prompts, sampling):
            return [
                type(g)(g.ids, [-0.1] * (len(g.ids) - 5) + [-0.2, -0.2, -0.1, -0.7, -0.9])
                for g in super().generate(prompts, sampling)
            ]

    def make_yes_no():
        return gym.make("srenv:SelfCorrectMath-v0", max_attempts=2, protocol="yes_no")

    problem = srenv.Problem("p", "2+2?", "4", "test")
    lines = [["\\boxed{4}\n" + PROTOCOLS["yes_no"].question + " Yes."]]
    (record,) = rollout(make_yes_no, Sure(engine.chat, lines), [problem], SAMPLED)
    turn = record.episode.final
    assert (turn.verdict, record.episode.ending) == ("correct", "declared")
    # Y, e, s; then the full stop and the end of the turn.
    assert turn.verdict_probability == pytest.approx(math.exp(-0.5))


def test_a_turn_that_was_cut_is_closed_before_the_next_one(engine):
    class Cut(ScriptedEngine):
        def generate(self, prompts, sampling):
            return [
                type(g)(g.ids[:-1], g.logprobs[:-1]) for g in super().generate(prompts, sampling)
            ]

    problem = srenv.Problem("p", "2+2?", "4", "test")
    lines = [["\\boxed{5}", "\\boxed{4}\n[VERIFY] correct"]]
    (record,) = rollout(make_env, Cut(engine.chat, lines), [problem], SAMPLED)
    end = engine.chat.tokenizer.eos_token_id
    first_own = record.turns.index(0)
    assert record.ids[first_own] == end


def test_undecided_turns_are_masked_out(engine):
    huge = srenv.Problem("huge", "?", "9^{9^{9^{9}}}", "test")
    lines = [["\\boxed{8^{8^{8^{8}}}}\n[VERIFY] correct"]]
    (record,) = rollout(make_env, ScriptedEngine(engine.chat, lines), [huge], SAMPLED)
    assert set(learnable(record)) == {0}


def talk(key, prompt):
    """As many turns as the key says, then a declaration; long enough for a step in the meantime."""
    time.sleep(0.01)
    turns = prompt.count(srenv.Protocol().retry)
    return f"\\boxed{{{key}}}\n[VERIFY] {'wrong' if turns < key % 3 else 'correct'}"


@pytest.mark.parametrize("order", ["first", "last"])
def test_nothing_waits_for_the_slowest_and_timing_changes_no_record(engine, order):
    """One episode can end while another has not had its first turn."""
    continuous = ContinuousEngine(engine.chat, talk, order)
    ended = []
    records = rollout(
        make_env, continuous, PROBLEMS, SAMPLED, lambda record: ended.append(record.key), threads=1
    )
    assert [record.key for record in records] == list(range(6))
    assert sorted(ended) == list(range(6))
    assert [len(record.episode.turns) for record in records] == [1, 2, 3, 1, 2, 3]
    if order == "last":
        first_turn_of_0 = continuous.answered.index(0)
        assert continuous.answered[:first_turn_of_0].count(5) == 3
    barrier = rollout(make_env, ContinuousEngine(engine.chat, talk, "first"), PROBLEMS, SAMPLED)
    assert [r.ids for r in barrier] == [r.ids for r in records]
    assert continuous.closed == 1


def test_environments_step_while_the_engine_generates(engine):
    class Slow(gym.Wrapper):
        def step(self, action):
            time.sleep(0.2)
            return super().step(action)

    answered = []

    def say(key, prompt):
        answered.append(time.monotonic())
        time.sleep(0.02)
        return "\\boxed{1}\n[VERIFY] correct"

    start = time.monotonic()
    rollout(lambda: Slow(make_env()), ContinuousEngine(engine.chat, say), PROBLEMS, SAMPLED)
    # The last request was answered before the first environment was through its step.
    assert max(answered) - start < 0.2 + 0.02 < time.monotonic() - start


def test_a_failed_episode_leaves_the_others_alone(engine):
    class Broken(gym.Wrapper):
        def step(self, action):
            if "\\boxed{1}" in action:
                raise OSError("the checker is gone")
            return super().step(action)

    def say(key, prompt):
        return ValueError("prompt too long") if key == 4 else talk(key, prompt)

    seen = []
    records = rollout(
        lambda: Broken(make_env()),
        ContinuousEngine(engine.chat, say),
        PROBLEMS,
        SAMPLED,
        lambda record: seen.append(record.key),
    )
    assert {r.key: r.error for r in records if r.error} == {
        1: "OSError: the checker is gone",
        4: "ValueError: prompt too long",
    }
    assert sorted(seen) == list(range(6))
    assert records[4].ids == []
    assert set(learnable(records[1])) <= {0}
    with pytest.raises(RuntimeError, match=r"every episode failed.*prompt too long"):
        rollout(make_env, ContinuousEngine(engine.chat, say), PROBLEMS[:1], SAMPLED, keys=[4])


def test_what_interrupts_a_rollout_cancels_it(engine):
    closed = []

    class Watched(gym.Wrapper):
        def close(self):
            closed.append(1)

    def interrupt(record):
        raise KeyboardInterrupt

    continuous = ContinuousEngine(engine.chat, talk)
    with pytest.raises(KeyboardInterrupt):
        rollout(lambda: Watched(make_env()), continuous, PROBLEMS, SAMPLED, interrupt)
    assert continuous.closed == 1
    assert continuous.waiting == []
    assert len(closed) == len(PROBLEMS)


def test_environment_randomness_rests_on_the_keys_alone(engine):
    def draws(order, keys):
        found = {}

        class Noisy(gym.Wrapper):
            def step(self, action):
                key = int(action.partition("{")[2].partition("}")[0])
                found.setdefault(key, []).append(float(self.unwrapped.np_random.random()))
                return super().step(action)

        rollout(
            lambda: Noisy(make_env()),
            ContinuousEngine(engine.chat, talk, order),
            PROBLEMS[: len(keys)],
            SAMPLED,
            keys=keys,
            seed=3,
        )
        return found

    every = draws("last", range(6))
    assert every == draws("first", range(6))
    assert draws("first", [5, 2]) == {key: every[key] for key in (5, 2)}
    assert len({value for values in every.values() for value in values}) == 12


def test_a_tool_call_is_part_of_the_turn_and_its_result_is_the_environments(engine):
    problem = srenv.Problem("p", "7*12+43=?", "127", "test")
    lines = [
        [
            "I try.\n[CALC] 7*12",
            "so\n[CALC] 84+43\n",
            "\\boxed{127}\n84+43=127\n[VERIFY] correct",
        ]
    ]
    scripted = ScriptedEngine(engine.chat, lines)
    (record,) = rollout(lambda: CalculatorTool(make_env()), scripted, [problem], SAMPLED)
    (turn,) = record.episode.turns
    assert turn.correct
    decode = engine.chat.tokenizer.decode
    # The record holds what the engine read last: no message was closed in between.
    assert scripted.prompts[-1] == record.context[: len(scripted.prompts[-1])]
    assert decode(record.ids) == (
        "I try.\n[CALC] 7*12\n[RESULT] 84\nso\n[CALC] 84+43\n[RESULT] 127\n"
        "\\boxed{127}\n84+43=127\n[VERIFY] correct<|end|>"
    )

    def words(role):
        return decode([i for i, r in zip(record.ids, record.roles, strict=True) if r == role])

    assert words(ENVIRONMENT) == "\n[RESULT] 84\n[RESULT] 127\n"
    assert words(VERDICT) == "\n84+43=127\n[VERIFY] correct<|end|>"
    assert [t for t, r in zip(record.turns, record.roles, strict=True) if r == ENVIRONMENT] == [
        0
    ] * record.roles.count(ENVIRONMENT)
    assert turn.verdict_probability == pytest.approx(math.exp(-0.1), abs=1e-6)
    assert turn.tokens == sum(
        len(engine.chat.tokenizer(line)["input_ids"]) + 1
        for line in (
            "I try.\n[CALC] 7*12",
            "so\n[CALC] 84+43\n",
            "\\boxed{127}\n84+43=127\n[VERIFY] correct",
        )
    )
    assert learnable(record) == [int(r != ENVIRONMENT) for r in record.roles]


def test_environments_with_a_calculator_say_so_and_answer_it():
    plain, tooled = environment_factory(2)(), environment_factory(2, tool="calculator")()
    said = [env.reset(seed=0)[0] for env in (plain, tooled)]
    assert "[CALC]" in said[1][0]["content"]
    assert "[CALC]" not in said[0][0]["content"]
    assert tooled.step("[CALC] 7*12")[4]["continuation"] == "\n[RESULT] 84\n"
    assert "continuation" not in plain.step("[CALC] 7*12")[4]
    assert with_tool(PROTOCOLS["intrinsic"], "none") == PROTOCOLS["intrinsic"]


def test_a_turn_that_the_limit_ended_is_marked(engine):
    """The untrained model writes to the limit; a scripted one ends its turns."""
    (record,) = rollout(make_env, engine, PROBLEMS[:1], Sampling(0.0, 1.0, 3))
    assert [turn.truncated for turn in record.episode.turns] == [True] * 3
    lines = [["\\boxed{4}\n[VERIFY] correct"]]
    (record,) = rollout(make_env, ScriptedEngine(engine.chat, lines), PROBLEMS[:1], SAMPLED)
    assert record.episode.final.truncated is False


def test_the_attempt_pays_for_a_verdict_that_the_limit_cut_off(engine):
    """No token of such a turn is the verdict's, so its cost would teach nothing."""

    class Cut(ScriptedEngine):
        def generate(self, prompts, sampling):
            return [
                Generation(said.ids[:-1], said.logprobs[:-1])
                for said in super().generate(prompts, sampling)
            ]

    for scripted, pays in ((Cut, "attempt"), (ScriptedEngine, "verdict")):
        speaker = scripted(engine.chat, [["\\boxed{4}"] * 3])
        (record,) = rollout(make_env, speaker, PROBLEMS[:1], SAMPLED)
        assert (VERDICT in record.roles) is (pays == "verdict")
        for turn, (attempt, verdict) in zip(record.episode.turns, record.rewards, strict=True):
            assert turn.rewards["verdict_format"] == -1
            assert verdict == (-1 if pays == "verdict" else 0)
            assert attempt + verdict == pytest.approx(turn.reward)
