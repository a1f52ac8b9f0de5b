"""Self-correction as an environment of other people's frameworks (see docs/trainers.md).

Each module imports its framework, which is an extra: ``srenv[openenv]``, ``srenv[verifiers]``.
"""
