"""Rollouts with transformers against TRL's own loop, and where the time of training goes."""

from __future__ import annotations

import contextlib
import re
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import trl
from datasets import Dataset
from rollout_parts import Clock, make_env, split
from targets import Row
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback
from trl import GRPOConfig, GRPOTrainer

import srenv
import srenv.envs.env
from agents.engines import Generation, Sampling, TransformersEngine
from agents.models.chat import ChatFormat
from agents.models.paths import TINY, model_path
from agents.rollouts.rollout import rollout
from agents.training.policy_gradient import PolicyGradientConfig, SelfCorrectTrainer, grpo_config
from srenv.problems.seeding import hashed_rng

TRL_TOKENS = 80
"""Tokens of a turn in the comparison with TRL: enough for the JSON of a tool call."""


class Script:
    """Says the same in both loops: wrong, wrong, and at last that the answer is correct.

    Every attempt has `TRL_TOKENS` tokens, JSON included where it is a tool call.
    """

    def __init__(self, tokenizer: Any, tool: bool) -> None:
        self.tokenizer, self.tool = tokenizer, tool
        self.prompts: list[list[int]] = []

    def messages(self, prompts: Any) -> list[list[int]]:
        """Ids of every conversation's next message."""
        self.prompts.append([len(prompt) for prompt in prompts])
        return [self._next(self.tokenizer.decode(prompt)) for prompt in prompts]

    def _next(self, text: str) -> list[int]:
        problem = re.findall(r"Solve [^\n]*? for x", text)[-1]
        attempts = hashed_rng("attempts", problem).choice((1, 2, 2, 3))
        said = text.count("<|im_start|>assistant") - 1
        if said == attempts:
            return self._ids("Done.")
        form = _CALL if self.tool else "\\boxed{FILL}\n[VERIFY] VERDICT"
        form = form.replace("VERDICT", "correct" if said + 1 == attempts else "wrong")
        missing = TRL_TOKENS - len(self._ids(form.replace("FILL", "")))
        return self._ids(form.replace("FILL", "7" * missing))

    def _ids(self, text: str) -> list[int]:
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return [*ids, self.tokenizer.eos_token_id]


_CALL = (
    '<tool_call>\n{"name": "attempt", "arguments": {"text": "FILL", "verdict": "VERDICT"}}\n'
    "</tool_call>"
)


class Tools:
    """The environment as TRL's loop wants it: a tool, here one that submits an attempt."""

    def reset(self, answer: str = "", **_: Any) -> None:
        """Begins an episode."""
        self.answer, self.correct = answer, False

    def attempt(self, text: str, verdict: str) -> str:
        """Submit an attempt.

        Args:
            text: The answer.
            verdict: Whether you believe that it is correct or wrong.

        Returns:
            What to do next.
        """
        self.correct = bool(srenv.verify(self.answer, text).correct)
        return "done" if verdict == "correct" else srenv.Protocol().retry

    def get_reward(self) -> float:
        """What the episode earned."""
        return float(self.correct)


class _Enough(Exception):
    """Ends TRL's step once the episodes are there."""


class Scripted(TransformersEngine):
    """Generates as many tokens as the script has, and then says the script's text."""

    script: Script

    def generate(self, prompts: Any, sampling: Sampling) -> list[Generation]:
        """Continues every prompt."""
        said = self.script.messages(prompts)
        stop, self.chat.stop_ids = self.chat.stop_ids, frozenset({self.chat.tokenizer.pad_token_id})
        try:
            found = super().generate(prompts, Sampling(1.0, 1.0, max(map(len, said))))
        finally:
            self.chat.stop_ids = stop
        return [
            Generation(ids, [*g.logprobs, *[0.0] * len(ids)][: len(ids)])
            for ids, g in zip(said, found, strict=True)
        ]


class Padded(ChatFormat):
    """Makes the prompts as long as TRL's.

    Attributes:
        first: Further tokens of the opening.
        later: Further tokens of every request for another attempt.
    """

    first = later = 0

    def opening(self, messages: Any) -> list[int]:
        """Ids of the opening."""
        return self.encode(" " * self.first) + super().opening(messages)

    def follow_up(self, messages: Any, closed: bool) -> list[int]:
        """Ids between two turns."""
        return self.encode(" " * self.later) + super().follow_up(messages, closed)


def for_tools(folder: Path) -> str:
    """The bundled model with the chat template of a family whose tool calls TRL knows."""
    template = Path(trl.__file__).parent / "chat_templates" / "qwen2_5.jinja"
    tokenizer = AutoTokenizer.from_pretrained(model_path(TINY))
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.eos_token = "<|im_end|>"
    tokenizer.chat_template = template.read_text()
    model: Any = AutoModelForCausalLM.from_pretrained(model_path(TINY), dtype="float32")
    model.resize_token_embeddings(len(tokenizer))
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    return str(folder)


def with_transformers(conversations: int, runs: int, folder: Path) -> Iterator[Row]:
    """Transformers: against TRL's own multi-turn loop."""
    path = for_tools(folder / "model")
    problems = srenv.load_problems("synthetic:linear").take(conversations)
    rows = [
        {"prompt": [{"role": "user", "content": p.prompt}], "answer": p.answer} for p in problems
    ]

    class Trainer(GRPOTrainer):
        seconds = 0.0

        def _generate(self, prompts: Any) -> Any:
            began = time.process_time()
            super()._generate(prompts)
            self.seconds = time.process_time() - began
            raise _Enough

        def _generate_single_turn(self, prompt_ids: Any, *rest: Any, **options: Any) -> Any:
            said = script.messages(prompt_ids)
            self.generation_config.max_new_tokens = max(map(len, said))
            self.generation_config.min_new_tokens = max(map(len, said))
            super()._generate_single_turn(prompt_ids, *rest, **options)
            return said, None

    tokenizer = AutoTokenizer.from_pretrained(path, padding_side="left")
    script = Script(tokenizer, tool=True)
    trainer = Trainer(
        path,
        args=GRPOConfig(
            str(folder / "trl"),
            per_device_train_batch_size=len(problems),
            num_generations=2,
            max_completion_length=1500,
            report_to="none",
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        environment_factory=Tools,
    )
    engine = Scripted.load(path, len(problems))
    assert isinstance(engine, Scripted)
    engine.script = Script(engine.chat.tokenizer, tool=False)

    def theirs() -> float:
        script.prompts.clear()
        with contextlib.suppress(_Enough):
            trainer._generate_and_score_completions([dict(row) for row in rows])
        return trainer.seconds

    def ours() -> float:
        engine.script.prompts.clear()
        began = time.process_time()
        rollout(make_env, engine, problems, Sampling())
        return time.process_time() - began

    theirs(), ours()  # warm, and the lengths of the prompts
    chat = Padded(engine.chat.tokenizer, list(engine.chat.stop_ids))
    chat.first, grown = (
        round(statistics.mean(a) - statistics.mean(b))
        for a, b in list(zip(script.prompts, engine.script.prompts, strict=False))[:2]
    )
    chat.later, engine.chat = max(0, grown - chat.first), chat
    seconds = [(theirs(), ours()) for _ in range(runs)]
    lengths = [
        "/".join(str(round(statistics.mean(prompts))) for prompts in one.prompts)
        for one in (script, engine.script)
    ]
    ratios = [a / b for a, b in seconds]
    a, b = (statistics.median(column) for column in zip(*seconds, strict=True))
    yield Row(
        "transformers: TRL's environment_factory / rollout, the same episodes",
        f"{a:.2f} / {b:.2f} s = {statistics.median(ratios):.2f}x "
        f"({min(ratios):.2f} to {max(ratios):.2f})",
        ">= 1.5x",
        statistics.median(ratios) >= 1.5,
    )
    yield Row("mean tokens of the prompts, turn by turn: TRL's; ours", "; ".join(lengths))


def time_split(folder: Path) -> Row:
    """The time of training by its parts, with transformers."""
    config = PolicyGradientConfig(steps=4, problems_per_step=4, save_every=100)
    problems = srenv.load_problems("synthetic:linear", "train").take(16)
    args = grpo_config(config, folder, seed=0)
    trainer = SelfCorrectTrainer(model_path(TINY), problems, make_env, config, args)
    trainer.remove_callback(PrinterCallback)
    clock = Clock()
    with (
        clock.watch("generate", TransformersEngine, "generate"),
        clock.watch("verify", srenv.conversation, "grade"),
        clock.watch("environment", gym.wrappers.OrderEnforcing, "step"),
        clock.watch("in all", trainer, "train"),
    ):
        trainer.train()
    seconds = clock.seconds
    seconds["environment"] -= seconds["verify"]
    seconds["train"] = 2 * seconds["in all"] - sum(seconds.values())
    return Row("transformers: time split of training, four steps", split(seconds))
