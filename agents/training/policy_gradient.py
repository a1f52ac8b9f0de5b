"""Policy gradient: TRL's `GRPOTrainer` with our rollouts and our credit.

From TRL come the losses, accelerate, checkpoints and resuming. Two things are ours: the
episodes (`agents.rollouts`) and the advantages (`agents.training.credit`). TRL's loss
accepts advantages per token, shape (B, T), from subclasses; the gradient that results is checked
by hand in ``tests/agents/training/test_policy_gradient.py``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import tyro

# The rollout hook is marked experimental; we know, and a test guards it.
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

from accelerate.utils import gather_object
from datasets import Dataset
from transformers import AutoModelForCausalLM, TrainerCallback, TrainerControl
from trl import GRPOConfig, GRPOTrainer
from trl.trainer.utils import add_fused_lm_head

from agents.engines import Engine, Sampling
from agents.engines.canary import warn_if_stale
from agents.engines.registry import EngineName, trainer_link
from agents.models.chat import ChatFormat, ChatOptions
from agents.models.lora import lora_config, save_merged
from agents.models.precision import cpu_bfloat16
from agents.models.roles import ENVIRONMENT
from agents.rollouts.player import EnvFactory, Rollout, Row
from agents.rollouts.rollout import rollout
from agents.runs.processes import process_count
from agents.training.credit import (
    balanced_weight,
    comparable,
    make_estimator,
    reward_array,
    scale_by_role,
    token_advantages,
)
from agents.training.judged_rewards import add_judged_rewards, judged_terms
from agents.training.settings import (
    best_step,
    common_settings,
    held_out_scores,
    last_checkpoint,
    run_trainer,
)
from srenv.episode import Episode, Problem
from srenv.metrics import Outcomes, summarize
from srenv.problems.seeding import hashed_seed

OnEpisodes = Callable[[Sequence[Episode], int], None]
"""(episodes of one step, step) -> None, for logs and tables."""


@dataclass(frozen=True)
class PolicyGradientConfig:
    """How the policy is trained on its own episodes."""

    steps: int = 50
    """Optimizer steps; each plays problems_per_step * group_size fresh episodes."""
    problems_per_step: int = 16
    """Different problems per step."""
    group_size: int = 8
    """Episodes per problem, the group of the baseline."""
    estimator: str = "rloo"
    """reinforce, rloo, grpo, s2r, or module:function from rewards to advantages."""
    turn_discount: float = 0.0
    """How much of a later turn's reward flows to an earlier turn; 0 is turn-local credit."""
    scale_roles: bool = True
    """Divide attempts' and verdicts' advantages by their own spread (PAG)."""
    learning_rate: float = 4e-4
    """Adam's at the start, falling linearly; a 7B model wants about 1e-6."""
    kl: float = 0.0
    """Weight of the KL to the reference, the starting policy by default (TRL's beta)."""
    first_kl: float = 0.0
    """Weight of a further KL on the tokens of the first attempt alone (SCoRe's beta2)."""
    adaptive_first_kl: bool = False
    """Raise first_kl, up to tenfold, until it is as strong as the later attempts' advantages."""
    clip: float = 0.2
    """PPO's clipping range; it acts when inner_epochs is above 1."""
    inner_epochs: int = 1
    """Optimizer steps on the same episodes."""
    temperature: float = 1.0
    """Sampling temperature of the rollouts."""
    max_new_tokens: int = 96
    """Greatest length of one turn."""
    micro_batch: int = 32
    """Episodes per forward and backward pass of one process."""
    save_every: int = 20
    """Steps between checkpoints, from which a killed run resumes."""
    eval_every: int = 0
    """Steps between greedy evaluations on held-out problems, each with a checkpoint (in place of
    save_every) of which the best is kept; 0 never evaluates."""
    eval_problems: int = 100
    """Number of held-out problems; neither training nor the table of results uses them."""
    load_best: bool = False
    """End with the checkpoint that is best on the held-out problems, not with the last one, or with
    the starting model if none is better than that."""
    engine: Annotated[EngineName, tyro.conf.Suppress] = "auto"
    """What generates the episodes; in a recipe by default what generates everywhere else."""
    base_url: Annotated[str | None, tyro.conf.Suppress] = None
    """Address of a vLLM server that takes weights, such as http://localhost:8000/v1."""
    lora_rank: int = 0
    """Rank of LoRA matrices; 0 trains every weight."""
    vllm_memory: float = 0.3
    """Share of a GPU's memory that a vLLM next to the trainer may take."""

    def with_engine(self, engine: str, base_url: str | None) -> PolicyGradientConfig:
        """Returns these options with an engine, unless they name one themselves."""
        if self.engine != "auto" or self.base_url:
            return self
        return replace(self, engine=engine, base_url=base_url)


class SelfCorrectTrainer(GRPOTrainer):  # type: ignore[misc]
    """`GRPOTrainer` whose episodes come from an environment and whose credit is per segment.

    Args:
        model: Folder or hub id of the starting policy.
        starts: What episodes start from, visited in a shuffled order: training problems, for
            `srenv`'s environments, or the seeds of any others.
        make_env: Makes the environment that is trained in: any one with text, or chat messages,
            for observations and text for actions (see `agents.rollouts.player.Player`).
        config: How to train.
        args: TRL's settings, as `grpo_config` makes them.
        on_episodes: Called with every step's episodes.
        callbacks: Transformers callbacks.
        reference: Folder or hub id of the policy that the KL holds to; by default `model`.
        held_out: What the episodes of evaluations start from, if `config` asks for any.
        options: How conversations are shown to the model.
    """

    def __init__(
        self,
        model: str,
        starts: Sequence[Problem | int],
        make_env: EnvFactory,
        config: PolicyGradientConfig,
        args: GRPOConfig,
        on_episodes: OnEpisodes | None = None,
        callbacks: list[TrainerCallback] | None = None,
        reference: str | None = None,
        held_out: Sequence[Problem | int] = (),
        options: ChatOptions | None = None,
    ) -> None:
        if config.eval_every and not held_out:
            raise ValueError("eval_every needs held-out problems")
        check_policy(config)
        self.link = trainer_link(config.engine, config.base_url)
        self.link.check(config.base_url)
        policy = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
        # TRL loads the reference from the path in the policy's config.
        policy.config._name_or_path = reference or model
        self.chat = ChatFormat.load(model, options)
        self.chat.tokenizer.padding_side = "left"
        self.starts, self.held_out = list(starts), list(held_out)
        self.make_env = make_env
        self.judged_terms = judged_terms(make_env)
        self.pg = config
        self.estimator = make_estimator(config.estimator, config.turn_discount)
        self.on_episodes = on_episodes
        self.judged_tokens = 0
        self.rollout_seconds = 0.0
        self.rows: list[tuple[int, Row]] = []
        super().__init__(
            model=policy,
            reward_funcs=_episode_reward,
            args=args,
            train_dataset=_numbered(self.starts),
            eval_dataset=_numbered(self.held_out) if config.eval_every else None,
            processing_class=self.chat.tokenizer,
            rollout_func=type(self)._rollout,
            callbacks=callbacks,
            peft_config=lora_config(config.lora_rank),
        )
        if config.kl and config.lora_rank and reference and reference != model:
            self.ref_model = self._other_reference(reference)
        self.link.prepare(self)

    def _other_reference(self, path: str) -> Any:
        """Loads a reference next to LoRA, for which TRL knows none but the starting policy."""
        reference = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
        add_fused_lm_head(reference, temperature=self.temperature)
        return self.accelerator.prepare_model(reference, evaluation_mode=True)

    def engine(self) -> Engine:
        """Returns what plays, with the weights as they were last synced and the trainer's chat."""
        engine = self.link.engine(self)
        engine.chat = self.chat
        return engine

    @staticmethod
    def _rollout(prompts: list[str], trainer: SelfCorrectTrainer) -> dict[str, list[Any]]:
        """TRL's hook: plays one episode per prompt; a prompt is the number of a start."""
        starts = [trainer.starts[int(prompt)] for prompt in prompts]
        step, rank = trainer.state.global_step, trainer.accelerator.process_index
        seed = hashed_seed("trainer", trainer.args.seed, step, rank)
        engine = trainer.engine()
        sampling = Sampling(trainer.pg.temperature, 1.0, trainer.pg.max_new_tokens, seed)
        start = time.perf_counter()
        records = rollout(trainer.make_env, engine, starts, sampling, seed=seed)
        trainer.rollout_seconds = time.perf_counter() - start
        trainer.judged_tokens = add_judged_rewards(
            trainer.judged_terms, engine, records, sampling.max_new_tokens
        )
        filler = engine.chat.end_ids[-1:] or [0]
        for record in records:
            if not record.ids:  # failed in its first turn; TRL wants at least one token per row
                record.append_environment(filler)
        rows = trainer.rows = trained_rows(records)
        count = max(gather_object([len(rows)]))
        # TRL splits the rows evenly over the passes of a step, and gathers as many per process.
        passes = trainer.args.steps_per_generation if trainer.model.training else 1
        while len(rows) < count or len(rows) % passes:
            rows.append((0, Row(rows[0][1].prompt_ids, filler, [0.0], [0], [ENVIRONMENT])))
        return {
            "prompt_ids": [row.prompt_ids for _, row in rows],
            "completion_ids": [row.ids for _, row in rows],
            "logprobs": [row.logprobs for _, row in rows],
            "env_mask": [learnable(records[index], row) for index, row in rows],
            "rollout": records,
        }

    def _generate_and_score_completions(
        self, inputs: list[dict[str, Any]]
    ) -> dict[str, torch.Tensor | Any]:
        batch: dict[str, Any] = super()._generate_and_score_completions(inputs)
        records: list[Rollout] = [row["rollout"] for row in inputs]
        # A group can straddle processes: every process estimates for all and keeps its own rows.
        every: list[Rollout] = gather_object([_without_tokens(record) for record in records])
        advantages = self._advantages(every)
        start = self.accelerator.process_index * len(records)
        rows = [
            torch.tensor(token_advantages(advantages[start + i], row.turns, row.roles))
            for i, row in self.rows
        ]
        # TRL shuffles and splits every tensor of the batch along its first dimension.
        padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        batch["advantages"] = padded.to(batch["completion_ids"].device)
        if self.pg.first_kl:
            batch["advantages"] -= self._first_attempt_penalty(batch)
        self._report(every)
        warn_if_stale(self._metrics["train" if self.model.training else "eval"])
        return batch

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Plays the held-out problems greedily, shared out among the processes.

        Returns:
            The metrics, their names after ``eval_``. ``eval_score``, by which checkpoints are
            compared, is the accuracy of the final answer, or the reward of an episode in
            environments that do not grade.
        """
        training = self.model.training
        self.model.eval()
        step: int = self.state.global_step
        if self.use_vllm and step != self._last_loaded_step:
            self.vllm_generation.sync_weights()
            self._last_loaded_step: int = step
        rank, count = self.accelerator.process_index, self.accelerator.num_processes
        sampling = Sampling(0.0, 1.0, self.pg.max_new_tokens)
        keys = range(rank, len(self.held_out), count)
        records = rollout(
            self.make_env,
            self.engine(),
            [self.held_out[key] for key in keys],
            sampling,
            keys=keys,
            seed=self.args.seed,
        )
        episodes: list[Episode] = gather_object([record.episode for record in records])
        metrics = {f"eval_{name}": value for name, value in held_out_metrics(episodes).items()}
        self.log(dict(metrics))
        self.control: TrainerControl = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        self.model.train(training)
        return metrics

    def _prepare_inputs(self, generation_batch: Any) -> dict[str, torch.Tensor | Any]:
        """TRL's batches, with episodes of similar length together and without common padding."""
        played: Any = self._buffered_inputs
        batch: dict[str, Any] = super()._prepare_inputs(generation_batch)
        if self.model.training and self._buffered_inputs is not played:
            self._buffered_inputs: Any = sorted_by_length(self._buffered_inputs)
            batch = self._buffered_inputs[self._step % self.args.steps_per_generation]
        return batch

    def _advantages(self, records: Sequence[Rollout]) -> np.ndarray[Any, Any]:
        rewards, played = reward_array([record.rewards for record in records])
        ids = [record.episode.problem.id for record in records]
        groups = np.unique(ids, return_inverse=True)[1]
        counted = comparable(groups, np.array([not record.error for record in records]))
        advantages = np.zeros_like(rewards)
        if not counted.any():
            return advantages
        rewards, played = rewards[counted], played[counted]
        estimates = self.estimator(rewards, played, groups[counted])
        if estimates.shape != rewards.shape:
            raise ValueError(
                f"estimator {self.pg.estimator!r} returned shape {estimates.shape}; one advantage "
                f"per episode, turn and segment is {rewards.shape}"
            )
        advantages[counted] = scale_by_role(estimates, played) if self.pg.scale_roles else estimates
        return advantages

    def _first_attempt_penalty(self, batch: Mapping[str, Any]) -> torch.Tensor:
        """``first_kl * log(pi / pi_ref)`` on first attempts, to be taken off their advantages.

        The log-ratio at sampled tokens, as a cost, has the gradient of the KL of the policy to the
        reference; the estimator that TRL's beta puts into the loss has that of the reversed KL.
        """
        device = batch["advantages"].device
        turns = [torch.tensor(row.turns) for _, row in self.rows]
        turn = torch.nn.utils.rnn.pad_sequence(turns, batch_first=True).to(device)
        log_ratio = batch["sampling_per_token_logps"] - batch["ref_per_token_logps"]
        weight = self.pg.first_kl
        pull = np.array(gather_object(log_ratio[turn == 1].tolist()))
        if self.pg.adaptive_first_kl:
            push = np.array(gather_object(batch["advantages"][turn > 1].tolist()))
            weight = balanced_weight(push, pull, weight)
        metrics = self._metrics["train" if self.model.training else "eval"]
        metrics["first_attempt/kl"].append(float(pull.mean()) if pull.size else 0.0)
        metrics["first_attempt/kl_weight"].append(weight)
        penalty: torch.Tensor = weight * log_ratio * (turn == 1)
        return penalty

    def _report(self, records: Sequence[Rollout]) -> None:
        """Adds the step's rates to TRL's own metrics; failed episodes are counted apart."""
        metrics = self._metrics["train" if self.model.training else "eval"]
        written = sum(float(turn.tokens or 0) for r in records for turn in r.episode.turns)
        metrics["generated_tokens"].append(written + sum(gather_object([self.judged_tokens])))
        metrics["generation_seconds"].append(self.rollout_seconds)
        metrics["generated_tokens_per_second"].append(written / max(self.rollout_seconds, 1e-9))
        metrics["rollout/failed"].append(sum(bool(record.error) for record in records))
        complete = [record for record in records if not record.error]
        episodes = [record.episode for record in complete]
        rates = {
            **summarize(Outcomes.of(episodes)),
            **term_means(episodes),
            **segment_means(complete),
        }
        for name, value in rates.items():
            metrics[name].append(value)
        if self.on_episodes and self.accelerator.is_main_process:
            self.on_episodes(episodes, self.state.global_step)


def _numbered(starts: Sequence[Problem | int]) -> Dataset:
    """The rows that TRL passes around: numbers of starts, as text."""
    return Dataset.from_list([{"prompt": str(i)} for i in range(len(starts))])


def held_out_metrics(episodes: Sequence[Episode]) -> dict[str, float]:
    """Returns the metrics of an evaluation during training; see `SelfCorrectTrainer.evaluate`."""
    reward = float(np.mean([episode.reward for episode in episodes]))
    metrics = summarize(Outcomes.of(episodes))
    return {**metrics, "reward": reward, "score": metrics.get("accuracy_final", reward)}


def sorted_by_length(batches: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns the rows of TRL's batches as batches of the same sizes, sorted by length.

    The columns that are padding in every row of a batch are cut off: prompts are padded on the
    left, completions on the right.

    Args:
        batches: Tensors by name, (B, P) for prompts and (B, T) for completions and what belongs
            to their tokens; anything without rows is the same in all batches.
    """
    sizes = [len(batch["completion_mask"]) for batch in batches]
    rows = {
        name: torch.cat([batch[name] for batch in batches])
        for name, value in batches[0].items()
        if isinstance(value, torch.Tensor) and value.dim() > 0
    }
    width, prompt_width = rows["completion_mask"].shape[1], rows["prompt_mask"].shape[1]
    order = rows["completion_mask"].sum(1).argsort(stable=True)
    result = []
    for batch, chosen in zip(batches, torch.split(order, sizes), strict=True):
        part = {name: value[chosen] for name, value in rows.items()}
        longest = int(part["completion_mask"].sum(1).max())
        longest_prompt = int(part["prompt_mask"].sum(1).max())
        for name, value in part.items():
            if name.startswith("prompt_"):
                part[name] = value[:, prompt_width - longest_prompt :]
            elif value.dim() > 1 and value.shape[1] == width:
                part[name] = value[:, :longest]
        result.append({**batch, **part})
    return result


def _without_tokens(record: Rollout) -> Rollout:
    """What other processes need of an episode."""
    return Rollout(record.episode, [], rewards=record.rewards, error=record.error)


def _episode_reward(rollout: Sequence[Rollout], **_: Any) -> list[float]:
    """For TRL's own logs; the advantages are formed from the parts."""
    return [sum(map(sum, record.rewards)) for record in rollout]


def trained_rows(records: Sequence[Rollout]) -> list[tuple[int, Row]]:
    """Returns the rows of all episodes with the index of their episode, the last rows first.

    An episode has more than one if what the model had read was rewritten between its turns.
    """
    last = [(index, record.rows[-1]) for index, record in enumerate(records)]
    return last + [(index, row) for index, record in enumerate(records) for row in record.earlier]


def learnable(record: Rollout, row: Row | None = None) -> list[int]:
    """Returns 1 for the model's own tokens, 0 for the environment's and ungraded attempts.

    Args:
        record: The episode.
        row: One of its rows, by default the last.
    """
    turns = record.turns if row is None else row.turns
    if record.error:
        return [0] * len(turns)
    return [int(turn > 0 and record.graded[turn - 1]) for turn in turns]


def term_means(episodes: Sequence[Episode]) -> dict[str, float]:
    """Returns the mean reward per episode, by term."""
    totals: dict[str, float] = {}
    for episode in episodes:
        for turn in episode.turns:
            for term, value in turn.rewards.items():
                totals[term] = totals.get(term, 0.0) + value
    return {f"reward_term/{term}": total / len(episodes) for term, total in totals.items()}


def segment_means(records: Sequence[Rollout]) -> dict[str, float]:
    """Returns the mean reward per episode, by segment."""
    rewards, _ = reward_array([record.rewards for record in records])
    attempt, verdict = rewards.sum(axis=(0, 1)) / max(1, len(records))
    return {"reward_segment/attempt": float(attempt), "reward_segment/verdict": float(verdict)}


def check_policy(config: PolicyGradientConfig) -> None:
    """Validates how the policy is sampled and held to the reference.

    Raises:
        ValueError: Episodes of a group would all be the same, or a KL has no reference.
    """
    if config.temperature <= 0:
        raise ValueError(
            "policy gradient compares different episodes: set temperature above 0, not to "
            f"{config.temperature}"
        )
    if config.first_kl and not config.kl:
        raise ValueError("first_kl adds to kl, which loads the reference: set kl above 0 too")


def step_batches(config: PolicyGradientConfig) -> tuple[int, int]:
    """Returns the episodes of one forward pass of a process, and the number of such passes a step.

    Raises:
        ValueError: A size is below its minimum, or the episodes of a step cannot be divided evenly.
    """
    if min(config.problems_per_step, config.micro_batch) < 1 or config.group_size < 2:
        raise ValueError(
            "policy gradient needs problems_per_step >= 1, micro_batch >= 1 and group_size >= 2, "
            f"got {config.problems_per_step}, {config.micro_batch} and {config.group_size}"
        )
    episodes, processes = config.problems_per_step * config.group_size, process_count()
    micro_batch = min(config.micro_batch, max(1, episodes // processes))
    if episodes % (micro_batch * processes):
        raise ValueError(
            f"problems_per_step * group_size = {episodes} is not a multiple of micro_batch = "
            f"{micro_batch}" + (f" times {processes} processes" if processes > 1 else "")
        )
    return micro_batch, episodes // (micro_batch * processes)


def grpo_config(
    config: PolicyGradientConfig, output: Path, seed: int, bfloat16: bool = False
) -> GRPOConfig:
    """TRL's settings for `config`."""
    link = trainer_link(config.engine, config.base_url)
    micro_batch, passes = step_batches(config)
    return GRPOConfig(
        **common_settings(output, config.eval_every or config.save_every, seed, bfloat16),
        **evaluation_settings(config, output),
        max_steps=config.steps,
        per_device_train_batch_size=micro_batch,
        gradient_accumulation_steps=passes,
        num_generations=config.group_size,
        num_iterations=config.inner_epochs,
        learning_rate=config.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=min(5, config.steps // 10),
        beta=config.kl,
        epsilon=config.clip,
        temperature=config.temperature,
        max_completion_length=config.max_new_tokens,
        loss_type="dapo",  # a token mean over the whole step: long episodes are not diluted
        logging_steps=1,
        **link.settings(config.base_url, config.vllm_memory),
    )


def evaluation_settings(config: PolicyGradientConfig, output: Path) -> dict[str, Any]:
    """Returns the settings of evaluations during training, if `config` asks for any.

    Raises:
        ValueError: A number is out of range, or no evaluation would choose the best checkpoint.
    """
    if config.eval_every < 0 or config.eval_problems < 1:
        raise ValueError(
            "evaluation during training needs eval_every >= 0 and eval_problems >= 1, got "
            f"{config.eval_every} and {config.eval_problems}"
        )
    if config.load_best and not 0 < config.eval_every <= config.steps:
        raise ValueError(
            f"load_best chooses among evaluations: set eval_every to at most {config.steps}"
        )
    if not config.eval_every:
        return {}
    return {
        "eval_strategy": "steps",
        "eval_steps": config.eval_every,
        "eval_on_start": last_checkpoint(output) is None,
        "num_generations_eval": 1,  # our own evaluation plays; TRL divides its batches by this
        "metric_for_best_model": "eval_score",
        "greater_is_better": True,
        "load_best_model_at_end": config.load_best,
    }


def train_policy(
    model: str | Path,
    output: Path,
    starts: Sequence[Problem | int],
    make_env: EnvFactory,
    config: PolicyGradientConfig,
    *,
    seed: int = 0,
    on_episodes: OnEpisodes | None = None,
    callbacks: list[TrainerCallback] | None = None,
    reference: str | Path | None = None,
    held_out: Sequence[Problem | int] = (),
    options: ChatOptions | None = None,
) -> Path:
    """Trains and returns the folder of the final model; resumes from a checkpoint in `output`.

    Args:
        model: Folder or hub id of the starting policy.
        output: Folder of checkpoints and of the final model.
        starts: What episodes start from; see `SelfCorrectTrainer`.
        make_env: Makes the environment that is trained in.
        config: How to train.
        seed: Seeds sampling and the order of the starts.
        on_episodes: Called with every step's episodes.
        callbacks: Transformers callbacks.
        reference: Folder or hub id of the policy that the KL holds to; by default `model`.
        held_out: What the episodes of evaluations during training start from.
        options: How conversations are shown to the model.
    """
    trainer = SelfCorrectTrainer(
        str(model),
        starts,
        make_env,
        config,
        grpo_config(config, output, seed, cpu_bfloat16(model)),
        on_episodes=on_episodes,
        callbacks=callbacks,
        reference=str(reference) if reference else None,
        held_out=held_out,
        options=options,
    )
    run_trainer(trainer, output)
    trainer.link.release(trainer)
    if config.load_best and best_step(held_out_scores(trainer.state.log_history)) == 0:
        return save_start(trainer, model, output / "final")
    return save_merged(trainer, output / "final")


def save_start(trainer: SelfCorrectTrainer, model: str | Path, folder: Path) -> Path:
    """Saves the model that the training of `trainer` started from, and returns the folder."""
    if trainer.is_world_process_zero():
        AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).save_pretrained(folder)
        trainer.processing_class.save_pretrained(folder)
    return folder
