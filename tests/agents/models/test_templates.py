"""Conversations in the chat templates that TRL ships, against the templates' own rendering."""

import re
from pathlib import Path

import gymnasium as gym
import pytest

from agents.engines import Sampling
from agents.models.chat import ChatFormat, ChatOptions
from agents.rollouts.rollout import rollout
from agents.training.sft import Demonstration, tokenize, whole_turns
from srenv.episode import Problem
from srenv.thoughts import without_thoughts
from srenv.wrappers import ChatObservation
from tests.support.chats import ScriptedIds, small_tokenizer, trl_template, trl_templates

TABLE = Path(__file__).parents[3] / "docs" / "chat_templates.md"
PROBLEM = Problem("p", "2+1?", "3", "test")
FIRST, SECOND = "\\boxed{4}\n[VERIFY] wrong", "\\boxed{3}\n[VERIFY] correct"
THOUGHTS = {
    "gptoss": (
        "<|channel|>analysis<|message|>T<|end|><|start|>assistant<|channel|>final<|message|>"
    ),
    "gemma4": "<|channel>thought\nT\n<channel|>",
    "diffusion_gemma": "<|channel>thought\nT\n<channel|>",
    "muse": " to=self<|message|>T<|eom|><|start|>assistant to=user<|message|>",
}
THINKING = [
    *(
        "deepseek_r1_distill",
        "deepseekv3",
        "qwen3",
        "qwen3_5_think",
        "qwen3_6",
        "qwen3_8",
        "glm4moe",
    ),
    *("nemotron_3_nano", "nemotron_3_ultra", "gptoss", "gemma4", "muse_glimmer", "lfm2_2_5"),
]


def thought_of(name):
    """How a model with this template thinks; empty if its template knows no thoughts."""
    own = next((thought for start, thought in THOUGHTS.items() if name.startswith(start)), "")
    return own or ("<think>\nT\n</think>\n\n" if "<think>" in trl_template(name) else "")


CASES = [(n, thinks) for n in trl_templates() for thinks in {False, bool(thought_of(n))}]


def different_by_table():
    """(template, whether the turns have thoughts) of the differences that the docs name."""
    pairs = set()
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        names, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        if names.startswith("`") and len(cells) == 2:
            for name in re.findall("`([^`]+)`", names):
                pairs |= {(name, bool(i)) for i, cell in enumerate(cells) if cell != "equal"}
    return pairs


def make_env():
    return ChatObservation(gym.make("srenv:SelfCorrectMath-v0", max_attempts=2))


def play(chat, turns):
    """A rollout in which the model writes these turns."""
    (record,) = rollout(make_env, ScriptedIds(chat, turns), [PROBLEM], Sampling())
    return record


def own_renderings(chat, messages, thought):
    """What the template makes of the whole conversation, its thoughts in the text or apart."""
    apart = [{**m, "content": without_thoughts(m["content"])} for m in messages]
    shapes = [messages]
    for key in ("reasoning_content", "thinking"):
        shapes.append(
            [{**m, key: "T"} if thought and m["role"] == "assistant" else m for m in apart]
        )
    for shape in shapes:
        try:
            yield chat.template.render(shape, prompt=False)
        except Exception:  # templates refuse what they cannot write
            continue


@pytest.mark.parametrize(("name", "thinks"), CASES)
def test_a_rollout_is_what_the_template_writes_or_the_docs_say_why_not(name, thinks):
    thought = thought_of(name) if thinks else ""
    chat = ChatFormat(small_tokenizer(trl_template(name)))
    record = play(chat, [thought + FIRST, thought + SECOND])
    assert [turn.verdict for turn in record.episode.turns] == ["wrong", "correct"]
    text = chat.tokenizer.decode(record.context)
    renderings = list(own_renderings(chat, record.episode.messages, thought))
    equal = any(rendering.startswith(text) for rendering in renderings)
    different = (name, bool(thought)) in different_by_table()
    assert equal != different, (text, renderings)


@pytest.mark.parametrize(("name", "thinks"), CASES)
def test_what_is_trained_is_what_was_sampled(name, thinks):
    thought = thought_of(name) if thinks else ""
    chat = ChatFormat(small_tokenizer(trl_template(name)))
    record = play(chat, [thought + FIRST, thought + SECOND])
    demonstration = Demonstration(record.episode, whole_turns(0, 1), "test")
    (row,) = tokenize(demonstration, chat)
    assert row["input_ids"] == record.context
    labels = [label for label in row["labels"] if label >= 0]
    assert labels == [i for i, turn in zip(record.ids, record.turns, strict=True) if turn]


@pytest.mark.parametrize("name", trl_templates())
def test_a_final_history_is_what_the_template_writes_without_earlier_thoughts(name):
    thought = thought_of(name)
    chat = ChatFormat(small_tokenizer(trl_template(name)), options=ChatOptions(history="final"))
    record = play(chat, [thought + FIRST, thought + SECOND])
    messages = [
        {**message, "content": without_thoughts(message["content"])}
        for message in record.episode.messages[:3]
    ]
    prompt = chat.encode(chat.template.render(messages, prompt=True))
    assert record.context == [*prompt, *chat.encode_text(thought + SECOND)]
    assert [turn for row in record.rows for turn in row.turns if turn].count(1) == len(
        chat.encode_text(thought + FIRST)
    )


@pytest.mark.parametrize("name", THINKING)
def test_a_thought_that_was_cut_off_is_no_answer(name):
    chat = ChatFormat(small_tokenizer(trl_template(name)))
    opener = re.split("T", thought_of(name))[0].removeprefix(chat.opened)
    ids = chat.encode(opener + "let me try \\boxed{3} hmm\n[VERIFY] correct")
    (record,) = rollout(make_env, ScriptedIds(chat, [ids, ids]), [PROBLEM], Sampling())
    assert [turn.malformed for turn in record.episode.turns] == ["no_answer", "no_answer"]
    assert [turn.verdict for turn in record.episode.turns] == [None, None]


def test_the_table_names_no_unknown_template():
    assert {name for name, _ in different_by_table()} <= set(trl_templates())
