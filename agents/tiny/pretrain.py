"""Trains the bundled models: that of math from nothing, that of programs from that of math.

    python -m agents.tiny.pretrain --output runs/tiny
    python -m agents.tiny.pretrain --world programs --output runs/tiny_programs

One step is one batch of conversations of one shape, so that little is padded. A killed run resumes
from its last checkpoint. README.md in this folder says what the result can do.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
import tyro
from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

from agents.models.chat import IGNORE
from agents.models.paths import model_path
from agents.runs.progress import progress_bar
from agents.tiny.skills import Said, correct, facts, judge, prefer, reconsider, solve
from agents.tiny.tokenizer import ASSISTANT, USER, make_tokenizer
from agents.tiny.worlds import WORLDS


@dataclass(frozen=True)
class PretrainConfig:
    """How a small model is made."""

    world: Literal["math", "programs"] = "math"
    """What it knows."""
    output: Path = Path("runs/tiny")
    """Folder of the finished model."""
    batch_size: int = 64
    """Conversations per step; four times as many of the short ones."""
    learning_rate: float = 3e-3
    """Adam's, for embeddings and norms."""
    muon_rate: float = 0.02
    """Muon's, for the matrices inside the layers."""
    shorten: int = 1
    """Divides the steps of every phase, for a quick try."""
    hidden: int = 128
    """Width."""
    layers: int = 3
    """Depth."""
    heads: int = 4
    """Attention heads."""
    compile: bool = False
    """Compile the model with torch, which is faster and needs a C++ compiler."""
    temperature: float = 1.5
    """Divides the logits of the finished model. Greedy decoding stays the same, and samples get as
    noisy as those of base models; a world this small leaves a model too sure of itself."""
    save_every: int = 250
    """Steps between checkpoints."""
    seed: int = 0
    """Seeds weights and data."""


@dataclass(frozen=True)
class Phase:
    """One stretch of the curriculum.

    Attributes:
        steps: Optimizer steps.
        shares: Share of the steps on each skill, in the order of `SKILLS`.
        varied: Lay conversations out in many ways (see `collate` and `skills`).
        peak: Greatest learning rates, as a share of the configured ones.
        decay: Share of the phase, at its end, over which the rates fall to nothing.
    """

    steps: int
    shares: tuple[float, ...]
    varied: bool
    peak: float = 1.0
    decay: float = 0.5


SKILLS = ("facts", "solve", "judge", "correct", "reconsider", "prefer")

CURRICULA = {
    "math": (
        Phase(450, (0.75, 0.07, 0.09, 0.05, 0.04, 0.0), varied=False, decay=0.0),
        Phase(650, (0.18, 0.14, 0.34, 0.14, 0.20, 0.0), varied=False, decay=0.3),
        Phase(1300, (0.14, 0.10, 0.27, 0.14, 0.18, 0.17), varied=True, peak=0.8, decay=0.3),
        Phase(1000, (0.22, 0.10, 0.20, 0.20, 0.20, 0.08), varied=True, peak=0.7, decay=0.6),
    ),
    "programs": (
        Phase(300, (0.10, 0.16, 0.30, 0.20, 0.24, 0.0), varied=False, peak=0.7, decay=0.0),
        Phase(700, (0.16, 0.12, 0.26, 0.22, 0.24, 0.0), varied=True, peak=0.7, decay=0.6),
    ),
}
"""By world: arithmetic, then all skills in one layout, then in many; started in many, copying never
forms. Programs begin with the arithmetic of math."""

WARMUP = 30
"""Steps of linear warm-up at the start of a phase."""

ATTEMPTS = (1, 1, 1, 2, 2, 3)
"""Given attempts per conversation, drawn evenly from here."""


def make_model(config: PretrainConfig, tokenizer: Any) -> Qwen2ForCausalLM:
    """Builds an untrained model with the ids of `tokenizer`."""
    torch.manual_seed(config.seed)
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=config.hidden,
            intermediate_size=2 * config.hidden,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.heads,
            max_position_embeddings=2048,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    if start := WORLDS[config.world].start:
        inherit(model, tokenizer, model_path(start), config.temperature)
    return model


@torch.no_grad()
def inherit(model: Qwen2ForCausalLM, tokenizer: Any, start: str, temperature: float) -> None:
    """Copies the weights of another small model; tokens that it does not know stay untrained."""
    weights = Qwen2ForCausalLM.from_pretrained(start, dtype=torch.float32).state_dict()
    known = AutoTokenizer.from_pretrained(start).get_vocab()
    embedding = model.model.embed_tokens.weight.clone()
    for token, index in tokenizer.get_vocab().items():
        if token in known:
            embedding[index] = weights["model.embed_tokens.weight"][known[token]]
    weights |= {"model.embed_tokens.weight": embedding, "lm_head.weight": embedding}
    weights["model.norm.weight"] *= temperature
    model.load_state_dict(weights)


def locate(config: PretrainConfig, step: int) -> tuple[Phase, float]:
    """The phase that a step belongs to, and its learning rates as a share of the configured."""
    for phase in CURRICULA[config.world]:
        steps = phase.steps // config.shorten
        if step < steps:
            left = (steps - step) / (phase.decay * steps) if phase.decay else 1.0
            return phase, phase.peak * min(1.0, (step + 1) / WARMUP, left)
        step -= steps
    raise ValueError("the curriculum is over")


def total_steps(config: PretrainConfig) -> int:
    """Number of steps of the whole curriculum."""
    return sum(phase.steps // config.shorten for phase in CURRICULA[config.world])


def draw(config: PretrainConfig, step: int) -> list[list[Said]]:
    """The conversations of one step; the same in every process."""
    rng, world = random.Random(f"{config.seed}/{step}"), WORLDS[config.world]
    phase, _ = locate(config, step)
    (skill,) = rng.choices(SKILLS, phase.shares)
    size, attempts = config.batch_size, rng.choice(ATTEMPTS)
    if skill == "facts":
        return [facts(world, rng) for _ in range(2 * size)]
    if skill == "solve":
        return [solve(world, rng) for _ in range(3 * size)]
    if skill == "reconsider":
        return [reconsider(world, rng, phase.varied) for _ in range(2 * size)]
    if skill == "prefer":
        return [prefer(world, rng) for _ in range(2 * size)]
    draw_one = judge if skill == "judge" else correct
    return [draw_one(world, rng, attempts, phase.varied) for _ in range(size)]


def collate(
    conversations: Sequence[Sequence[Said]], tokenizer: Any, jumps: random.Random | None = None
) -> dict[str, torch.Tensor]:
    """The model's inputs, padded on the right; only what is to be learned has labels.

    With `jumps`, positions jump ahead at random around the tokens that open a message (after Ruoss
    et al. 2023, arXiv 2305.16843): the model has to find numbers by what they are, not by where
    they stand.
    """
    contents = [said.content for conversation in conversations for said in conversation]
    encoded = iter(tokenizer(contents, add_special_tokens=False)["input_ids"])
    ids, labels, positions = [], [], []
    for conversation in conversations:
        row: list[int] = []
        targets: list[int] = []
        places: list[int] = []
        for said in conversation:
            for new, learn in _parts(said, next(encoded), tokenizer):
                start = places[-1] + 1 if places else 0
                start += jump(jumps) if jumps else 0
                row += new
                places += range(start, start + len(new))
                targets += new if learn else [IGNORE] * len(new)
        ids.append(torch.tensor(row))
        labels.append(torch.tensor(targets))
        positions.append(torch.tensor(places))
    pad_rows = partial(torch.nn.utils.rnn.pad_sequence, batch_first=True)
    batch = {
        "input_ids": pad_rows(ids, padding_value=tokenizer.pad_token_id),
        "labels": pad_rows(labels, padding_value=IGNORE),
        "position_ids": pad_rows(positions),
    }
    # All ones, though rows are padded: causal attention never looks to the right, and without a
    # mask transformers would read a jump as the start of another packed sequence.
    batch["attention_mask"] = torch.ones_like(batch["input_ids"])
    return batch


def _parts(said: Said, ids: list[int], tokenizer: Any) -> list[tuple[list[int], bool]]:
    """The token that opens a message and what it says, each with whether to learn it."""
    if said.role == "text":
        return [(ids, bool(said.learn))]
    opening = [tokenizer.convert_tokens_to_ids(USER if said.role == "user" else ASSISTANT)]
    ids = [*ids, tokenizer.eos_token_id]
    if said.learn == "rest":
        opening, ids = [*opening, ids[0]], ids[1:]
    return [(opening, False), (ids, bool(said.learn))]


def learned_loss(model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Mean cross-entropy of the learned tokens; no other token gets logits."""
    labels = batch["labels"][:, 1:]
    learned = labels != IGNORE
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    hidden = model.model(**inputs, use_cache=False).last_hidden_state[:, :-1][learned]
    return torch.nn.functional.cross_entropy(model.lm_head(hidden).float(), labels[learned])


def jump(rng: random.Random) -> int:
    """How many positions stay empty; none, half of the time."""
    return rng.randint(1, 32) if rng.random() < 0.5 else 0


class Optimizers:
    """Muon for the matrices inside the layers, Adam for the rest, on one schedule."""

    def __init__(self, model: torch.nn.Module, config: PretrainConfig) -> None:
        inner: list[torch.nn.Parameter] = []
        outer: list[torch.nn.Parameter] = []
        for name, parameter in model.named_parameters():
            inside = parameter.ndim == 2 and "embed" not in name
            (inner if inside else outer).append(parameter)
        self.config = config
        self.both: list[torch.optim.Optimizer] = [
            torch.optim.Muon(inner, lr=config.muon_rate, weight_decay=0.01, momentum=0.95),
            torch.optim.AdamW(outer, lr=config.learning_rate, weight_decay=0.0, betas=(0.9, 0.95)),
        ]
        self.rates = [config.muon_rate, config.learning_rate]

    def step(self, step: int) -> None:
        """Updates the weights with the rates of this step, and clears the gradients."""
        _, scale = locate(self.config, step)
        for optimizer, rate in zip(self.both, self.rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * scale
            optimizer.step()
            optimizer.zero_grad()


def pretrain(config: PretrainConfig) -> Path:
    """Trains the model and saves it with its tokenizer; returns the folder."""
    tokenizer = make_tokenizer(WORLDS[config.world])
    model = make_model(config, tokenizer)
    model.set_attn_implementation("eager")  # fused attention is slow backwards in bfloat16 on CPUs
    optimizers = Optimizers(model, config)
    checkpoint = config.output / "pretrain.pt"
    first, tokens = _load(checkpoint, model, optimizers)
    start = time.monotonic()
    steps = total_steps(config)
    if config.compile:
        model.model.compile(dynamic=True)
    with progress_bar("pre-training", steps) as bar:
        for step in range(first, steps):
            jumps = random.Random(step) if locate(config, step)[0].varied else None
            batch = collate(draw(config, step), tokenizer, jumps)
            with torch.autocast("cpu", torch.bfloat16):
                loss = learned_loss(model, batch)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizers.step(step)
            tokens += int((batch["input_ids"] != tokenizer.pad_token_id).sum())
            bar.reach(step + 1, f"loss {loss.item():.3f} tokens {tokens / 1e6:.1f}M")
            if (step + 1) % config.save_every == 0:
                _save(checkpoint, model, optimizers, step + 1, tokens)
    with torch.no_grad():
        model.model.norm.weight /= config.temperature
    model.save_pretrained(config.output)
    tokenizer.save_pretrained(config.output)
    checkpoint.unlink(missing_ok=True)
    parameters = sum(p.numel() for p in model.parameters())
    minutes = (time.monotonic() - start) / 60
    print(f"{parameters} parameters, {tokens / 1e6:.2f}M tokens, {minutes:.1f} min")
    return config.output


def _save(
    path: Path, model: torch.nn.Module, optimizers: Optimizers, step: int, tokens: int
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    states = [optimizer.state_dict() for optimizer in optimizers.both]
    torch.save(
        {"model": model.state_dict(), "optimizers": states, "step": step, "tokens": tokens},
        partial,
    )
    partial.replace(path)


def _load(path: Path, model: torch.nn.Module, optimizers: Optimizers) -> tuple[int, int]:
    """Returns the step to resume from and the tokens seen before it."""
    if not path.exists():
        return 0, 0
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    for optimizer, saved in zip(optimizers.both, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    return int(state["step"]), int(state["tokens"])


if __name__ == "__main__":
    pretrain(tyro.cli(PretrainConfig))
