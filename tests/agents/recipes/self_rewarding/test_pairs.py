"""Multi-turn DPO: which conversations are paired, and which of their tokens are compared."""

import itertools
import json
import random
import re
from contextlib import nullcontext

import pytest

import srenv
from agents.engines import Generation, Sampling
from agents.models.chat import ChatFormat
from agents.recipes import base
from agents.recipes.self_rewarding import recipe as self_rewarding
from agents.recipes.self_rewarding.pairs import (
    SETS,
    Course,
    FirstAttempt,
    TrajectoryConfig,
    course,
    first_attempts,
    make_pairs,
    play_on,
    read_pairs,
    write_pairs,
)
from agents.recipes.self_rewarding.recipe import WARM, SelfRewarding, SelfRewardingConfig
from agents.rollouts.environments import environment_factory
from agents.training.dpo import PreferenceConfig
from agents.training.sft import Demonstration, SftConfig
from srenv.conversation import Conversation, Rules
from srenv.domains.math import MATH
from srenv.episode import Problem
from srenv.protocol import PROTOCOLS, Protocol
from srenv.rewards import make_reward
from tests.support import ScriptedEngine

PROBLEM = Problem("p", "Solve 2x+1=7 for x.", "3", "test")
RIGHT, WRONG, OTHER = "\\boxed{3}", "\\boxed{4}", "\\boxed{5}"
YES, NO = "\nLet me see.\n[VERIFY] correct", "\n[VERIFY] wrong"
ENDS = {
    "accepted": [YES],
    "mended": [NO, f"{RIGHT}{YES}"],
    "in vain": [NO, f"{OTHER}{YES}"],
}


@pytest.fixture(scope="module")
def chat(untrained):
    from transformers import AutoTokenizer

    return ChatFormat(AutoTokenizer.from_pretrained(untrained))


def envs(protocol="default"):
    return environment_factory(2, protocol)


def played(chat, attempt, *lines, protocol="default"):
    """Conversations that continue from an attempt as told, in the protocol's words."""
    said = PROTOCOLS[protocol].phrase
    begun = FirstAttempt(PROBLEM, chat.encode(attempt))
    told = [[said(f"{attempt}{first}")[len(attempt) :], *map(said, rest)] for first, *rest in lines]
    (records,) = play_on(
        ScriptedEngine(chat, told), [begun], envs(protocol), len(told), Sampling(), ""
    )
    return begun, records


def pairs_of(chat, attempt, *ends, sets=("D1", "D2", "D3"), protocol="default"):
    begun, records = played(chat, attempt, *[ENDS[end] for end in ends], protocol=protocol)
    found = make_pairs(begun, records, sets, random.Random(0))
    decode = chat.tokenizer.decode
    return [
        (pair.kind, decode(pair.preference.chosen_ids), decode(pair.preference.rejected_ids))
        for pair in found
    ]


REQUEST = f"<|end|><|user|>{Protocol().retry}<|end|><|assistant|>"
ACCEPTED = f"{YES}<|end|>"
MENDED, IN_VAIN = (f"{NO}{REQUEST}{answer}{YES}<|end|>" for answer in (RIGHT, OTHER))


@pytest.mark.parametrize(
    ("attempt", "ends", "kind", "better", "worse"),
    [
        (WRONG, ("mended", "in vain"), "D1", MENDED, IN_VAIN),
        (RIGHT, ("in vain", "mended"), "D2", MENDED, IN_VAIN),
        (WRONG, ("accepted", "mended"), "D3", MENDED, ACCEPTED),
        (RIGHT, ("in vain", "accepted"), "D3", ACCEPTED, IN_VAIN),
    ],
)
def test_each_set_prefers_the_conversation_that_ends_right(
    chat, attempt, ends, kind, better, worse
):
    assert pairs_of(chat, attempt, *ends) == [(kind, better, worse)]
    others = [s for s in SETS if s != kind]
    assert pairs_of(chat, attempt, *ends, sets=others) == []


def test_conversations_that_end_alike_are_not_compared(chat):
    # The paper leaves this one out as ambiguous: doubted in vain against accepted, both wrong.
    assert pairs_of(chat, WRONG, "in vain", "accepted") == []
    assert pairs_of(chat, RIGHT, "mended", "accepted") == []
    assert pairs_of(chat, WRONG, "mended", "mended") == []


def test_an_attempt_gives_one_pair_of_each_kind_at_most(chat):
    every = ("accepted", "mended", "in vain") * 3
    assert [kind for kind, *_ in pairs_of(chat, WRONG, *every)] == ["D1", "D3"]
    assert [kind for kind, *_ in pairs_of(chat, RIGHT, *every)] == ["D2", "D3"]


def test_the_sets_are_all_pairs_of_a_right_and_a_wrong_end():
    courses = [
        Course(first, verdict, final)
        for first, verdict, final in itertools.product((True, False), ("correct", "wrong"), (0, 1))
        # Accepted, the first answer is the final one.
        if verdict == "wrong" or first == final
    ]
    possible = {
        (better, worse)
        for better, worse in itertools.product(courses, courses)
        if better.first == worse.first and better.final and not worse.final
    }
    assert possible == {pair for pairs in SETS.values() for pair in pairs}


def test_the_same_pairs_are_made_of_the_two_turn_chat(chat):
    asked = PROTOCOLS["yes_no"]
    ((kind, better, worse),) = pairs_of(chat, WRONG, "mended", "accepted", protocol="yes_no")
    assert kind == "D3"
    assert worse == f"\nLet me see.\n{asked.question} Yes.<|end|>"
    request = f"<|end|><|user|>{asked.reveal}<|end|><|assistant|>"
    assert better.startswith(f"\n{asked.question} No.{request}{RIGHT}\n")


def test_only_the_models_own_tokens_after_the_first_attempt_are_compared(chat):
    begun, records = played(chat, WRONG, ENDS["mended"], ENDS["in vain"])
    (pair,) = make_pairs(begun, records, ["D1"], random.Random(0))
    preference = pair.preference
    opening = f"<|user|>{PROBLEM.prompt}\n{Protocol().worded(MATH).instruction}<|end|><|assistant|>"
    assert chat.tokenizer.decode(preference.prompt_ids) == opening + WRONG
    for ids, mask, answer in (
        (preference.chosen_ids, preference.chosen_mask, RIGHT),
        (preference.rejected_ids, preference.rejected_mask, OTHER),
    ):
        own = [i for i, m in zip(ids, mask, strict=True) if m]
        rest = [i for i, m in zip(ids, mask, strict=True) if not m]
        assert chat.tokenizer.decode(own) == f"{NO}<|end|>{answer}{YES}<|end|>"
        assert chat.tokenizer.decode(rest) == f"<|user|>{Protocol().retry}<|end|><|assistant|>"


def test_what_cannot_be_compared_is_left_out(chat):
    amended = [f" No, it is {RIGHT}{YES}"]
    unreadable = ["\n[VERIFY] perhaps", f"{RIGHT}{YES}"]
    unfinished = [NO, RIGHT]  # ends right, without a verdict
    for line in (amended, unreadable, unfinished):
        begun, records = played(chat, WRONG, line, ENDS["in vain"], ENDS["accepted"])
        assert make_pairs(begun, records, SETS, random.Random(0)) == []
    # As the worse one, a conversation without a last verdict will do.
    begun, records = played(chat, WRONG, [NO, OTHER], ENDS["mended"])
    assert [p.kind for p in make_pairs(begun, records, SETS, random.Random(0))] == ["D1"]
    begun, records = played(chat, WRONG, ENDS["mended"])
    records[0].episode.turns[1].correct = None  # the verifier could not decide
    assert course(records[0].episode) is None


def test_first_attempts_are_cut_where_the_verdict_begins(chat):
    lines = [[f"so {WRONG}{NO}"], ["I do not know."], [RIGHT]]
    engine = ScriptedEngine(chat, lines)
    found = first_attempts(engine, [PROBLEM] * 3, PROTOCOLS["default"], Sampling())
    assert [chat.tokenizer.decode(a.ids) for a in found] == [f"so {WRONG}", RIGHT]


def test_conversations_of_several_attempts_keep_their_places(chat):
    begun = [FirstAttempt(PROBLEM, chat.encode(text)) for text in (WRONG, RIGHT)]
    lines = [ENDS["accepted"], ENDS["mended"], ENDS["in vain"], ENDS["accepted"]]
    groups = play_on(ScriptedEngine(chat, lines), begun, envs(), 2, Sampling(), "")
    assert [[course(r.episode) for r in group] for group in groups] == [
        [Course(False, "correct", False), Course(False, "wrong", True)],
        [Course(True, "wrong", False), Course(True, "correct", True)],
    ]
    for group in groups:
        for record in group:
            episode = record.episode
            text = chat.tokenizer.decode(record.context)
            assert text == "".join(
                f"<|{m['role']}|>{m['content']}<|end|>" for m in episode.messages
            )
            assert episode.ending == "declared"


def test_a_turn_that_was_cut_off_is_closed(chat):
    class Cut(ScriptedEngine):
        def generate(self, prompts, sampling):
            found = super().generate(prompts, sampling)
            return [type(g)(g.ids[:-1], g.logprobs[:-1]) for g in found]

    begun = FirstAttempt(PROBLEM, chat.encode(WRONG))
    ((record,),) = play_on(Cut(chat, [ENDS["mended"]]), [begun], envs(), 1, Sampling(), "")
    assert f"{NO}<|end|><|user|>" in chat.tokenizer.decode(record.ids)


def test_pairs_survive_a_file(chat, tmp_path):
    begun, records = played(chat, WRONG, *ENDS.values())
    pairs = make_pairs(begun, records, SETS, random.Random(0))
    assert len(pairs) == 2
    write_pairs(tmp_path / "new" / "pairs.jsonl", pairs)
    assert read_pairs(tmp_path / "new" / "pairs.jsonl") == pairs


# --- the recipe -----------------------------------------------------------------------------------


class Guesser:
    """Answers right or wrong, and calls it right or wrong, by the toss of a coin."""

    def __init__(self, chat, protocol):
        self.chat, self.protocol, self.rng = chat, protocol, random.Random(0)

    def generate(self, prompts, sampling):
        return [self.reply(self.chat.tokenizer.decode(prompt)) for prompt in prompts]

    def reply(self, prompt):
        a, b, c = map(int, re.search(r"Solve (\d+)x([+-]\d+)=(-?\d+) for x", prompt).groups())
        answer = (c - b) // a + self.rng.randint(0, 1)
        attempt = f"\\boxed{{{answer}}}"
        turn = self.protocol.phrase(f"{attempt}\n[VERIFY] {self.rng.choice(['correct', 'wrong'])}")
        begun = not prompt.endswith("<|assistant|>")
        ids = self.chat.encode(turn[len(attempt) :] if begun else turn)
        return Generation([*ids, self.chat.tokenizer.eos_token_id], [-0.1] * (len(ids) + 1))


def demonstrations(recipe, engine):
    """Right answers, accepted."""
    found = []
    for problem in recipe.train_source.take(4, 0):
        conversation = Conversation(problem, Rules(recipe.protocol, 2, make_reward()))
        turn = f"\\boxed{{{problem.answer}}}\n[VERIFY] correct"
        conversation.step(recipe.protocol.phrase(turn))
        found.append(Demonstration(conversation.episode, frozenset({(0, "verdict")}), "D3"))
    return found


def short(model, folder, **changes):
    options = {
        "stage2": "dpo",
        "max_attempts": 2,
        "sft": SftConfig(epochs=1, batch_size=4),
        "pairs": TrajectoryConfig(problems=8, responses=16),
        "dpo": PreferenceConfig(batch_size=8),
        "eval_n": 4,
        "max_new_tokens": 8,
        "report_to": "none",
    }
    return SelfRewardingConfig(model=model, output=folder, **options | changes)


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["default", "yes_no"])
def test_self_rewarding_by_dpo_runs_through(untrained, chat, tmp_path, monkeypatch, protocol):
    learned = []

    def spy(model, output, preferences, config, **rest):
        learned.append((str(model), len(preferences), str(rest["reference"])))
        return prefer(model, output, preferences, config, **rest)

    def preferences(*rest):
        # It makes the pairs; rows are measured with the model that is being trained.
        with monkeypatch.context() as inner:
            inner.setattr(SelfRewarding, "engine", lambda self, model: nullcontext(guesser))
            return make_preferences(*rest)

    prefer, make_preferences = base.prefer, SelfRewarding.preferences
    monkeypatch.setattr(base, "prefer", spy)
    monkeypatch.setattr(SelfRewarding, "preferences", preferences)
    monkeypatch.setattr(SelfRewarding, "sample", demonstrations)
    guesser = Guesser(chat, PROTOCOLS[protocol])
    metrics = self_rewarding.train(short(untrained, tmp_path, protocol=protocol))
    assert list(metrics)[-3:] == [WARM, "after DPO 1", "after DPO 2"]
    pairs = [read_pairs(tmp_path / f"dpo_{k}_pairs" / "pairs.jsonl") for k in (1, 2)]
    assert {pair.kind for pair in pairs[0]} == {"D1", "D2", "D3"}
    assert not {pair.problem for pair in pairs[0]} & {pair.problem for pair in pairs[1]}
    # Each round continues from the round before; the warmed-up model is the reference throughout.
    warm, first = (str(tmp_path / stage / "final") for stage in ("warmup", "dpo_1"))
    assert learned == [(warm, len(pairs[0]), warm), (first, len(pairs[1]), warm)]
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["result"] == "after DPO 2"
    done = [json.loads((tmp_path / s / "done.json").read_text()) for s in ("dpo_1_pairs", "dpo_1")]
    assert sum(done[0]["pairs"].values()) == len(pairs[0])
    assert done[0]["generated"] > 0
    assert done[1]["trained"] > sum(len(pair.preference.chosen_ids) for pair in pairs[0])


def test_limits_that_would_cut_off_what_is_taught_are_refused(untrained, chat, tmp_path):
    recipe = SelfRewarding.__new__(SelfRewarding)
    recipe.train_source = srenv.load_problems("synthetic:linear", "train")
    recipe.config = short(untrained, tmp_path, protocol="yes_no")
    taught = demonstrations(recipe, None)
    with pytest.raises(ValueError, match=r"usually \d\d tokens long.*--pairs.max-new-tokens"):
        recipe.check_limits(chat, taught)
    recipe.config = short(untrained, tmp_path, protocol="yes_no", max_new_tokens=128)
    recipe.check_limits(chat, taught)


def test_dpo_ends_early_where_there_is_nothing_to_prefer(tmp_path, monkeypatch):
    recipe = SelfRewarding.__new__(SelfRewarding)
    recipe.config = short("none", tmp_path, iterations=3)
    numbers = iter([4, 0])
    monkeypatch.setattr(recipe, "preferences", lambda name, *_: (tmp_path / name, next(numbers)))
    monkeypatch.setattr(recipe, "learn", lambda name, *_: tmp_path / name)
    monkeypatch.setattr(recipe, "measure", lambda *_: None)
    assert recipe.multi_turn_dpo(tmp_path / "warm") == ("after DPO 1", tmp_path / "dpo_1")


@pytest.mark.parametrize(
    "changes",
    [
        {"protocol": "intrinsic"},
        {"tool": "calculator"},
        {"iterations": 0},
        {"pairs": TrajectoryConfig(responses=1)},
        {"pairs": TrajectoryConfig(sets=())},
    ],
)
def test_dpo_refuses_what_it_cannot_do(tmp_path, changes):
    with pytest.raises(ValueError, match=r"DPO needs|knows no tools|no verdict"):
        self_rewarding.train(short("none", tmp_path, **changes))


def test_the_format_sets_the_number_of_attempts():
    def attempts(**options):
        recipe = SelfRewarding.__new__(SelfRewarding)
        recipe.config = SelfRewardingConfig(**options)
        return recipe.attempts

    assert (attempts(), attempts(protocol="yes_no")) == (3, 2)
    assert attempts(protocol="yes_no", max_attempts=4) == 4
