"""Connections to other people's trainers that need torch (see docs/trainers.md)."""
