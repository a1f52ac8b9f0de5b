"""The table of engines: a new one is a file and a line; options that do not fit are refused."""

import sys

import pytest

import agents.engines.registry as registry
from agents.doctor import DoctorConfig, doctor
from agents.engines import TransformersEngine
from agents.engines.backend import EngineOptions
from agents.engines.registry import ENGINES, choose, make_engine, stage_engine, trainer_link
from agents.evaluate import EvaluateConfig, evaluate
from agents.training.policy_gradient import PolicyGradientConfig, grpo_config

TOY = '''
from agents.engines import Generation
from agents.engines.backend import Backend
from agents.models.chat import ChatFormat


class ToyEngine:
    """Answers 7 to everything."""

    def __init__(self, path):
        self.chat = ChatFormat.load(path)
        self.closed = False

    def generate(self, prompts, sampling):
        ids = [*self.chat.encode("\\\\boxed{7}"), self.chat.tokenizer.eos_token_id]
        return [Generation(ids, [-0.1] * len(ids)) for _ in prompts]

    def close(self):
        self.closed = True


TOY = Backend("toy", load=lambda options: ToyEngine(options.model))
'''


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Adds an engine by one file and one line."""
    (tmp_path / "toy_engine.py").write_text(TOY)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(ENGINES, "toy", "toy_engine:TOY")
    yield "toy"
    sys.modules.pop("toy_engine", None)


@pytest.fixture
def vllm_on_gpu(monkeypatch):
    """Lets the machine look like one with a GPU and vLLM."""
    monkeypatch.setattr("agents.engines.vllm.importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)


def test_a_registered_engine_generates(toy, untrained):
    engine = make_engine(toy, EngineOptions(untrained))
    (message,) = engine.generate([[5]], None)
    assert engine.chat.turn_text(message.ids) == "\\boxed{7}"


def test_a_registered_engine_is_evaluated_by_name(toy, untrained, tmp_path):
    config = EvaluateConfig(untrained, engine=toy, n=3, output=tmp_path / "out", max_attempts=2)
    (metrics,) = evaluate(config).values()
    assert metrics["n"].value == 3


def test_the_doctor_lists_a_registered_engine(toy, untrained, capsys):
    doctor(DoctorConfig(untrained))
    output = capsys.readouterr().out
    assert "engine, toy" in output
    assert "does not take new weights" in output


def test_an_engine_without_a_trainer_link_is_refused_before_training(toy, tmp_path):
    with pytest.raises(ValueError, match="--engine toy cannot generate for a trainer"):
        grpo_config(PolicyGradientConfig(engine=toy), tmp_path, seed=0)


def test_a_backend_is_found_by_module_and_attribute(toy):
    assert choose("toy_engine:TOY") is choose(toy)


def test_an_object_that_is_no_backend_is_refused():
    with pytest.raises(ValueError, match=r"must be an agents\.engines\.backend\.Backend"):
        choose("agents.engines.vllm:VLLMEngine")


def test_an_unknown_engine_is_named_with_the_nearest():
    with pytest.raises(ValueError, match=r"'vlm'.*Did you mean 'vllm'.*auto, server, transformers"):
        choose("vlm")


@pytest.mark.parametrize("name", ["server", "vllm", "transformers"])
def test_a_backend_has_the_name_of_its_entry(name):
    assert choose(name).name == name


def test_auto_is_a_server_if_there_is_an_address(vllm_on_gpu):
    assert choose("auto", "http://x/v1").name == "server"


def test_auto_is_vllm_on_a_gpu(vllm_on_gpu):
    assert choose("auto").name == "vllm"


@pytest.mark.parametrize(("installed", "gpu"), [(True, False), (False, True)])
def test_auto_is_transformers_without_vllm_or_without_a_gpu(monkeypatch, installed, gpu):
    monkeypatch.setattr(
        "agents.engines.vllm.importlib.util.find_spec", lambda name: installed or None
    )
    monkeypatch.setattr("torch.cuda.is_available", lambda: gpu)
    assert choose("auto").name == "transformers"


@pytest.mark.parametrize("name", ["transformers", "vllm"])
@pytest.mark.parametrize("option", ["base_url", "tokenizer"])
def test_options_of_a_server_are_refused_by_local_engines(name, option):
    with pytest.raises(ValueError, match=f"are for --engine server, not {name}"):
        make_engine(name, EngineOptions("tiny", **{option: "http://x/v1"}))


def test_a_server_without_an_address_is_refused():
    with pytest.raises(ValueError, match="--engine server needs --base-url"):
        make_engine("server", EngineOptions("tiny"))


def test_a_trainer_needs_the_address_of_its_server():
    with pytest.raises(ValueError, match="--engine server needs --base-url"):
        trainer_link("server")


def test_a_stage_whose_weights_the_server_lacks_is_played_locally(untrained, capsys):
    engine = stage_engine("server", untrained, "http://x/v1", served=False)
    assert isinstance(engine, TransformersEngine)
    assert "does not have the weights" in " ".join(capsys.readouterr().out.split())


def test_vllm_is_replaced_in_several_processes(untrained, monkeypatch):
    monkeypatch.setattr(registry, "process_count", lambda: 2)
    assert isinstance(stage_engine("vllm", untrained, None, served=True), TransformersEngine)


def test_transformers_needs_no_settings_of_trl():
    assert trainer_link("transformers").settings(None, 0.3) == {}


def test_vllm_shares_the_gpu_of_a_trainer():
    settings = trainer_link("vllm").settings(None, 0.3)
    assert settings["vllm_mode"] == "colocate"
    assert settings["vllm_gpu_memory_utilization"] == 0.3


def test_a_server_takes_weights_at_the_root_of_its_address():
    settings = trainer_link("auto", "http://x/v1/").settings("http://x/v1/", 0.3)
    assert settings == {
        "use_vllm": True,
        "vllm_importance_sampling_mode": "token_truncate",
        "vllm_mode": "server",
        "vllm_server_base_url": "http://x",
    }
