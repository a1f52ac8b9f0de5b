"""What the methods are measured against, and the benchmark that sets them side by side."""

import csv
import importlib.util
import json
import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import srenv
from agents.engines import Generation, Sampling
from agents.engines.metered import MeteredEngine
from agents.models.chat import ChatFormat
from agents.recipes import RECIPES, find_recipe, register_recipe
from agents.recipes.base import BASE, MAJORITY, RecipeConfig
from agents.recipes.baselines import pair_sft, plain_rl, prompting, star
from agents.recipes.baselines.pair_sft import PairSftConfig
from agents.recipes.baselines.plain_rl import PlainRlConfig
from agents.recipes.baselines.prompting import PromptingConfig
from agents.recipes.baselines.star import StarConfig
from agents.recipes.self_rewarding.recipe import WARM
from agents.training.policy_gradient import PolicyGradientConfig, grpo_config
from agents.training.sft import SftConfig
from srenv.commands.compare import find_reading
from srenv.conversation import Conversation, Rules
from srenv.episode import write_episodes
from srenv.metrics import measure
from tests.support import ScriptedEngine

ROOT = Path(__file__).parents[4]
COMMON = {"eval_n": 6, "max_new_tokens": 8, "report_to": "none"}
RULES = Rules(pair_sft.ASKED, 2)


def load(path):
    sys.path.insert(0, str(path.parent))  # its neighbours, as when it is run
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def problem(answer="1"):
    return srenv.Problem(f"p{answer}", "What?", answer, "test")


def played(*answers, rules=RULES):
    conversation = Conversation(problem(), rules)
    for answer in answers:
        conversation.step(f"\\boxed{{{answer}}}")
    return conversation.episode


def test_star_learns_right_attempts_of_mended_conversations():
    episodes = [played(2, 1), played(2, 1), played(2, 3), played(1, 2), played(1, 1), played(4, 1)]
    found = star.repairs(episodes, keep_right=False)
    assert [[t.answer for t in d.episode.turns] for d in found] == [["2", "1"], ["4", "1"]]
    assert all(d.targets == {(1, "attempt"), (1, "verdict")} for d in found)
    both = star.repairs(episodes, keep_right=True)
    assert [d.kind for d in both] == ["wrong, right", "right, right", "wrong, right"]
    assert both[1].targets == {(t, s) for t in (0, 1) for s in ("attempt", "verdict")}


def test_pair_sft_pairs_every_wrong_attempt_with_a_right_one():
    single = Rules(pair_sft.ASKED, 1)
    group = [played(a, rules=single) for a in (2, 1, 2, 3, "01")]
    pairs = pair_sft.paired(group, random.Random(0), keep_right=False)
    assert [d.episode.turns[0].answer for d in pairs] == ["2", "3"]
    assert all(d.episode.turns[1].correct for d in pairs)
    assert all(d.targets == {(1, "attempt"), (1, "verdict")} for d in pairs)
    assert len(pair_sft.paired(group, random.Random(0), keep_right=True)) == 4
    assert pair_sft.paired(group[:1], random.Random(0), keep_right=True) == []


def test_self_refine_goes_on_until_a_check_accepts(untrained):
    from transformers import AutoTokenizer

    class Script(ScriptedEngine):
        """One line after the other, whatever is asked."""

        def generate(self, prompts, sampling):
            self.prompts += [list(p) for p in prompts]
            encode = self.chat.tokenizer
            return [
                Generation([*encode(t)["input_ids"], encode.eos_token_id], [])
                for t in (self.lines.pop(0) for _ in prompts)
            ]

    chat = ChatFormat(AutoTokenizer.from_pretrained(untrained))
    lines = [
        "\\boxed{2}", "\\boxed{7}",  # attempts
        "[VERIFY] wrong", "[VERIFY] correct",  # checks
        "\\boxed{1}", "[VERIFY] correct",  # the first is tried again
    ]  # fmt: skip
    engine = Script(chat, [])
    engine.lines = list(lines)
    first, second = prompting.self_refine(engine, [problem(), problem("7")], Sampling(), 3, "")
    assert [t.correct for t in first.turns] == [False, True]
    assert [t.verdict for t in first.turns] == ["wrong", "correct"]
    assert [len(first.turns), len(second.turns), second.ending] == [2, 1, "declared"]
    written = sum(len(chat.tokenizer(line)["input_ids"]) + 1 for line in lines)
    assert sum(t.tokens for e in (first, second) for t in e.turns) == written


def test_the_meter_counts_what_is_generated(untrained):
    from transformers import AutoTokenizer

    chat = ChatFormat(AutoTokenizer.from_pretrained(untrained))
    engine = MeteredEngine(ScriptedEngine(chat, [["\\boxed{1}"], ["no"]]))
    generations = engine.generate([[1], [2]], Sampling())
    assert engine.generated == sum(len(g.ids) for g in generations) > 0


@pytest.mark.slow
def test_prompting_runs_through(untrained, tmp_path):
    metrics = prompting.train(PromptingConfig(untrained, output=tmp_path / "run", **COMMON))
    assert list(metrics)[-2:] == ["base, told the truth (oracle)", "base, Self-Refine"]
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["spent"] == {"generated": 0, "trained": 0}


@pytest.mark.slow
def test_told_the_truth_nothing_right_is_spoiled(tmp_path):
    config = PromptingConfig(output=tmp_path, **{**COMMON, "eval_n": 40})
    metrics = prompting.train(config)["base, told the truth (oracle)"]
    assert metrics["delta_ci"].value == 0
    assert metrics["delta"].value == metrics["delta_ic"].value > 0
    assert 1 < metrics["turns"].value < 2


@pytest.mark.slow
def test_pair_sft_runs_through(tmp_path):
    config = PairSftConfig(
        output=tmp_path, sampled=20, samples=6, keep_right=True, sft=SftConfig(epochs=1), **COMMON
    )
    metrics = pair_sft.train(config)
    assert list(metrics)[-1] == "after SFT"
    assert metrics["after SFT"]["turns"].value == 2
    kinds = json.loads((tmp_path / "pairs" / "done.json").read_text())["demonstrations"]
    assert set(kinds) <= {"wrong, right", "right, right"}


@pytest.mark.slow
def test_star_runs_through(tmp_path):
    config = StarConfig(
        output=tmp_path / "run", iterations=2, sampled=40, samples=3, keep_right=True,
        sft=SftConfig(epochs=1), **COMMON,
    )  # fmt: skip
    metrics = star.train(config)
    assert list(metrics)[-2:] == ["iteration 1", "iteration 2"]
    spent = json.loads((tmp_path / "run" / "summary.json").read_text())["spent"]
    # Two rounds of 120 conversations of two attempts, five tokens each or a little more.
    assert 2400 <= spent["generated"] <= 3600
    assert spent["trained"] > 0


FEW = PolicyGradientConfig(
    steps=2, problems_per_step=2, group_size=4, micro_batch=8, max_new_tokens=6, save_every=1
)


@pytest.mark.slow
def test_a_resumed_run_has_spent_the_same_tokens(untrained, tmp_path):
    config = PlainRlConfig(untrained, output=tmp_path / "run", pg=FEW, **COMMON)
    plain_rl.train(config)
    summary = tmp_path / "run" / "summary.json"
    spent = json.loads(summary.read_text())["spent"]
    # 2 steps, 8 episodes, 2 attempts; an untrained model mostly writes to the limit, 6 tokens.
    assert 160 <= spent["generated"] <= 2 * 8 * 2 * 6
    assert spent["trained"] > spent["generated"]
    for stage in ("rl", "evaluate_rl"):
        (tmp_path / "run" / stage / "done.json").unlink()
    newest = tmp_path / "run" / "rl" / "checkpoint-2"
    newest.rename(newest.with_name("gone"))
    plain_rl.train(replace(config, resume=True))
    assert json.loads(summary.read_text())["spent"] == spent


@pytest.mark.slow
def test_single_turn_rl_trains_and_answers_in_one_turn(untrained, tmp_path):
    config = PlainRlConfig(untrained, output=tmp_path / "run", max_attempts=1, pg=FEW, **COMMON)
    metrics = plain_rl.train(config)["after RL"]
    assert metrics["turns"].value == 1
    assert metrics["delta"].value == 0
    spent = json.loads((tmp_path / "run" / "summary.json").read_text())["spent"]
    assert spent["generated"] <= 2 * 8 * 6


def test_recipes_are_found_by_name_and_by_path():
    assert find_recipe("star") == (star.train, StarConfig)
    assert find_recipe("agents.recipes.baselines.star:train") == (star.train, StarConfig)
    assert all(issubclass(find_recipe(name)[1], RecipeConfig) for name in RECIPES)
    with pytest.raises(ValueError, match="Did you mean 'star'"):
        find_recipe("starr")
    with pytest.raises(ValueError, match="one annotated dataclass"):
        find_recipe("agents.recipes.baselines.star:repairs")


def test_an_example_of_a_recipe_of_your_own(tmp_path):
    own = load(ROOT / "examples" / "custom_recipe.py")
    config = own.Config(output=tmp_path, sampled=60, sft=SftConfig(epochs=1), **COMMON)
    assert list(own.train(config))[-1] == "after SFT"


def test_the_options_of_every_method_fit_its_recipe(tmp_path):
    methods = load(ROOT / "benchmarks" / "methods.py")
    assert set(methods.CORE) < set(methods.METHODS)
    for method in methods.METHODS.values():
        config = find_recipe(method.recipe)[1](**method.options)
        for stage in ("pg", "stage1", "stage2"):
            options = getattr(config, stage, None)
            if isinstance(options, PolicyGradientConfig):
                grpo_config(options, tmp_path, 0)
        if hasattr(config, "reward"):
            srenv.make_reward(config.reward)


def finished_run(folder, title, **firsts):
    """A run of self-rewarding correction: rows whose first attempts are right or wrong as given.

    Every wrong first attempt is mended.
    """
    single = Rules(srenv.Protocol(), 2)
    rows = {}
    for name, right in firsts.items():
        episodes = []
        for index, correct in enumerate(right):
            asked = srenv.Problem(f"p{index}", "What?", "1", "test")
            conversation = Conversation(asked, single)
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


@pytest.mark.parametrize(("wide", "local"), [(False, True), (True, False)])
def test_the_benchmark_says_whether_the_final_bonus_was_hacked(tmp_path, wide, local):
    methods = load(ROOT / "benchmarks" / "methods.py")
    names = {name: methods.METHODS[name] for name in ("final_bonus", "final_bonus_local")}
    assert [m.options["pg"].turn_discount for m in names.values()] == [1.0, 0.0]
    assert names["final_bonus"].options["reward"] == names["final_bonus_local"].options["reward"]
    warm = [True] * 20 + [False] * 20
    runs = {
        method.title: [
            finished_run(tmp_path / name, "after", warm=warm, trained=warm if honest else [0] * 40)
        ]
        for (name, method), honest in zip(names.items(), (wide, local), strict=True)
    }
    data = {title: find_reading(str(folder)).outcomes() for title, (folder,) in runs.items()}
    lines = methods.claims(data, {title: measure(row) for title, row in data.items()}, runs)
    holds = {line.split(" | ")[0][2:]: line.rstrip(" |").split(" | ")[-1] for line in lines[2:]}
    (hacked,) = (holds[text] for text in holds if "is hacked" in text)
    (kept,) = (holds[text] for text in holds if "is not hacked" in text)
    (over,) = (holds[text] for text in holds if text.startswith("Acc@t1 of"))
    assert hacked == ("NO" if wide else "yes")
    assert kept == over == ("yes" if local else "NO")


def few(config: PlainRlConfig):
    """A recipe that somebody registers."""
    return plain_rl.train(replace(config, pg=FEW, max_new_tokens=8))


@pytest.mark.slow
def test_the_benchmark_grows_and_goes_on(untrained, tmp_path, capsys, monkeypatch):
    methods = load(ROOT / "benchmarks" / "methods.py")
    monkeypatch.setattr("agents.recipes.RECIPES", dict(RECIPES))
    register_recipe("few", few)
    config = methods.Config(
        methods=("few", "prompting"), seeds=(3,), eval_n=6, model=untrained,
        runs=tmp_path / "runs", output=tmp_path / "out",
    )  # fmt: skip
    prompting = methods.Method("Self-Refine", "prompting", {"max_new_tokens": 8})
    monkeypatch.setitem(methods.METHODS, "prompting", prompting)
    methods.main(config)
    capsys.readouterr()
    config = replace(config, seeds=(3, 4))
    methods.main(config)
    assert "done before: rl" in capsys.readouterr().out
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
