"""``synthetic:linear``: problems of a family, drawn without end."""

from __future__ import annotations

from collections.abc import Callable

from srenv.problems.families import FAMILIES, family_source
from srenv.problems.families.mixed import MixedSource
from srenv.problems.source import ProblemSource, SourceSpec
from srenv.registry import resolve, unknown

_WITH_OPTIONS: dict[str, Callable[[SourceSpec], ProblemSource] | str] = {
    "programs": "srenv.problems.families.programs:programs_source",
    "words": "srenv.problems.families.words:words_source",
}


def synthetic_source(spec: SourceSpec) -> ProblemSource:
    """Returns the source of ``synthetic:FAMILY``, ``synthetic:mixed`` or ``synthetic:programs``.

    Raises:
        ValueError: There is no such family or option.
    """
    if spec.target in _WITH_OPTIONS:
        return resolve("synthetic family", spec.target, _WITH_OPTIONS)(spec)
    spec.read_options()
    if spec.target == "mixed":
        return MixedSource(spec.text, spec.split)
    if spec.target not in FAMILIES:
        raise ValueError(unknown("synthetic family", spec.target, [*FAMILIES, "mixed", "programs"]))
    return family_source(spec.target, spec.split)
