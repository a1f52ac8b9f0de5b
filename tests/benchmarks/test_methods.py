"""The benchmark of methods: its options, its claims, and how a report grows."""

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import srenv
from agents.recipes import RECIPES, find_recipe, register_recipe
from agents.recipes.base import BASE, MAJORITY
from agents.recipes.baselines import plain_rl
from agents.recipes.baselines.plain_rl import PlainRlConfig
from agents.recipes.self_rewarding.recipe import WARM
from agents.training.policy_gradient import PolicyGradientConfig, grpo_config
from srenv.commands.readings import find_reading
from srenv.conversation import Conversation, Rules
from srenv.episode import Problem, write_episodes
from srenv.metrics import Estimate
from tests.support.recipes import FEW_STEPS

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import methods
import methods_findings
from methods_findings import FINDINGS


def test_the_core_is_a_part_of_the_methods():
    assert set(methods.CORE) < set(methods.METHODS)


@pytest.mark.parametrize("name", methods.METHODS)
def test_the_options_of_every_method_fit_its_recipe(name, tmp_path):
    method = methods.METHODS[name]
    config = find_recipe(method.recipe)[1](**method.options)
    for stage in ("pg", "stage1", "stage2"):
        options = getattr(config, stage, None)
        if isinstance(options, PolicyGradientConfig):
            grpo_config(options, tmp_path, 0)
    if hasattr(config, "reward"):
        srenv.make_reward(config.reward)


def finished_run(folder, title, **firsts):
    """Writes a run of self-rewarding correction and returns its folder.

    First attempts are right or wrong as `firsts` says by row; wrong ones are corrected.
    """
    rules = Rules(srenv.Protocol(), 2)
    rows = {}
    for name, right in firsts.items():
        episodes = []
        for index, correct in enumerate(right):
            conversation = Conversation(Problem(f"p{index}", "What?", "1", "test"), rules)
            if not correct:
                conversation.step("\\boxed{2}\n[VERIFY] wrong")
            conversation.step("\\boxed{1}\n[VERIFY] correct")
            for turn in conversation.episode.turns:
                turn.tokens = 5
            episodes.append(conversation.episode)
        write_episodes(folder / f"{name}.jsonl", episodes)
        rows[name] = [f"{name}.jsonl", "final"]
    rows[title], rows[WARM], rows[MAJORITY] = rows["trained"], rows["warm"], rows["warm"]
    summary = {"result": title, "episodes": rows}
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def test_credit_alone_distinguishes_the_two_rows_of_the_final_bonus():
    wide, local = (methods.METHODS[name].options for name in ("final_bonus", "final_bonus_local"))
    assert wide["pg"] == PolicyGradientConfig(turn_discount=1.0)
    assert local["pg"] == PolicyGradientConfig(turn_discount=0.0)
    assert wide["reward"] == local["reward"]


@pytest.mark.parametrize(("wide", "local"), [(False, True), (True, False)])
def test_a_claim_says_whether_the_final_bonus_was_hacked(tmp_path, wide, local):
    """`wide` and `local` say which credit left the first attempts as they were."""
    warm = [True] * 20 + [False] * 20
    runs = {
        name: [
            finished_run(tmp_path / name, "after", warm=warm, trained=warm if honest else [0] * 40)
        ]
        for name, honest in (("final_bonus", wide), ("final_bonus_local", local))
    }
    told = table(methods.claims(runs))
    (hacked,) = (holds for text, holds in told.items() if "is gamed" in text)
    assert hacked == ("NO" if wide else "yes")
    assert told["under turn-local credit they do not get worse"] == ("yes" if local else "NO")


def table(lines):
    """Whether each finding of a table holds, by its text."""
    cells = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
    return {text: holds for text, *_, holds in cells[1:]}


@pytest.mark.parametrize("finding", FINDINGS, ids=lambda finding: finding.text)
def test_every_finding_is_about_rows_of_the_benchmark(finding):
    for row in (finding.row, finding.over):
        assert row is None or row.method in methods.METHODS
    assert (finding.above is None) != (finding.below is None)


def test_a_finding_holds_by_its_interval_or_by_its_estimate():
    row = methods_findings.Row("score")
    estimate = Estimate(0.05, -0.01, 0.11)
    surely = methods_findings.Finding("", row, "delta", above=0)
    assert not surely.holds(estimate)
    assert replace(surely, surely=False).holds(estimate)
    assert not replace(surely, surely=False, above=6).holds(estimate)
    assert replace(surely, above=None, below=12).holds(estimate)


def test_common_stages_are_linked_if_they_are_finished(tmp_path):
    config = methods.Config(runs=tmp_path)
    source = methods.folder(config, "score", 0)
    for stage in ("evaluate_base", "stage1", "evaluate_stage1"):
        (source / stage).mkdir(parents=True)
        (source / stage / "done.json").write_text("{}")
    (source / "stage2").mkdir()  # not finished, and not common either
    (source / "episodes_base.jsonl").write_text("")
    methods.share(config, "score_no_bonus", 0)
    linked = {path.name for path in methods.folder(config, "score_no_bonus", 0).iterdir()}
    assert linked == {"evaluate_base", "episodes_base.jsonl", "stage1", "evaluate_stage1"}
    methods.share(config, "star", 0)
    linked = {path.name for path in methods.folder(config, "star", 0).iterdir()}
    assert linked == {"evaluate_base", "episodes_base.jsonl"}


def few(config: PlainRlConfig):
    """A recipe that somebody registers."""
    return plain_rl.train(replace(config, pg=FEW_STEPS, max_new_tokens=8))


@pytest.mark.slow
def test_a_report_grows_by_seeds_without_repeating_runs(untrained, tmp_path, monkeypatch):
    monkeypatch.setattr("agents.recipes.RECIPES", dict(RECIPES))
    register_recipe("few", few)
    config = methods.Config(
        methods=("few", "prompting"), seeds=(3,), eval_n=6, model=untrained,
        runs=tmp_path / "runs", output=tmp_path / "out",
    )  # fmt: skip
    prompting = methods.Method("Self-Refine", "prompting", {"max_new_tokens": 8})
    monkeypatch.setitem(methods.METHODS, "prompting", prompting)
    methods.main(config)
    summaries = [tmp_path / "runs" / name / "seed3" / "summary.json" for name in config.methods]
    before = [path.stat().st_mtime_ns for path in summaries]
    config = replace(config, seeds=(3, 4))
    methods.main(config)
    assert [path.stat().st_mtime_ns for path in summaries] == before
    page = (tmp_path / "out" / "methods.md").read_text()
    assert "seeds 3, 4 pooled" in page
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0] for row in rows[:6]] == [
        "| method", "| base", "| base, told to revise", "| base, maj@k", "| few", "| Self-Refine",
    ]  # fmt: skip
    with (tmp_path / "out" / "methods.csv").open() as file:
        cells = list(csv.DictReader(file))
    assert {c["seed"] for c in cells} == {"3", "4", "pooled"}
    assert {c["value"] for c in cells if c["metric"] == "n" and c["seed"] == "pooled"} == {"12"}
    assert (tmp_path / "out" / "methods.png").stat().st_size > 10_000
    base = find_reading(f"{tmp_path / 'runs' / 'few' / 'seed4'}:{BASE}").outcomes()
    assert len(base.final) == 6
