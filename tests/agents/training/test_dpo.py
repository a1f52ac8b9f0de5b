"""DPO on token ids: the loss, its gradient, and training."""

import pytest
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer

from agents.training.dpo import (
    Preference,
    PreferenceConfig,
    TokenDPOTrainer,
    dpo_config,
    own_ids,
    prefer,
)

PAIR = Preference([5, 6, 7], [8, 9, 10, 11, 12], [8, 13], [1, 0, 0, 1, 1], [1, 1])
PLAIN = Preference([5, 6], [8, 9], [8, 13, 14, 15])


def dpo_trainer(untrained, folder, preferences, **changes):
    """A trainer whose policy is not its reference."""
    policy, reference = (AutoModelForCausalLM.from_pretrained(untrained) for _ in range(2))
    torch.manual_seed(0)
    with torch.no_grad():
        for weight in policy.parameters():
            weight += 0.1 * torch.randn_like(weight)
    config = PreferenceConfig(batch_size=len(preferences), **changes)
    return TokenDPOTrainer(
        model=policy,
        ref_model=reference,
        args=dpo_config(config, folder, 0),
        train_dataset=Dataset.from_list([preference.row() for preference in preferences]),
        processing_class=AutoTokenizer.from_pretrained(untrained),
    )


def log_probs(model, context, continuation):
    """Log-probs of the ids of the continuation."""
    ids = torch.tensor([context + continuation])
    logs = model(input_ids=ids).logits.float().log_softmax(-1)[0, :-1]
    return logs.gather(1, ids[0, 1:, None])[-len(continuation) :, 0]


def by_hand(trainer, preference, beta):
    """The loss of one pair, from the definition."""
    score, row = 0.0, preference.row()
    for side, sign in (("chosen", 1), ("rejected", -1)):
        own = torch.tensor(row[f"{side}_mask"])
        for model, weight in ((trainer.model, 1), (trainer.ref_model, -1)):
            logs = log_probs(model, preference.prompt_ids, row[f"{side}_ids"])
            score = score + sign * weight * (logs * own).sum()
    return -torch.nn.functional.logsigmoid(beta * score)


def loss_of(trainer):
    (batch,) = trainer.get_train_dataloader()
    return trainer.compute_loss(trainer.model.eval(), batch)


@pytest.mark.parametrize("beta", [0.1, 0.5])
def test_the_loss_is_that_of_the_definition(untrained, tmp_path, beta):
    trainer = dpo_trainer(untrained, tmp_path, [PAIR, PLAIN], beta=beta)
    expected = (by_hand(trainer, PAIR, beta) + by_hand(trainer, PLAIN, beta)) / 2
    assert loss_of(trainer).item() == pytest.approx(expected.item(), abs=1e-5)


def test_the_loss_depends_on_the_masks(untrained, tmp_path):
    unmasked = Preference(PAIR.prompt_ids, PAIR.chosen_ids, PAIR.rejected_ids)
    losses = [loss_of(dpo_trainer(untrained, tmp_path, [pair])).item() for pair in (PAIR, unmasked)]
    assert losses[0] != pytest.approx(losses[1], abs=1e-3)


def test_the_gradient_is_that_of_the_definition(untrained, tmp_path):
    trainer = dpo_trainer(untrained, tmp_path, [PAIR])
    weights = list(trainer.model.parameters())
    gradients = torch.autograd.grad(loss_of(trainer), weights)
    expected = torch.autograd.grad(by_hand(trainer, PAIR, 0.1), weights)
    for gradient, other in zip(gradients, expected, strict=True):
        assert torch.allclose(gradient, other, atol=1e-5)


def test_nll_adds_the_mean_cross_entropy_of_the_chosen_ids(untrained, tmp_path):
    trainer = dpo_trainer(untrained, tmp_path, [PAIR], nll=0.5)
    own = torch.tensor(PAIR.chosen_mask)
    logs = log_probs(trainer.model, PAIR.prompt_ids, PAIR.chosen_ids)
    expected = by_hand(trainer, PAIR, 0.1) - 0.5 * (logs * own).sum() / own.sum()
    assert loss_of(trainer).item() == pytest.approx(expected.item(), abs=1e-5)


def test_masks_cover_prompts_and_put_chosen_rows_first():
    mask = own_ids([PAIR.row(), PLAIN.row()])
    assert mask.tolist() == [
        [0, 0, 0, 1, 0, 0, 1, 1],
        [0, 0, 1, 1, 0, 0, 0, 0],
        [0, 0, 0, 1, 1, 0, 0, 0],
        [0, 0, 1, 1, 1, 1, 0, 0],
    ]


def test_training_raises_the_chosen_continuation_over_the_rejected(untrained, tmp_path):
    def margin(folder):
        model = AutoModelForCausalLM.from_pretrained(folder)
        with torch.no_grad():
            chosen, rejected = (
                log_probs(model, PLAIN.prompt_ids, ids).sum().item()
                for ids in (PLAIN.chosen_ids, PLAIN.rejected_ids)
            )
        return chosen - rejected

    config = PreferenceConfig(epochs=4, batch_size=4, learning_rate=1e-3)
    final = prefer(untrained, tmp_path, [PLAIN] * 8, config)
    assert margin(final) > margin(untrained) + 0.5
