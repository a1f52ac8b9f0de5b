"""Nothing that a run's file or a server says is imported or run: every field that agents read.

The fields of episodes, rows and summaries are in ``tests/srenv/test_untrusted_data.py``. Here:

``config.json`` (`--resume`)
    Compared with the options that were given, and used for nothing else.
``done.json`` (a stage's result)
    `model`: the name of a folder in the stage's own folder; what else it says is dropped. Models
    are loaded as safetensors, without code of their own. `generated`, `trained`, `seconds`, counts:
    numbers. `demonstrations`, `pairs`: counts by kind.
``metrics.json`` (`evaluate --resume`)
    `rows`: numbers by name. `config.model`: shown as plain text, without markup.
``*.partial.jsonl``, ``demonstrations.jsonl``, ``pairs.jsonl``, ``pairs.json``, ``held_out.json``,
``attempts.json``
    Episodes as above; turns and segments that are there; token ids; texts by problem id.
``model.safetensors.index.json`` (averages)
    Names of files in the model's folder; their folders are dropped.
``--cold-start-file``
    `problem`, `solution`: text.
``run_id``
    Text for the tracker.
a server's ``/models``
    `id`: compared with the option and sent back. `root`: the folder or hub id of a tokenizer, which
    is loaded without code of its own; a tokenizer with other ids than the server's is refused.
    Without one the server is spoken to in text.
a server's answers
    `token_ids` and `token_logprobs`: integers in range and finite numbers, as many of one as of the
    other. `content`: text. `usage`: a number. Errors are shown, in part.
"""

import json
import time

import pytest

from agents.engines import Sampling
from agents.engines.server import ServerEngine, ServerError, ServerOptions
from agents.evaluate import EvaluateConfig, evaluate
from agents.models.averaging import average
from agents.models.chat import ChatFormat
from agents.models.paths import model_path
from agents.recipes.base import trained_model
from agents.recipes.cold_start import read_solutions, worked_episode
from agents.recipes.process.judge import read_questions
from agents.recipes.self_rewarding.pairs import read_pairs
from agents.rollouts.episode_log import EpisodeLog
from agents.runs.run import Run
from agents.runs.tables import print_table
from agents.training.sft import (
    Demonstration,
    read_demonstrations,
    whole_turns,
    write_demonstrations,
)
from srenv.episode import Problem
from srenv.metrics import Estimate
from srenv.metrics.tables import metrics_from_json
from tests.support.canary import NAME, canary, imported
from tests.support.episodes import made_episode, made_turn
from tests.support.server import fake_servers

__all__ = ["canary"]


@pytest.fixture
def serve(untrained):
    with fake_servers(untrained) as start:
        yield start


# --- files of a run -------------------------------------------------------------------------------


def stage_with(tmp_path, result):
    folder = tmp_path / "run"
    stage = Run(folder, EvaluateConfig(), resume=False).stage("warmup")
    (folder / "warmup" / "done.json").write_text(result)
    stage.todo = False
    return stage


@pytest.mark.parametrize("name", ["{folder}/elsewhere/final", "../../final", "hub/final", "final"])
def test_the_model_of_a_stage_is_in_its_folder(tmp_path, name):
    stage = stage_with(tmp_path, json.dumps({"model": name.format(folder=tmp_path)}))
    assert trained_model(stage) == stage.folder / "final"


@pytest.mark.parametrize("model", ["someone/a-model", 5, None])
def test_a_model_that_is_not_there_is_not_looked_for_elsewhere(tmp_path, model):
    folder = trained_model(stage_with(tmp_path, json.dumps({"model": model})))
    with pytest.raises(FileNotFoundError, match="no folder"):
        model_path(folder)


def test_the_result_of_a_stage_is_an_object(tmp_path):
    with pytest.raises(ValueError, match="does not hold what was written there"):
        _ = stage_with(tmp_path, "[]").result


@pytest.mark.parametrize("text", ["[]", "{", '{"seed": "x"}'])
def test_a_configuration_is_compared_alone(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(ValueError, match=r"config\.json"):
        Run(tmp_path, EvaluateConfig(), resume=True)


def test_metrics_are_numbers():
    number = {"value": 1, "low": None, "high": 2.0}
    assert metrics_from_json({"n": number})["n"].value == 1
    for record in ({"n": {**number, "low": "1"}}, {"n": 1}, [number]):
        with pytest.raises(ValueError, match="metrics are numbers"):
            metrics_from_json(record)


def test_names_in_a_table_are_plain_text(capsys):
    from rich.console import Console

    row = {"n": Estimate(1, 1, 1)}
    print_table(Console(width=100), {"[/bold] row": row}, "[/] a [link=x]model")
    output = capsys.readouterr().out
    assert "[/bold] row" in output
    assert "[/] a [link=x]model" in output


def test_metrics_of_another_form_are_refused(untrained, tmp_path):
    config = EvaluateConfig(model=untrained, n=1, max_new_tokens=2, output=tmp_path / "e")
    evaluate(config)
    (tmp_path / "e" / "metrics.json").write_text('{"rows": 1}')
    with pytest.raises(ValueError, match="does not hold what was written there"):
        evaluate(EvaluateConfig(**{**vars(config), "resume": True}))


@pytest.mark.parametrize(
    "changes",
    [
        {"targets": [[7, "attempt"]]},
        {"targets": [[0, "both"]]},
        {"targets": [["os", "attempt"]]},
        {"targets": 5},
        {"weight": "heavy"},
        {"episode": {}},
    ],
)
def test_demonstrations_of_another_form_are_refused(tmp_path, changes):
    path = tmp_path / "demonstrations.jsonl"
    episode = made_episode(made_turn(True, "correct"))
    write_demonstrations(path, [Demonstration(episode, whole_turns(0), "kind")])
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}) + "\n")
    with pytest.raises(ValueError, match=r"demonstrations\.jsonl, line 1"):
        read_demonstrations(path)


def test_a_log_of_another_form_is_refused(tmp_path):
    path = tmp_path / "episodes.partial.jsonl"
    path.write_text('{"key": "os:system", "episode": {}}\n')
    with pytest.raises(ValueError, match="line 1"):
        EpisodeLog(path)


def test_pairs_hold_token_ids(tmp_path):
    path = tmp_path / "pairs.jsonl"
    ids = {"prompt_ids": [1], "chosen_ids": [2], "rejected_ids": ["3"]}
    path.write_text(json.dumps({"kind": "D1", "problem": "p", "preference": ids}) + "\n")
    with pytest.raises(ValueError, match="field 'rejected_ids' of a preference"):
        read_pairs(path)


@pytest.mark.parametrize(
    "read",
    [read_demonstrations, read_pairs, EpisodeLog, lambda path: read_solutions(path, 1, seed=0)],
)
def test_values_that_are_nested_too_deep_are_refused(tmp_path, read):
    path = tmp_path / "file.jsonl"
    path.write_text("[" * 100_000 + "\n")
    with pytest.raises(ValueError, match=r"file\.jsonl, line 1: .*recursion"):
        read(path)


def test_a_solution_of_open_annotations_is_read_in_linear_time():
    problem = Problem("p", "2 * 3?", "", "test")
    start = time.process_time()
    assert worked_episode(problem, "<" * 50_000 + "\n#### 6").final.correct
    assert time.process_time() - start < 5


def test_questions_are_lists(tmp_path):
    path = tmp_path / "held_out.json"
    path.write_text('{"p": 1}')
    with pytest.raises(ValueError, match="does not hold what was written there"):
        read_questions(path, find=lambda name: None)


def test_weights_of_a_model_are_in_its_folder(untrained, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    index = {"weight_map": {"a": "../../etc/secret.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text("{}")
    with pytest.raises((OSError, ValueError)) as failure:
        average((folder, folder), tmp_path / "out", (0.5, 0.5))
    assert ".." not in str(failure.value)


# --- servers --------------------------------------------------------------------------------------


@pytest.fixture
def tokenizer_with_code(tmp_path, canary):
    """A folder with a tokenizer that asks for code of its own to be run."""
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    auto = {"AutoTokenizer": ["custom.Tokenizer", "custom.Tokenizer"]}
    files = {
        "tokenizer_config.json": json.dumps({"tokenizer_class": "Tokenizer", "auto_map": auto}),
        "config.json": json.dumps({"model_type": "custom", "auto_map": {"AutoConfig": "custom.C"}}),
        "custom.py": f"import {NAME}\nclass Tokenizer:\n    pass\nclass C:\n    pass\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    return str(folder)


def test_a_tokenizer_that_a_server_announces_runs_no_code(serve, tokenizer_with_code):
    server = serve()
    server.folder = tokenizer_with_code
    engine = ServerEngine(ServerOptions(server.url))
    assert not engine.exact
    assert not imported()


def test_a_tokenizer_runs_no_code(tokenizer_with_code):
    with pytest.raises((OSError, ValueError)):
        ChatFormat.load(tokenizer_with_code)
    assert not imported()


@pytest.mark.parametrize("root", ["", "a/b/c", "../..", "os:system", ["x"], {"x": 1}, 5, None])
def test_any_root_that_is_no_tokenizer_leaves_text(serve, root):
    server = serve(exact=False)
    server.folder = root
    assert not ServerEngine(ServerOptions(server.url)).exact


@pytest.mark.parametrize(
    "choice",
    [
        {},
        None,
        {"token_ids": None},
        {"token_ids": [1], "logprobs": {"token_logprobs": []}},
        {"token_ids": [-1], "logprobs": {"token_logprobs": [-0.1]}},
        {"token_ids": [1 << 40], "logprobs": {"token_logprobs": [-0.1]}},
        {"token_ids": [1.0e400], "logprobs": {"token_logprobs": [-0.1]}},
        {"token_ids": ["x"], "logprobs": {"token_logprobs": [-0.1]}},
        {"token_ids": [1], "logprobs": {"token_logprobs": [None]}},
        {"token_ids": [1], "logprobs": {"token_logprobs": [float("nan")]}},
        {"token_ids": [1], "logprobs": {"token_logprobs": [float("inf")]}},
        {"token_ids": [1], "logprobs": [-0.1]},
    ],
)
def test_an_answer_in_ids_of_another_form_is_an_error(serve, choice):
    engine = ServerEngine(ServerOptions(serve().url))
    assert engine.exact
    with pytest.raises(ServerError):
        engine.read({"choices": [choice]}, Sampling())


@pytest.mark.parametrize(
    "answer",
    [
        [],
        None,
        "text",
        {"choices": []},
        {"choices": {}},
        {"choices": [{"message": "text"}]},
        {"choices": [{"message": {"content": 5}}]},
        {"choices": [{"message": {"content": ["text"]}}]},
        {"choices": [{"message": {"content": "x"}}], "usage": [1]},
        {"choices": [{"message": {"content": "x"}}], "usage": {"completion_tokens": "many"}},
        {"choices": [{"message": {"content": "x"}}], "usage": {"completion_tokens": 1e400}},
    ],
)
def test_an_answer_in_text_of_another_form_is_an_error(serve, answer):
    engine = ServerEngine(ServerOptions(serve(exact=False).url))
    assert not engine.exact
    with pytest.raises(ServerError):
        engine.read(answer, Sampling())


def test_an_answer_with_lone_surrogates_can_be_written(serve):
    engine = ServerEngine(ServerOptions(serve(exact=False).url))
    answer = {"choices": [{"message": {"content": "a\ud800b"}}]}
    assert engine.chat.turn_text(engine.read(answer, Sampling()).ids) == "a?b"


@pytest.mark.parametrize("models", [[], {"data": 5}, {"data": ["x"]}, {"data": [{}]}, "x"])
def test_a_list_of_models_of_another_form_is_an_error(serve, models, monkeypatch):
    server = serve()
    monkeypatch.setattr("agents.engines.server._json", lambda response: models)
    with pytest.raises(ServerError):
        ServerEngine(ServerOptions(server.url))
