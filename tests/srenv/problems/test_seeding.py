"""Seeds by hashing."""

from __future__ import annotations

from srenv.problems.seeding import hashed_seed, split_of


def test_parts_of_a_seed_do_not_run_together() -> None:
    assert hashed_seed("a", 1, 11) != hashed_seed("a", 11, 1) != hashed_seed("a1", 1, 1)


def test_one_prompt_in_eight_is_for_evaluation() -> None:
    shares = [split_of(f"prompt {n}") == "eval" for n in range(4000)]
    assert 0.1 < sum(shares) / len(shares) < 0.15
