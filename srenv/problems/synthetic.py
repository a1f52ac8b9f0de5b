"""``synthetic:linear``: problems of a family, drawn without end."""

from __future__ import annotations

from srenv.problems.families import FAMILIES, family_source
from srenv.problems.families.mixed import MixedSource
from srenv.problems.families.programs import programs_source
from srenv.problems.families.words import words_source
from srenv.problems.source import ProblemSource, SourceSpec
from srenv.registry import unknown


def synthetic_source(spec: SourceSpec) -> ProblemSource:
    """Returns the source of ``synthetic:FAMILY``, ``synthetic:mixed`` or ``synthetic:programs``.

    Raises:
        ValueError: There is no such family or option.
    """
    if spec.target == "programs":
        return programs_source(spec)
    if spec.target == "words":
        return words_source(spec)
    spec.read_options()
    if spec.target == "mixed":
        return MixedSource(spec.text, spec.split)
    if spec.target not in FAMILIES:
        raise ValueError(unknown("synthetic family", spec.target, [*FAMILIES, "mixed", "programs"]))
    return family_source(spec.target, spec.split)
