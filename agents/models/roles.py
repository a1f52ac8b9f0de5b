"""Roles of tokens, which divide an episode's advantages among them."""

ATTEMPT, VERDICT, ENVIRONMENT = 1, 2, 0
"""Part of an attempt, part of a verdict, or not written by the model."""
