"""Symbolic comparison with math-verify, in processes that can be killed."""
