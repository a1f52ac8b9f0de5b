"""Runs: folders with resumable stages, tracking, tables, and figures."""
