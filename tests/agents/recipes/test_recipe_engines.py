"""Which engine plays which stage of a recipe; vLLM itself is tried in test_vllm_recipe.py."""

import dataclasses
import re

import pytest
import torch
import tyro

import agents.recipes.base
from agents.engines import Sampling, TransformersEngine
from agents.engines.metered import MeteredEngine
from agents.engines.server import ServerEngine, ServerError
from agents.recipes import RECIPES, find_recipe, rise
from agents.recipes.base import BASE
from agents.recipes.baselines import prompting, star
from agents.recipes.baselines.prompting import PromptingConfig
from agents.recipes.baselines.star import StarConfig
from agents.recipes.rise import Rise, RiseConfig
from agents.runs.run import Run
from agents.runs.tracking import Tracker
from agents.training.policy_gradient import PolicyGradientConfig
from srenv.episode import read_episodes
from tests.support.server import fake_servers

COMMON = {"eval_n": 6, "max_new_tokens": 40, "report_to": "none"}


@pytest.fixture
def serve(untrained):
    with fake_servers(untrained, name=untrained) as start:
        yield start


@pytest.fixture
def closed(monkeypatch):
    """The transformers engines that were loaded, and those of them that were closed."""
    loaded, closed = [], []
    load, close = TransformersEngine.load.__func__, TransformersEngine.close

    def spy_load(cls, *arguments):
        loaded.append(load(cls, *arguments))
        return loaded[-1]

    def spy_close(self):
        close(self)
        closed.append(self)

    monkeypatch.setattr(TransformersEngine, "load", classmethod(spy_load))
    monkeypatch.setattr(TransformersEngine, "close", spy_close)
    return loaded, closed


def make(kind, config):
    run = Run(config.output, config, False)
    return kind(config, run, Tracker("none", config.output, "test", {}))


def test_every_stage_of_the_base_model_is_played_by_the_server(serve, untrained, tmp_path, closed):
    server = serve()
    config = PromptingConfig(untrained, base_url=server.url, output=tmp_path / "run", **COMMON)
    metrics = prompting.train(config)
    assert closed == ([], [])
    assert {body["model"] for body in server.bodies} == {untrained}
    assert "base, Self-Refine" in metrics
    for path in (tmp_path / "run").glob("episodes_*.jsonl"):
        texts = {turn.text.split("\n")[0] for e in read_episodes(path) for turn in e.turns}
        assert texts <= {"\\boxed{0}", "\\boxed{1}"}  # what the server says
    # The server may be elsewhere when the run continues.
    server.stop()
    moved = dataclasses.replace(config, base_url="http://127.0.0.1:9/v1", resume=True)
    assert prompting.train(moved)[BASE]["n"].value == 6
    server.start()


def test_a_trained_model_is_not_asked_of_a_server_that_has_another(
    serve, untrained, tmp_path, capsys, monkeypatch, closed
):
    server = serve()
    config = StarConfig(untrained, base_url=server.url, output=tmp_path / "run", **COMMON)
    recipe = make(star.Star, config)
    with recipe.engine(recipe.base) as engine:
        assert isinstance(engine, ServerEngine)
    capsys.readouterr()
    trained = recipe.run.directory / "trained"
    trained.symlink_to(untrained)
    with recipe.engine(trained) as engine:
        assert isinstance(engine, TransformersEngine)
        assert engine.generate([[5, 6, 7]], Sampling(0.0, 1.0, 2))
    said = "".join(capsys.readouterr().out.split())
    assert f"engine:transformers,as{server.url}doesnothavetheweightsof{trained}" in said

    # Policy gradient pushes its weights into the server: from then on it has no known ones.
    asked = []

    def learn(model, output, problems, make_env, config, **rest):
        asked.append((config.engine, config.base_url))
        (output / "final").mkdir()
        return output / "final"

    monkeypatch.setattr(agents.recipes.base, "train_policy", learn)
    pg = PolicyGradientConfig(steps=1)
    recipe.reinforce("rl", recipe.base, [], None, pg)
    assert asked == [("auto", server.url)]
    with recipe.engine(recipe.base) as engine:
        assert isinstance(engine, TransformersEngine)
    loaded, shut = closed
    assert len(loaded) == 2
    assert shut == loaded
    assert all(engine.model is None for engine in loaded)


def test_without_a_word_transformers_plays_and_is_closed_after_each_stage(
    untrained, tmp_path, closed
):
    config = PromptingConfig(untrained, output=tmp_path / "run", **{**COMMON, "max_new_tokens": 6})
    prompting.train(config)
    loaded, shut = closed
    assert len(loaded) == 5  # two rows of the base, two of the recipe, and the votes
    assert shut == loaded


def test_a_stage_that_fails_closes_its_engine(untrained, tmp_path, closed):
    recipe = make(star.Star, StarConfig(untrained, output=tmp_path / "run", **COMMON))
    with pytest.raises(RuntimeError, match="kept no demonstration"):
        recipe.collect("nothing", recipe.base, lambda engine: [])
    assert closed[0] == closed[1] != []


def test_several_processes_do_not_share_one_vllm(untrained, tmp_path, capsys, monkeypatch):
    config = StarConfig(untrained, engine="vllm", output=tmp_path / "run", **COMMON)
    recipe = make(star.Star, config)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with recipe.engine(recipe.base) as engine:
        assert isinstance(engine, TransformersEngine)
    assert "engine: transformers" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "server"}, "needs --base-url"),
        ({"engine": "transformers", "base_url": "http://x/v1"}, "are for --engine server"),
        ({"base_url": "http://127.0.0.1:9/v1"}, "no server answers"),
    ],
)
def test_options_that_do_not_fit_are_named(untrained, tmp_path, options, message):
    recipe = make(star.Star, StarConfig(untrained, output=tmp_path / "r", **options, **COMMON))
    with pytest.raises((ValueError, ServerError), match=message):
        recipe.engine(recipe.base)


def test_a_server_of_another_model_is_refused(serve, untrained, tmp_path):
    config = StarConfig(untrained, base_url=serve(name="other").url, output=tmp_path, **COMMON)
    with pytest.raises(ServerError, match="it serves other"):
        make(star.Star, config).engine(untrained)


@pytest.mark.parametrize("exact", [True, False])
def test_rise_asks_a_teacher_behind_a_server(serve, untrained, tmp_path, exact, closed):
    teacher = serve(name="teacher", exact=exact)
    config = RiseConfig(
        untrained, output=tmp_path, sampled=5, teacher="teacher", teacher_base_url=teacher.url,
        **COMMON,
    )  # fmt: skip
    recipe = make(Rise, config)
    torch.manual_seed(0)
    with recipe.engine(recipe.base) as engine:
        meter = MeteredEngine(engine)
        found = recipe.sample(meter, 1)
    assert len(teacher.bodies) == 5  # one turn each: an untrained model solves nothing
    improved = [d.episode.turns[-1] for d in found if len(d.episode.turns) == 2]
    said = r"\\boxed\{\d\}\n\[VERIFY\] (wrong|correct)"
    assert improved
    assert all(re.fullmatch(said, turn.text) for turn in improved)
    if not exact:
        assert {turn.tokens for turn in improved} == {7}
    assert 0 < meter.generated <= 5 * 40  # the teacher's are not the model's
    assert len(closed[0]) == 1
    with pytest.raises(ValueError, match="needs --teacher"):
        rise.train(dataclasses.replace(config, teacher=None))


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_takes_an_engine_from_the_command_line(name):
    _, config = find_recipe(name)
    read = tyro.cli(config, args=["--engine", "server", "--base-url", "http://x/v1"])
    assert (read.engine, read.base_url) == ("server", "http://x/v1")
    assert issubclass(config, agents.recipes.base.RecipeConfig)
