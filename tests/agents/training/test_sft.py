import pytest
import torch

from agents.models.chat import IGNORE, ChatFormat
from agents.recipes.self_rewarding.rejection import (
    Pieces,
    RejectionConfig,
    _select,
    count_kinds,
    glue,
    sample_demonstrations,
)
from agents.rollouts.environments import with_tool
from agents.training.sft import (
    Demonstration,
    SftConfig,
    WeightedSFTTrainer,
    fine_tune,
    read_demonstrations,
    tokenise,
    weighted_loss,
    write_demonstrations,
)
from srenv.domains.maths import MATHS
from srenv.episode import Problem
from srenv.protocol import EVALUATE, PROTOCOLS, Protocol

CHECK_RIGHT, CHECK_WRONG = "2*3=6\n[VERIFY] correct", "2*4=8\n[VERIFY] wrong"


def problem(index):
    return Problem(str(index), f"Solve 2x+{index}={6 + index} for x.", "3", "test")


@pytest.fixture(scope="module")
def chat(untrained):
    from transformers import AutoTokenizer

    return ChatFormat(AutoTokenizer.from_pretrained(untrained))


def samples():
    import random

    wrong = Pieces(problem(1), "\\boxed{4}", False, CHECK_WRONG, None, "\\boxed{3}", CHECK_RIGHT)
    kept = Pieces(
        problem(2), "\\boxed{3}", True, CHECK_RIGHT, CHECK_WRONG, "\\boxed{3}", CHECK_RIGHT
    )
    right = Pieces(problem(3), "\\boxed{3}", True, CHECK_RIGHT)
    config = RejectionConfig(right_to_wrong=2.0, confirmed_share=0.5)
    return {
        d.kind: d
        for d in _select([wrong, kept, right], config, random.Random(0), PROTOCOLS["default"])
    }


def learned(demonstration, chat):
    """The text under the labels, in order."""
    row = tokenise(demonstration, chat)
    assert len(row["input_ids"]) == len(row["labels"])
    assert all(
        label in (IGNORE, i) for i, label in zip(row["input_ids"], row["labels"], strict=True)
    )
    return chat.tokenizer.decode([label for label in row["labels"] if label != IGNORE])


def test_the_three_sets_and_their_masks(chat):
    sets = samples()
    # D1: the verdict that finds the error, and the revision. The wrong attempt is never learned.
    assert learned(sets["D1"], chat) == (
        f"\n{CHECK_WRONG}<|end|>\\boxed{{3}}\n{CHECK_RIGHT}<|end|>"
    )
    # D2: the revision alone. The misjudgement before it is context.
    assert learned(sets["D2"], chat) == f"\\boxed{{3}}\n{CHECK_RIGHT}<|end|>"
    # D3: the verdict that accepts, and the right attempt as a stabiliser.
    assert learned(sets["D3"], chat) == f"\\boxed{{3}}\n{CHECK_RIGHT}<|end|>"


def test_the_layout_is_the_rollouts(chat):
    row = tokenise(samples()["D1"], chat)
    text = chat.tokenizer.decode(row["input_ids"])
    default = PROTOCOLS["default"].worded(MATHS)
    assert text == (
        f"<|user|>{problem(1).prompt}\n{default.instruction}<|end|>"
        f"<|assistant|>\\boxed{{4}}\n{CHECK_WRONG}<|end|>"
        f"<|user|>{default.retry}<|end|>"
        f"<|assistant|>\\boxed{{3}}\n{CHECK_RIGHT}<|end|>"
    )


def test_the_mix_is_kept():
    import random

    def make(correct, n):
        attempt = "\\boxed{3}" if correct else "\\boxed{4}"
        check = CHECK_RIGHT if correct else CHECK_WRONG
        return [
            Pieces(problem(i), attempt, correct, check, None, "\\boxed{3}", CHECK_RIGHT)
            for i in range(n)
        ]

    config = RejectionConfig(right_to_wrong=1.0, confirmed_share=0.25)
    kept = _select(
        make(False, 40) + make(True, 500), config, random.Random(0), PROTOCOLS["default"]
    )
    assert count_kinds(kept) == {"D1": 40, "D2": 10, "D3": 30}
    assert len({id(d.episode.problem) for d in kept}) == 80  # one per attempt


class Teller:
    """An engine whose replies depend on what it is asked, to follow the sampling step by step."""

    def __init__(self, chat):
        self.chat = chat
        self.asked = {"attempt": 0, "evaluate": 0, "revise": 0}

    def generate(self, prompts, sampling):
        from agents.engines import Generation

        replies = []
        for number, prompt in enumerate(prompts):
            text = self.chat.tokenizer.decode(prompt)
            if text.endswith(f"{EVALUATE}<|end|><|assistant|>"):
                self.asked["evaluate"] += 1
                right = text.rpartition("\\boxed{")[2].startswith("3")
                honest = CHECK_RIGHT if right else CHECK_WRONG
                lying = CHECK_WRONG if right else CHECK_RIGHT
                two = "[VERIFY] correct\n[VERIFY] wrong"
                reply = (honest, lying, two, "hm")[number % 4]
            elif text.endswith(f"{Protocol().worded(MATHS).reveal}<|end|><|assistant|>"):
                self.asked["revise"] += 1
                reply = ("\\boxed{3}", "\\boxed{5}")[number % 2]
            else:
                self.asked["attempt"] += 1
                reply = ("\\boxed{3}", "\\boxed{4}", "no box")[number % 3]
            replies.append(Generation([*self.chat.tokenizer(reply)["input_ids"]], []))
        return replies


class NoBar:
    def advance(self, amount=1):
        pass


def test_sequential_rejection_sampling_step_by_step(chat):
    teller = Teller(chat)
    config = RejectionConfig(attempts=3, evaluations=4, corrections=2, confirmations=2)
    kept = sample_demonstrations(teller, [problem(i) for i in range(5)], config, NoBar())
    # 5 problems x 3 attempts, of which the unboxed ones are dropped; 10 attempts are evaluated 4
    # times each; 5 wrong ones are corrected and 5 right ones confirmed twice each.
    assert teller.asked == {"attempt": 15, "evaluate": 10 * 4 + 10 * 4, "revise": 10 + 10}
    assert count_kinds(kept) == {"D1": 5, "D2": 1, "D3": 4}
    for item in kept:
        first = item.episode.turns[0]
        assert first.correct == (item.kind != "D1")
        assert item.episode.final.correct
        assert item.episode.final.verdict == "correct"
        assert all(turn.malformed == "" for turn in item.episode.turns)
        if item.kind == "D2":
            assert first.verdict == "wrong"


def test_demonstrations_are_asked_for_as_the_trained_model_will_be(chat):
    asked = with_tool(PROTOCOLS["default"], "calculator")
    config = RejectionConfig(attempts=3, evaluations=4, corrections=2, confirmations=2)
    kept = sample_demonstrations(
        Teller(chat), [problem(i) for i in range(5)], config, NoBar(), 0, asked
    )
    assert kept
    assert all(
        d.episode.messages[0]["content"].endswith(asked.worded(MATHS).instruction) for d in kept
    )


def test_demonstrations_speak_the_words_of_their_protocol(chat):
    asked = PROTOCOLS["yes_no"]
    config = RejectionConfig(attempts=3, evaluations=4, corrections=2, confirmations=2)

    def sample(protocol):
        return sample_demonstrations(
            Teller(chat), [problem(i) for i in range(5)], config, NoBar(), 0, protocol
        )

    marked, kept = sample(PROTOCOLS["default"]), sample(asked)
    # The same pieces are asked for and kept; only the words differ.
    assert [d.kind for d in kept] == [d.kind for d in marked]
    assert [d.targets for d in kept] == [d.targets for d in marked]
    for item in kept:
        episode = item.episode
        assert "[VERIFY]" not in "".join(m["content"] for m in episode.messages)
        assert all(turn.malformed == "" for turn in episode.turns)
        assert episode.ending == "declared"
        if item.kind != "D3":
            assert episode.turns[0].text.endswith(f"{asked.question} No.")
            assert episode.messages[2]["content"] == asked.reveal
        assert episode.final.text.endswith(f"{asked.question} Yes.")


def test_glued_parts_make_one_turn():
    assert (
        glue("  \\boxed{3}\n", "\nfine\n[VERIFY] correct ") == "\\boxed{3}\nfine\n[VERIFY] correct"
    )


def test_keeping_nothing_says_how_far_the_pieces_came(chat):
    class Mute(Teller):
        def generate(self, prompts, sampling):
            return [type(g)([7], []) for g in super().generate(prompts, sampling)]

    class NoBar:
        def advance(self, amount=1):
            pass

    with pytest.raises(RuntimeError, match="kept nothing of 0 attempts"):
        sample_demonstrations(Mute(chat), [problem(0)], RejectionConfig(), NoBar())


def test_demonstrations_survive_a_file(tmp_path):
    items = list(samples().values())
    write_demonstrations(tmp_path / "d.jsonl", items)
    assert read_demonstrations(tmp_path / "d.jsonl") == items


def test_fine_tuning_learns_the_targets(untrained, tmp_path):
    items = list(samples().values()) * 8
    losses = []

    from transformers import TrainerCallback

    class Listen(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **_):
            losses.extend([logs["loss"]] if "loss" in logs else [])

    final = fine_tune(
        untrained,
        tmp_path,
        items,
        SftConfig(epochs=20, batch_size=8, learning_rate=1e-2),
        callbacks=[Listen()],
    )
    assert losses[-1] < 0.2 * losses[0]
    assert (final / "tokenizer.json").exists()


def test_the_weighted_loss_by_hand():
    torch.manual_seed(0)
    logits = torch.randn(2, 4, 5)
    labels = torch.tensor([[IGNORE, IGNORE, 3, IGNORE], [IGNORE, 1, 2, 4]])
    logs = torch.log_softmax(logits, -1)
    first = -logs[0, 1, 3]
    second = -(logs[1, 0, 1] + logs[1, 1, 2] + logs[1, 2, 4]) / 3
    weights = torch.tensor([12.0, 0.5])
    expected = (12.0 * first + 0.5 * second) / 2
    assert torch.allclose(weighted_loss(logits, labels, weights), expected)
    # A row without targets adds nothing, and is no division by zero.
    none = torch.full((2, 4), IGNORE)
    assert weighted_loss(logits, none, weights).item() == 0.0


def test_weights_reach_the_loss_and_survive_a_file(untrained, tmp_path, monkeypatch):
    from dataclasses import replace

    sets = [replace(d, weight=w) for d, w in zip(samples().values(), (2.0, 1.0, 0.5), strict=False)]
    path = tmp_path / "data.jsonl"
    write_demonstrations(path, sets)
    assert read_demonstrations(path) == sets
    seen = []

    def spy(logits, labels, weights):
        seen.append((labels.clone(), weights.clone()))
        return weighted_loss(logits, labels, weights)

    monkeypatch.setattr("agents.training.sft.weighted_loss", spy)
    fine_tune(untrained, tmp_path / "run", sets, SftConfig(epochs=1, batch_size=3))
    ((labels, weights),) = seen
    expected = [(tokenise(d, chat_of(untrained))["labels"], d.weight) for d in sets]
    got = [(row.tolist(), weight.item()) for row, weight in zip(labels, weights, strict=True)]

    def learned(rows):
        return sorted(([i for i in row if i != IGNORE], weight) for row, weight in rows)

    assert learned(got) == learned(expected)


def chat_of(folder):
    from transformers import AutoTokenizer

    return ChatFormat(AutoTokenizer.from_pretrained(folder))


def test_equal_weights_need_no_trainer_of_our_own(untrained, tmp_path, monkeypatch):
    monkeypatch.setattr(WeightedSFTTrainer, "compute_loss", lambda *_, **__: pytest.fail("used"))
    found = [d for d in samples().values() if isinstance(d, Demonstration)]
    assert fine_tune(untrained, tmp_path, found, SftConfig(epochs=1, batch_size=2)).exists()
