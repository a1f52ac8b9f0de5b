"""The example of a recipe of one's own, in examples/custom_recipe.py."""

from agents.recipes import find_recipe
from agents.training.sft import SftConfig
from tests.support.python import ROOT
from tests.support.recipes import SOLVING


def test_it_trains(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    train, config = find_recipe("custom_recipe:train")
    rows = train(config(output=tmp_path, sampled=60, sft=SftConfig(epochs=1), **SOLVING))
    assert list(rows)[-1] == "after SFT"
