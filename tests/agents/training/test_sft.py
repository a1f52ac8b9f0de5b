"""Imitation: what is learned of a demonstration, files, and the weighted loss."""

import pytest
import torch
from transformers import TrainerCallback

from agents.models.chat import IGNORE, ChatFormat
from agents.training.sft import (
    SftConfig,
    WeightedSFTTrainer,
    fine_tune,
    read_demonstrations,
    tokenize,
    weighted_loss,
    whole_turns,
    write_demonstrations,
)
from srenv.domains.math import MATH
from srenv.protocol import PROTOCOLS
from tests.support.demonstrations import learned_text, made_demonstration

WRONG, RIGHT = "\\boxed{4}\n2*4=8\n[VERIFY] wrong", "\\boxed{3}\n2*3=6\n[VERIFY] correct"


@pytest.fixture(scope="module")
def chat(untrained):
    return ChatFormat.load(untrained)


@pytest.fixture
def three():
    """Demonstrations of one and of two turns, with different targets and weights."""
    return [
        made_demonstration([WRONG, RIGHT], {(0, "verdict"), *whole_turns(1)}, "D1", 2.0, 1),
        made_demonstration([WRONG, RIGHT], whole_turns(1), "D2", 1.0, 2),
        made_demonstration([RIGHT], whole_turns(0), "D3", 0.5, 3),
    ]


@pytest.fixture
def unweighted(three):
    return [made_demonstration([turn.text for turn in d.episode.turns], d.targets) for d in three]


@pytest.mark.parametrize(
    ("targets", "text"),
    [
        ({(0, "attempt")}, "\\boxed{4}"),
        ({(0, "verdict")}, "\n2*4=8\n[VERIFY] wrong<|end|>"),
        (whole_turns(1), f"{RIGHT}<|end|>"),
        (whole_turns(0, 1), f"{WRONG}<|end|>{RIGHT}<|end|>"),
        ({(0, "verdict"), (1, "attempt")}, "\n2*4=8\n[VERIFY] wrong<|end|>\\boxed{3}"),
    ],
)
def test_labels_are_on_the_targets_only(chat, targets, text):
    assert learned_text(made_demonstration([WRONG, RIGHT], targets), chat) == text


def test_ids_have_the_layout_of_a_rollout(chat):
    demonstration = made_demonstration([WRONG, RIGHT], whole_turns(1))
    default = PROTOCOLS["default"].worded(MATH)
    assert chat.tokenizer.decode(tokenize(demonstration, chat)[0]["input_ids"]) == (
        f"<|user|>{demonstration.episode.problem.prompt}\n{default.instruction}<|end|>"
        f"<|assistant|>{WRONG}<|end|><|user|>{default.retry}<|end|><|assistant|>{RIGHT}<|end|>"
    )


def test_a_file_keeps_demonstrations(tmp_path, three):
    write_demonstrations(tmp_path / "d.jsonl", three)
    assert read_demonstrations(tmp_path / "d.jsonl") == three


def test_fine_tuning_lowers_the_loss(untrained, tmp_path, unweighted):
    losses = []

    class Listen(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **_):
            losses.extend([logs["loss"]] if "loss" in logs else [])

    final = fine_tune(
        untrained,
        tmp_path,
        unweighted * 8,
        SftConfig(epochs=20, batch_size=8, learning_rate=1e-2),
        callbacks=[Listen()],
    )
    assert losses[-1] < 0.2 * losses[0]
    assert (final / "tokenizer.json").exists()


def test_the_weighted_loss_is_the_mean_of_weighted_row_means():
    torch.manual_seed(0)
    logits = torch.randn(2, 4, 5)
    labels = torch.tensor([[IGNORE, IGNORE, 3, IGNORE], [IGNORE, 1, 2, 4]])
    logs = torch.log_softmax(logits, -1)
    first = -logs[0, 1, 3]
    second = -(logs[1, 0, 1] + logs[1, 1, 2] + logs[1, 2, 4]) / 3
    loss = weighted_loss(logits, labels, torch.tensor([12.0, 0.5]))
    assert torch.allclose(loss, (12.0 * first + 0.5 * second) / 2)


def test_a_row_without_labels_adds_nothing_to_the_weighted_loss():
    labels = torch.full((2, 4), IGNORE)
    assert weighted_loss(torch.randn(2, 4, 5), labels, torch.tensor([12.0, 0.5])).item() == 0.0


def test_each_row_reaches_the_loss_with_its_weight(untrained, chat, tmp_path, monkeypatch, three):
    batches = []

    def spy(logits, labels, weights):
        batches.append((labels.clone(), weights.clone()))
        return weighted_loss(logits, labels, weights)

    monkeypatch.setattr("agents.training.sft.weighted_loss", spy)
    fine_tune(untrained, tmp_path, three, SftConfig(epochs=1, batch_size=3))
    ((labels, weights),) = batches
    rows = zip(labels.tolist(), weights.tolist(), strict=True)
    expected = [(tokenize(item, chat)[0]["labels"], item.weight) for item in three]

    def without_padding(rows):
        return sorted(([i for i in row if i != IGNORE], weight) for row, weight in rows)

    assert without_padding(rows) == without_padding(expected)


def test_demonstrations_without_weights_are_trained_by_trl(
    untrained, tmp_path, monkeypatch, unweighted
):
    monkeypatch.setattr(WeightedSFTTrainer, "compute_loss", lambda *_, **__: pytest.fail("used"))
    assert fine_tune(untrained, tmp_path, unweighted, SftConfig(epochs=1, batch_size=3)).exists()
