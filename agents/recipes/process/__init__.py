"""Process-based self-rewarding (Zhang et al. 2025, arXiv 2503.03746)."""
