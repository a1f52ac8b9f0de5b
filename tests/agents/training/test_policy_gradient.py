"""The policy-gradient trainer: what reaches the loss, against a gradient written out by hand."""

import gymnasium as gym
import numpy as np
import pytest
import torch

import srenv
from agents.engines.server import ServerError
from agents.training.policy_gradient import (
    PolicyGradientConfig,
    SelfCorrectTrainer,
    grpo_config,
    sorted_by_length,
)
from srenv.wrappers import ChatObservation
from tests.support.server import fake_servers

PROBLEMS = srenv.load_problems("synthetic:linear", "train").take(8)


def make_env():
    return gym.make("srenv:SelfCorrectMath-v0", max_attempts=2)


def hand_made(rewards, played, groups):
    """Advantages that differ by episode, turn and segment, so that a mix-up would show."""
    n, turns, _ = rewards.shape
    grid = np.arange(n * turns * 2, dtype=float).reshape(n, turns, 2)
    return np.sin(grid + 1)


class Forgetful(gym.ObservationWrapper):
    """Shows the last message alone: every turn is a row of its own."""

    def observation(self, observation):
        return observation[-1:]


def make_forgetful_env():
    return Forgetful(ChatObservation(make_env()))


def make_trainer(untrained, tmp_path, reference=None, env=make_env, **changes):
    settings = {
        "steps": 2,
        "problems_per_step": 2,
        "group_size": 4,
        "micro_batch": 4,
        "max_new_tokens": 10,
        "estimator": "tests.agents.training.test_policy_gradient:hand_made",
        "scale_roles": False,
        "save_every": 100,
    } | changes
    config = PolicyGradientConfig(**settings)
    seen = []
    trainer = SelfCorrectTrainer(
        untrained,
        PROBLEMS,
        env,
        config,
        grpo_config(config, tmp_path, seed=0),
        on_episodes=lambda episodes, step: seen.append((step, len(episodes))),
        reference=reference,
    )
    return trainer, seen


def gradient(trainer):
    return torch.cat([p.grad.flatten() for p in trainer.model.parameters()])


@pytest.mark.parametrize("env", [make_env, make_forgetful_env])
@pytest.mark.parametrize("kl", [0.0, 0.05])
def test_the_gradient_is_the_formulas(untrained, tmp_path, kl, env):
    """Token mean of -advantage * log-prob (plus KL) over the model's own tokens, nothing else."""
    trainer, _ = make_trainer(untrained, tmp_path, kl=kl, env=env)
    trainer.args.max_grad_norm = 0.0
    trainer.train()
    trainer.model.train()
    trainer.model.zero_grad()
    micro = trainer._buffered_inputs[0]
    trainer.accelerator.gradient_state._set_sync_gradients(True)
    trainer.current_gradient_accumulation_steps = 2
    trainer.compute_loss(trainer.model, micro).backward()
    theirs = gradient(trainer)

    trainer.model.zero_grad()
    prompt, ids = micro["prompt_ids"], micro["completion_ids"]
    attention = torch.cat([micro["prompt_mask"], micro["completion_mask"]], 1)
    logits = trainer.model(input_ids=torch.cat([prompt, ids], 1), attention_mask=attention).logits[
        :, prompt.shape[1] - 1 : -1
    ]
    logps = torch.log_softmax(logits.float(), -1).gather(-1, ids[..., None]).squeeze(-1)
    own = micro["completion_mask"] * micro["tool_mask"]
    terms = -micro["advantages"] * torch.exp(logps - logps.detach())
    if kl:
        ratio = micro["ref_per_token_logps"] - logps
        terms = terms + kl * (torch.exp(ratio) - ratio - 1) * torch.exp(logps - logps.detach())
    loss = (terms * own).sum() / micro["num_items_in_batch"]
    loss.backward()
    mine = gradient(trainer)
    assert mine.norm() > 0
    assert (theirs - mine).norm() / mine.norm() < 1e-4


def test_batches_are_sorted_by_length_and_lose_only_padding():
    lengths, prompt_lengths = [3, 1, 5, 2], [2, 4, 1, 1]
    ids = torch.nn.utils.rnn.pad_sequence(
        [torch.arange(1, n + 1) + 10 * n for n in lengths], batch_first=True
    )
    columns = torch.arange(4)
    prompt_mask = torch.stack([(columns >= 4 - n).long() for n in prompt_lengths])
    rows = {
        "prompt_ids": prompt_mask * 7,
        "prompt_mask": prompt_mask,
        "completion_ids": ids,
        "completion_mask": (ids > 0).long(),
        "advantages": ids.float(),
    }
    batches = [
        {**{name: value[part] for name, value in rows.items()}, "num_items_in_batch": 11}
        for part in (slice(0, 2), slice(2, 4))
    ]
    short, long = sorted_by_length(batches)
    assert short["completion_ids"].tolist() == [[11, 0], [21, 22]]
    assert long["completion_ids"].tolist() == [[31, 32, 33, 0, 0], [51, 52, 53, 54, 55]]
    assert torch.equal(long["advantages"], long["completion_ids"].float())
    assert short["prompt_mask"].sum(1).tolist() == [4, 1]
    assert short["prompt_ids"].shape == (2, 4)
    assert long["prompt_mask"].tolist() == [[1, 1], [0, 1]]
    assert short["num_items_in_batch"] == 11


def train_and_capture(trainer):
    """Trains; returns the rollouts of the last step and the tensors that were made of them."""
    captured = {}
    original = trainer._generate_and_score_completions

    def spy(inputs):
        batch = original(inputs)
        captured["rows"] = [row["rollout"] for row in inputs]
        captured["batch"] = {k: v.clone() for k, v in batch.items() if torch.is_tensor(v)}
        return batch

    trainer._generate_and_score_completions = spy
    trainer.train()
    return captured["rows"], captured["batch"]


def test_advantages_sit_on_their_tokens_and_nowhere_else(untrained, tmp_path):
    trainer, seen = make_trainer(untrained, tmp_path)
    rows, batch = train_and_capture(trainer)
    expected = hand_made(
        np.zeros((len(rows), max(len(r.episode.turns) for r in rows), 2)), None, None
    )
    for i, record in enumerate(rows):
        assert batch["completion_ids"][i, : len(record.ids)].tolist() == record.ids
        for k, (turn, role) in enumerate(zip(record.turns, record.roles, strict=True)):
            value = batch["advantages"][i, k].item()
            if turn:
                assert value == pytest.approx(expected[i, turn - 1, role - 1], abs=1e-6)
                assert batch["tool_mask"][i, k] == 1
            else:
                assert value == 0
                assert batch["tool_mask"][i, k] == 0
    assert seen == [(0, 8), (1, 8)]


@pytest.mark.parametrize("micro_batch", [1, 4])
def test_a_turn_whose_prompt_was_rewritten_is_a_row_with_its_own_advantages(
    untrained, tmp_path, micro_batch
):
    trainer, _ = make_trainer(untrained, tmp_path, env=make_forgetful_env, micro_batch=micro_batch)
    records, batch = train_and_capture(trainer)
    turns = max(len(record.episode.turns) for record in records)
    expected = hand_made(np.zeros((len(records), turns, 2)), None, None)
    rows = [(i, row) for i, record in enumerate(records) for row in record.rows]
    assert len(rows) == sum(len(record.episode.turns) for record in records) > len(records)
    assert len(batch["advantages"]) % trainer.args.steps_per_generation == 0
    assert int(batch["tool_mask"].sum() - (1 - batch["completion_mask"]).sum()) == sum(
        len(row.ids) for _, row in rows
    )
    written = [ids[mask.bool()].tolist() for ids, mask in zip(*completions(batch), strict=True)]
    for index, row in rows:
        at = next(
            k
            for k, ids in enumerate(written)
            if ids == row.ids
            and prompt(batch, k) == row.prompt_ids
            and batch["advantages"][k, 0].item()
            == pytest.approx(expected[index, row.turns[0] - 1, row.roles[0] - 1], abs=1e-6)
        )
        values = batch["advantages"][at, : len(row.ids)].tolist()
        places = zip(row.turns, row.roles, strict=True)
        assert values == pytest.approx([expected[index, t - 1, r - 1] for t, r in places], abs=1e-6)


def completions(batch):
    return batch["completion_ids"], batch["completion_mask"]


def prompt(batch, row):
    return batch["prompt_ids"][row][batch["prompt_mask"][row].bool()].tolist()


def test_its_log_has_rewards_by_term_and_segment_and_rates_by_turn(untrained, tmp_path):
    trainer, _ = make_trainer(untrained, tmp_path)
    trainer.train()
    logged = set().union(*trainer.state.log_history)
    assert {
        "accuracy_t1",
        "accuracy_by_turn/1",
        "malformed_rate",
        "reward_term/improvement",
        "reward_term/verdict_format",
        "reward_segment/attempt",
        "reward_segment/verdict",
        "loss",
    } <= logged


@pytest.mark.parametrize("estimator", ["reinforce", "rloo", "grpo", "s2r"])
def test_estimators_by_name_train(untrained, tmp_path, estimator):
    trainer, _ = make_trainer(untrained, tmp_path, estimator=estimator, steps=1, scale_roles=True)
    trainer.train()
    assert np.isfinite(trainer.state.log_history[0]["loss"])


def test_clipping_acts_on_reused_episodes(untrained, tmp_path):
    trainer, seen = make_trainer(
        untrained, tmp_path, inner_epochs=2, clip=1e-6, learning_rate=0.05, steps=2
    )
    trainer.train()
    assert len(seen) == 1  # one batch of episodes served both steps
    assert trainer.state.log_history[1]["clip_ratio/region_mean"] > 0


def test_wrong_shapes_and_batches_are_refused(untrained, tmp_path):
    trainer, _ = make_trainer(untrained, tmp_path)
    trainer.estimator = lambda rewards, played, groups: rewards[..., 0]
    with pytest.raises(ValueError, match="per episode, turn and segment"):
        trainer.train()
    with pytest.raises(ValueError, match="micro_batch"):
        grpo_config(PolicyGradientConfig(micro_batch=5), tmp_path, 0)


@pytest.fixture
def other(untrained, tmp_path):
    """A folder with another policy, some way off."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(untrained)
    torch.manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    model.save_pretrained(tmp_path / "other")
    AutoTokenizer.from_pretrained(untrained).save_pretrained(tmp_path / "other")
    return str(tmp_path / "other")


def log_probs(folder, record):
    """Log-probs of the ids of an episode by the model in a folder."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    ids = torch.tensor([record.prompt_ids + record.ids])
    with torch.no_grad():
        logits = model(input_ids=ids).logits[0, len(record.prompt_ids) - 1 : -1]
    return torch.log_softmax(logits, -1).gather(-1, torch.tensor(record.ids)[:, None])[:, 0]


def test_lora_holds_to_the_reference_that_is_given(untrained, other, tmp_path):
    pytest.importorskip("peft")
    trainer, _ = make_trainer(
        untrained, tmp_path / "run", reference=other, kl=1e-3, lora_rank=4, steps=1
    )
    rows, batch = train_and_capture(trainer)
    for record, values in zip(rows, batch["ref_per_token_logps"], strict=True):
        theirs = values[: len(record.ids)].tolist()
        assert theirs == pytest.approx(log_probs(other, record).tolist(), abs=1e-4)
        assert theirs != pytest.approx(log_probs(untrained, record).tolist(), abs=1e-2)


def test_the_first_attempts_kl_enters_on_its_tokens_alone(untrained, other, tmp_path):
    """Advantage minus 0.3 * log(pi / pi_ref) at turn 1; at turn 2 the advantage as it was."""
    trainer, _ = make_trainer(
        untrained, tmp_path / "run", reference=other, kl=1e-3, first_kl=0.3, steps=1
    )
    rows, batch = train_and_capture(trainer)
    plain = hand_made(np.zeros((len(rows), max(len(r.episode.turns) for r in rows), 2)), None, None)
    moved = 0
    for i, record in enumerate(rows):
        theirs = log_probs(other, record)
        for k, (turn, role) in enumerate(zip(record.turns, record.roles, strict=True)):
            expected = plain[i, turn - 1, role - 1] if turn else 0.0
            if turn == 1:
                expected -= 0.3 * (record.logprobs[k] - theirs[k].item())
                moved += 1
            assert batch["advantages"][i, k].item() == pytest.approx(expected, abs=1e-4)
    assert moved
    log = trainer.state.log_history[0]
    assert log["first_attempt/kl_weight"] == 0.3
    assert log["first_attempt/kl"] != 0


def test_a_penalty_on_the_log_ratio_has_the_gradient_of_the_kl():
    """Summed over a small vocabulary instead of sampled: d KL(pi || ref) / d theta, exactly."""
    torch.manual_seed(0)
    theta = torch.randn(5, requires_grad=True)
    reference = torch.log_softmax(torch.randn(5), -1)
    policy = torch.log_softmax(theta, -1)
    kl = (policy.exp() * (policy - reference)).sum()
    (truth,) = torch.autograd.grad(kl, theta, retain_graph=True)
    advantage = -(policy - reference).detach()
    loss = -(policy.exp().detach() * advantage * policy).sum()
    (ours,) = torch.autograd.grad(loss, theta)
    assert torch.allclose(ours, truth, atol=1e-6)


def test_a_first_attempt_kl_without_a_reference_is_refused(untrained, tmp_path):
    with pytest.raises(ValueError, match="kl above 0"):
        make_trainer(untrained, tmp_path, first_kl=0.1)


def test_a_server_without_token_ids_is_refused_before_the_model_is_loaded(untrained, tmp_path):
    with (
        fake_servers(untrained, exact=False) as serve,
        pytest.raises(ServerError, match="needs token ids"),
    ):
        make_trainer("no-such-model", tmp_path, engine="server", base_url=serve().url)


def test_a_failed_episode_is_masked_and_training_continues(untrained, tmp_path):
    trainer, _ = make_trainer(untrained, tmp_path, estimator="rloo", steps=1)
    made = []

    class Broken(gym.Wrapper):
        def step(self, action):
            raise OSError("gone")

    def sometimes():
        made.append(1)
        return Broken(make_env()) if len(made) == 3 else make_env()

    estimate, compared = trainer.estimator, []

    def spy(rewards, played, groups):
        compared.append(len(rewards))
        return estimate(rewards, played, groups) + 1

    trainer.make_env, trainer.estimator = sometimes, spy
    rows, batch = train_and_capture(trainer)
    assert compared == [7]
    for record, advantages in zip(rows, batch["advantages"], strict=True):
        own = [value for turn, value in zip(record.turns, advantages, strict=False) if turn]
        assert all(value == (0 if record.error else 1) for value in own)
    (log,) = [entry for entry in trainer.state.log_history if "rollout/failed" in entry]
    assert log["rollout/failed"] == 1
