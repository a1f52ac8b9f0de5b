"""``synthetic:linear``: problems of a family, drawn without end."""

from __future__ import annotations

from srenv.problems.families import FAMILIES, family_source
from srenv.problems.families.mixed import MixedSource
from srenv.problems.source import ProblemSource, SourceSpec
from srenv.registry import unknown


def synthetic_source(spec: SourceSpec) -> ProblemSource:
    """Returns the source of ``synthetic:FAMILY`` or ``synthetic:mixed``.

    Raises:
        ValueError: There is no such family.
    """
    spec.read_options()
    if spec.target == "mixed":
        return MixedSource(spec.text, spec.split)
    if spec.target not in FAMILIES:
        raise ValueError(unknown("synthetic family", spec.target, [*FAMILIES, "mixed"]))
    return family_source(spec.target, spec.split)
