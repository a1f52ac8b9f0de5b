"""Rollouts: conversations between engines and environments."""
