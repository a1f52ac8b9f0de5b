"""TRL's own `GRPOTrainer`, without a subclass: its prompts, its rollouts and its reward.

    trainer = GRPOTrainer(
        model=model,
        args=GRPOConfig(...),
        train_dataset=prompts_for(starts),
        rollout_func=rollouts_from(starts, make_env),
        reward_funcs=episode_reward,
    )

TRL gives every token of an episode the same advantage. Credit per turn and segment needs
`agents.training.policy_gradient.SelfCorrectTrainer`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from datasets import Dataset
from trl import GRPOTrainer

from agents.engines import Sampling
from agents.engines.registry import trainer_link
from agents.models.chat import ChatFormat, ChatOptions
from agents.rollouts.player import EnvFactory, Rollout
from agents.rollouts.rollout import rollout
from agents.training.judged_rewards import add_judged_rewards, judged_terms
from agents.training.policy_gradient import learnable
from srenv.episode import Problem
from srenv.problems.seeding import hashed_seed

RolloutFunction = Callable[[list[str], GRPOTrainer], dict[str, list[Any]]]

FULL_DISTRIBUTION: dict[str, tuple[Any, ...]] = {
    "top_p": (1.0,),
    "top_k": (0, None),
    "min_p": (None, 0.0),
    "repetition_penalty": (1.0,),
    "generation_kwargs": (None, {}),
}
"""The options of TRL that change what is sampled, and the values that change nothing."""


def prompts_for(starts: Sequence[Problem | int]) -> Dataset:
    """Returns TRL's dataset: one row per start, with its number and what it asks as the prompt.

    Args:
        starts: What episodes start from: problems, for `srenv`'s environments, or the seeds of any
            others.
    """
    rows = [
        {"prompt": f"{number}: {start.prompt if isinstance(start, Problem) else start}"}
        for number, start in enumerate(starts)
    ]
    return Dataset.from_list(rows)


def rollouts_from(starts: Sequence[Problem | int], make_env: EnvFactory) -> RolloutFunction:
    """Returns TRL's `rollout_func`: it plays an episode for each row of `prompts_for`.

    The function returns ``prompt_ids`` and ``completion_ids`` (lists of ids, one per episode),
    ``logprobs`` (one for each completion id), ``env_mask`` (1 for the model's own tokens; 0 for
    the environment's and for turns that could not be graded), and ``episode_rollout``, the
    records for reward functions. TRL calls it with each prompt `num_generations` times.

    Temperature, length of a turn (``max_completion_length``), engine (transformers or vLLM) and
    ``chat_template_kwargs`` are those of the trainer's `GRPOConfig`.

    Args:
        starts: What was given to `prompts_for`.
        make_env: Makes an environment with text in and text, or chat messages, out.
    """
    starts, judged = list(starts), judged_terms(make_env)

    def play(prompts: list[str], trainer: GRPOTrainer) -> dict[str, list[Any]]:
        engine = _engine(trainer)
        step, rank = trainer.state.global_step, trainer.accelerator.process_index
        seed = hashed_seed("trl", trainer.args.seed, step, rank)
        sampling = Sampling(trainer.args.temperature, 1.0, trainer.max_completion_length, seed)
        numbers = [int(prompt.partition(":")[0]) for prompt in prompts]
        records = rollout(make_env, engine, [starts[n] for n in numbers], sampling, seed=seed)
        add_judged_rewards(judged, engine, records, sampling.max_new_tokens)
        for record in records:
            if record.earlier:
                raise ValueError(
                    "the environment rewrites what the model has read, which makes several rows of "
                    "an episode; TRL takes one row: use agents.training.policy_gradient instead"
                )
            if not record.ids:  # failed in its first turn; TRL wants at least one token per row
                record.append_environment(engine.chat.end_ids[-1:] or [0])
        return {
            "prompt_ids": [record.prompt_ids for record in records],
            "completion_ids": [record.ids for record in records],
            "logprobs": [record.logprobs for record in records],
            "env_mask": [learnable(record) for record in records],
            "episode_rollout": records,
        }

    return play


def episode_reward(episode_rollout: Sequence[Rollout], **_: Any) -> list[float | None]:
    """TRL's reward function: the sum of an episode's rewards.

    Args:
        episode_rollout: The records of `rollouts_from`.
        **_: What else TRL tells reward functions.

    Returns:
        One reward per episode; None for one that failed, which TRL leaves out of the baseline.
    """
    return [None if r.error else sum(map(sum, r.rewards)) for r in episode_rollout]


def _engine(trainer: GRPOTrainer) -> Any:
    """Returns what generates for the trainer, with the trainer's way of showing a chat.

    Raises:
        ValueError: The trainer samples from a part of the distribution, or its model is spread
            over processes.
    """
    for name, plain in FULL_DISTRIBUTION.items():
        if getattr(trainer.args, name) not in plain:
            raise ValueError(
                f"episodes are sampled from the whole distribution, which {name}="
                f"{getattr(trainer.args, name)!r} in GRPOConfig would change: leave it out"
            )
    vllm = {"colocate": "vllm", "server": "server"}
    name = vllm[trainer.vllm_mode] if trainer.use_vllm else "transformers"
    link = trainer_link(name, trainer.args.vllm_server_base_url if name == "server" else None)
    link.prepare(trainer)
    engine: Any = link.engine(trainer)
    if trainer.chat_template_kwargs:
        options = ChatOptions(template_kwargs=trainer.chat_template_kwargs)
        engine.chat = ChatFormat(trainer.processing_class, engine.chat.stop_ids, options)
    return engine
