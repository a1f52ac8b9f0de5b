"""Rollouts with vLLM: without a barrier between turns, with one, and vLLM's own `generate`."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
from rollout_parts import TURNS, Clock, make_env, ratio, split
from targets import Row

import srenv
import srenv.conversation
from agents.engines import Generation, Request, Sampling
from agents.engines.vllm import VLLMEngine, VLLMSession
from agents.models.chat import ChatFormat
from agents.models.paths import TINY, model_path
from agents.rollouts.player import Rollout
from agents.rollouts.rollout import rollout
from srenv.problems.seeding import hashed_rng

MANY = 8
"""Attempts where the longest wait of every turn is paid more often, by ever fewer."""


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


def sampled(records: list[Rollout]) -> int:
    """Tokens that the engine generated."""
    return sum(bool(turn) for record in records for turn in record.turns)


def with_vllm(slots: int, waiting: int, runs: int, setting: Setting | None = None) -> Iterator[Row]:
    """Without a barrier, with one, and the raw engine."""
    runner = Runner(slots, slots * waiting, setting or Setting(model_path(TINY)))
    try:
        runner.play(barrier=False)  # warm
        yield raw(runner, runs)
        for attempts in (TURNS, MANY):
            yield from against_barrier(runner, attempts, runs)
        yield Row("vLLM: time split, threads added up", runner.time_split())
    finally:
        runner.engine.close()


def raw(runner: Runner, runs: int) -> Row:
    """Conversations against the raw engine."""
    pairs = [(runner.play(barrier=False), runner.raw()) for _ in range(runs)]
    free, plain = map(list, zip(*pairs, strict=True))
    return ratio("vLLM: rollout / raw generate", free, plain, 0.8)


def against_barrier(runner: Runner, attempts: int, runs: int) -> Iterator[Row]:
    """Conversations of a few attempts against a loop with a barrier."""
    rates: dict[bool, list[float]] = {False: [], True: []}
    steps = {False: 0, True: 0}
    for _ in range(runs):
        for barrier in rates:
            rates[barrier].append(runner.play(barrier, attempts))
            steps[barrier] = runner.steps.calls["generate"]
    what = f"vLLM: rollout / barrier loop, at most {attempts} attempts"
    yield ratio(what, rates[False], rates[True], 1.3)
    yield Row(
        "the same in steps of the engine, which cost a GPU the same for one row as for all",
        f"{steps[True]:,} / {steps[False]:,} = {steps[True] / steps[False]:.2f}x",
    )


@dataclass(frozen=True)
class Setting:
    """What runs where, and by which clock.

    Attributes:
        model: The model's folder.
        dtype: What it calculates in.
        eager: Without CUDA graphs.
        memory: Share of the GPU's memory.
        now: The clock, in seconds.
    """

    model: str
    dtype: str = "float32"
    eager: bool = True
    memory: float = 0.2
    now: Callable[[], float] = time.process_time


class Runner:
    """A model in vLLM, and the ways to run the same conversations through it.

    Attributes:
        steps: The steps of the engine in the last conversations.
    """

    def __init__(self, slots: int, conversations: int, setting: Setting) -> None:
        from vllm import LLM

        self.now = setting.now
        self.llm = LLM(
            setting.model,
            dtype=setting.dtype,
            enforce_eager=setting.eager,
            max_num_seqs=slots,
            gpu_memory_utilization=setting.memory,
            logprobs_mode="processed_logprobs",
            seed=0,
        )
        self.engine = SetLengths(self.llm.llm_engine, ChatFormat.load(setting.model))
        self.problems = srenv.load_problems("synthetic:linear").take(conversations)
        self.steps = Clock()

    def play(self, barrier: bool, attempts: int = TURNS) -> float:
        """Tokens per second of whole conversations."""
        self.engine.barrier = barrier
        self.engine.asked.clear()
        self.llm.reset_prefix_cache()
        self.steps.clear()
        began = self.now()
        with self.steps.watch("generate", self.llm.llm_engine, "step"):
            records = rollout(
                functools.partial(make_env, attempts),
                self.engine,
                self.problems,
                Sampling(1.0, 1.0, 400, seed=0),
            )
        return sampled(records) / (self.now() - began)

    def raw(self) -> float:
        """Tokens per second of vLLM's own `generate` on what was asked last."""
        ordered = sorted(self.engine.asked, key=lambda pair: (len(pair[0].messages), pair[0].key))
        self.llm.reset_prefix_cache()
        began = self.now()
        outputs = self.llm.generate(
            [{"prompt_token_ids": list(request.prompt)} for request, _ in ordered],
            [parameters.clone() for _, parameters in ordered],
            use_tqdm=False,
        )
        seconds = self.now() - began
        return sum(len(output.outputs[0].token_ids) for output in outputs) / seconds

    def time_split(self) -> str:
        """The time of conversations by its parts."""
        clock = Clock()
        with (
            clock.watch("generate", self.llm.llm_engine, "step"),
            clock.watch("verify", srenv.conversation, "grade"),
            clock.watch("environment and verify", gym.wrappers.OrderEnforcing, "step"),
        ):
            began = time.perf_counter()
            self.play(barrier=False)
            clock.seconds["in all"] = time.perf_counter() - began
        both = clock.seconds.pop("environment and verify")
        clock.seconds["environment"] = both - clock.seconds["verify"]
        return split(clock.seconds)
