"""``hf:openai/gsm8k?config=main``: problems from a Hugging Face dataset, by id or folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from srenv.episode import Problem
from srenv.problems.records import COLUMN_OPTIONS, Columns, problem_of, readable
from srenv.problems.seeding import Split
from srenv.problems.source import ListSource, SourceSpec

SPLITS: dict[Split, tuple[str, ...]] = {
    "train": ("train",),
    "eval": ("test", "validation"),
}
"""The dataset's splits to try for ours if the source names none by ``?split=``."""


def hub_source(spec: SourceSpec) -> ListSource:
    """Loads a dataset through the `datasets` package, which caches it on disk.

    Rows that cannot be read are skipped with a warning, unless the source says ``strict=1``.

    Raises:
        ImportError: `datasets` is not installed.
        ValueError: The dataset cannot be loaded, no row of it is a problem, or with ``strict=1``
            one is not.
    """
    options = spec.read_options("config", "split", "revision", *COLUMN_OPTIONS)
    columns = Columns.read(options, spec)
    split, rows = _load(spec, options)
    problems = readable(_problems(rows, columns, spec, split), spec.text, columns.strict)
    if not problems:
        raise ValueError(f"{spec.text}: split {split!r} is empty")
    return ListSource(spec.text, spec.split, problems)


def _problems(
    rows: Any, columns: Columns, spec: SourceSpec, split: str
) -> Iterator[tuple[str, Problem | ValueError]]:
    """Yields the place of every row, and its problem or why there is none."""
    for number, row in enumerate(rows):
        place = f"row {number}"
        where = f"{spec.text}, {place}"
        try:
            yield place, problem_of(row, columns, where, f"{split}/{number}", spec.text)
        except ValueError as error:
            yield place, error


def _load(spec: SourceSpec, options: dict[str, str]) -> tuple[str, Any]:
    """Returns the name of the dataset's split and its rows."""
    try:
        import datasets
    except ImportError as error:
        message = f'{spec.text!r} needs the datasets package: pip install "srenv[hub]"'
        raise ImportError(message) from error
    config, revision = options.get("config"), options.get("revision")
    try:
        present = datasets.get_dataset_split_names(spec.target, config, revision=revision)
        candidates = (options["split"],) if "split" in options else SPLITS[spec.split]
        split = next((name for name in candidates if name in present), None)
        if split is not None:
            return split, datasets.load_dataset(spec.target, config, split=split, revision=revision)
    except Exception as error:  # offline, no such dataset, no such config: all say so themselves
        raise ValueError(
            f"could not load {spec.text!r}: {error}. It needs a network the first time; "
            "without one, name a file: 'jsonl:path/to/problems.jsonl'"
        ) from error
    raise ValueError(
        f"{spec.text!r} has no split {' or '.join(candidates)}; found {', '.join(present)}. "
        "Name one in the source: '?split=NAME'"
    )
