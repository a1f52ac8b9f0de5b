"""Domains: what makes a task math, or another kind of task.

A new domain is a file with a subclass of `Domain`, and a line in `DOMAINS` (or a call of
`register_domain`).
"""

from __future__ import annotations

from srenv.domains.base import Domain, Extracted
from srenv.registry import resolve

__all__ = ["DOMAINS", "Domain", "Extracted", "find_domain", "register_domain"]

DOMAINS: dict[str, Domain | str] = {
    "math": "srenv.domains.math:MATH",
    "code": "srenv.domains.code:CODE",
}
"""Domains by name; a ``module:attribute`` is imported when a problem first names it."""


def register_domain(domain: Domain) -> None:
    """Registers a domain under its name; a later one of the same name wins."""
    DOMAINS[domain.name] = domain


def find_domain(name: str) -> Domain:
    """Returns the domain that a problem names.

    Raises:
        ValueError: No domain is registered under this name. Names are never imported: they come
            from data.
    """
    domain = DOMAINS.get(name)
    if domain is None or isinstance(domain, str):
        domain = resolve("domain", name, DOMAINS)
    return domain
